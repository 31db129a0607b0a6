//! Secrets of single sign-on.

use serde_json::json;
use url::Url;

use super::{Client, assert_no_secret, cookie_of, files_in};
use crate::support::{
    binary::Latchkey,
    server::Server,
    setup::ADMIN,
    test_provider::{CLIENT_ID, CLIENT_SECRET, TestProvider},
};

#[test]
fn p53_no_code_state_or_token_of_single_sign_on_is_in_the_log_or_in_the_database() {
    let provider = TestProvider::start();
    let latchkey = Latchkey::new()
        .with("RUST_LOG", "trace")
        .with("LATCHKEY_PUBLIC_URL", "http://127.0.0.1")
        .with("LATCHKEY_OIDC_ISSUER", &provider.issuer)
        .with("LATCHKEY_OIDC_CLIENT_ID", CLIENT_ID)
        .with("LATCHKEY_OIDC_CLIENT_SECRET", CLIENT_SECRET)
        .with("LATCHKEY_OIDC_ALLOWED_DOMAINS", "acme.example");
    latchkey.create_tenant("Acme", 10);
    latchkey.create_administrator("acme", ADMIN);
    let client = Client(Server::start(&latchkey, &[]));
    let mut secrets = vec![("the client's secret", CLIENT_SECRET.to_owned())];
    secrets.push(("the access token", "access-token-of-the-test".to_owned()));
    // A sign-in that succeeds, one with a token for another client, and one whose code is unknown
    for (changes, code_is_known, location) in [
        (json!({ "email": ADMIN }), true, "/tenant-api-keys"),
        (json!({ "aud": "another" }), true, "/sign-in?sso=refused"),
        (json!({}), false, "/sign-in?sso=refused"),
    ] {
        let begun = client.ask("GET", "/sign-in/sso", &[], "");
        let url: Url = begun.header("location").unwrap().parse().unwrap();
        let parameter = |name: &str| {
            let mut pairs = url.query_pairs();
            pairs
                .find(|(found, _)| found == name)
                .unwrap()
                .1
                .into_owned()
        };
        let (cookie, browser) = cookie_of(&begun, "latchkey_sso");
        let (state, nonce) = (parameter("state"), parameter("nonce"));
        let key = provider.key();
        let header = json!({ "alg": "EdDSA", "kid": key.id });
        let token = key.sign(&header, &provider.claims(&nonce, &changes));
        let code = provider.code_for(token.as_str());
        let sent = if code_is_known {
            code.clone()
        } else {
            format!("unknown-{code}")
        };
        let path = format!("/sign-in/sso/callback?state={state}&code={sent}");
        let headers = [
            ("Cookie", cookie.as_str()),
            ("Sec-Fetch-Site", "cross-site"),
        ];
        let response = client.ask("GET", &path, &headers, "");
        assert_eq!(
            response.header("location"),
            Some(location),
            "{}",
            response.head
        );
        // Again, which is refused
        let again = client.ask("GET", &path, &headers, "");
        assert_eq!(again.header("location"), Some("/sign-in?sso=over"));
        if location == "/tenant-api-keys" {
            secrets.push((
                "the session's token",
                cookie_of(&response, "latchkey_session").1,
            ));
        }
        secrets.push(("the state", state));
        secrets.push(("the nonce", nonce));
        secrets.push(("the browser's token", browser));
        secrets.push(("the code", code));
        for part in token.split('.').skip(1) {
            secrets.push(("a part of the ID token", part.to_owned()));
        }
    }
    for body in provider.token_bodies() {
        let verifier = url::form_urlencoded::parse(body.as_bytes())
            .find(|(name, _)| name == "code_verifier")
            .unwrap()
            .1
            .into_owned();
        secrets.push(("the PKCE verifier", verifier));
    }
    // While the server runs, the write-ahead log contains the newest rows.
    let mut places = files_in(latchkey.folder());
    let log = client.0.stop();
    places.extend(files_in(latchkey.folder()));
    for entry in [
        "answered",
        "/sign-in/sso/callback",
        "single sign-on refused",
    ] {
        assert!(super::contains(&log, entry), "{entry} is not in the log");
    }
    places.push(("the log".to_owned(), log));
    assert_no_secret(&secrets, &places);
}
