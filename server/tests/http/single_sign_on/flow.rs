//! The parameters, cookies and the state of a sign-in.

use chrono::TimeDelta;
use serde_json::json;

use super::{
    super::test_app::ADMIN, Begun, CLIENT_ID, PUBLIC_URL, assert_refused, assert_signed_in,
    installation_log, reasons, sign_in, start, users,
};
use crate::support::test_provider::challenge_of;

#[tokio::test]
async fn the_browser_is_sent_to_the_provider_with_state_nonce_and_pkce() {
    let (app, provider) = start().await;
    let begun = Begun::new(&app).await;
    assert!(
        begun
            .url
            .as_str()
            .starts_with(&format!("{}/authorize?", provider.issuer))
    );
    let callback = format!("{PUBLIC_URL}/sign-in/sso/callback");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", callback.as_str()),
        ("scope", "openid email profile"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(begun.parameter(name), value, "{name}");
    }
    assert!(!begun.url.query_pairs().any(|(name, _)| name == "max_age"));
    // 256 bits each, and none is another.
    let (state, nonce) = (begun.parameter("state"), begun.nonce());
    let browser = begun.cookie.split_once('=').unwrap().1.to_owned();
    for token in [&state, &nonce, &browser] {
        assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    let another = Begun::new(&app).await;
    let all = [
        state,
        nonce,
        browser,
        another.parameter("state"),
        another.nonce(),
        another.cookie.split_once('=').unwrap().1.to_owned(),
    ];
    let distinct: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

#[tokio::test]
async fn p08_the_cookies_of_single_sign_on_are_http_only_and_without_a_domain() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let response = app.get("/sign-in/sso").send().await;
    let line = response.header("set-cookie");
    let (pair, attributes) = line.split_once("; ").unwrap();
    assert!(pair.starts_with("latchkey_sso="), "{line}");
    assert_eq!(attributes, "HttpOnly; Path=/; SameSite=Lax; Max-Age=600");

    let begun = Begun::new(&app).await;
    let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
    let response = begun.finish(&app, &code).await;
    let session = assert_signed_in(&response);
    assert_eq!(response.header("location"), "/tenant-api-keys");
    assert!(app.is_signed_in(&session).await);
    let lines: Vec<_> = response
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|line| line.to_str().unwrap().to_owned())
        .collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("latchkey_session="));
    assert!(lines[0].ends_with("; HttpOnly; Path=/; SameSite=Lax"));
    assert!(lines[1].starts_with("latchkey_device="));
    assert_eq!(
        lines[2],
        "latchkey_sso=; HttpOnly; Path=/; SameSite=Lax; Max-Age=0"
    );
}

#[tokio::test]
async fn the_verifier_matches_the_challenge_and_is_in_no_url_and_not_in_the_database() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let begun = Begun::new(&app).await;
    let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
    assert_signed_in(&begun.finish(&app, &code).await);
    let body = provider.token_bodies().pop().unwrap();
    let verifier = url::form_urlencoded::parse(body.as_bytes())
        .find(|(name, _)| name == "code_verifier")
        .unwrap()
        .1
        .into_owned();
    assert_eq!(challenge_of(&verifier), begun.parameter("code_challenge"));
    assert!(!begun.url.as_str().contains(&verifier));
    let state = begun.parameter("state");
    let browser = begun.cookie.split_once('=').unwrap().1;
    for file in std::fs::read_dir(app.folder()).unwrap() {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [verifier.as_str(), &state, browser, &begun.nonce()] {
            let found = content
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret}");
        }
    }
}

#[tokio::test]
async fn p09_single_sign_on_replaces_a_planted_session_and_a_planted_cookie() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let planted = format!("latchkey_session={}", "a".repeat(64));
    let planted_browser = format!("latchkey_sso={}", "b".repeat(64));
    let response = app
        .get("/sign-in/sso")
        .cookie(&planted_browser)
        .send()
        .await;
    let begun = Begun {
        url: response.header("location").parse().unwrap(),
        cookie: response.set_cookie("latchkey_sso"),
    };
    assert_ne!(begun.cookie, planted_browser);
    let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
    let cookies = format!("{planted}; {}", begun.cookie);
    let response = begun.finish_with(&app, &[("code", &code)], &cookies).await;
    let session = assert_signed_in(&response);
    assert_ne!(session, planted);
    assert!(app.is_signed_in(&session).await);
    assert!(!app.is_signed_in(&planted).await);

    // The browser's own earlier session ends, as with a password.
    let begun = Begun::new(&app).await;
    let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
    let cookies = format!("{session}; {}", begun.cookie);
    let response = begun.finish_with(&app, &[("code", &code)], &cookies).await;
    let next = assert_signed_in(&response);
    assert!(app.is_signed_in(&next).await);
    assert!(!app.is_signed_in(&session).await);
}

#[tokio::test]
async fn p10_sign_out_ends_a_session_of_single_sign_on() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let session = assert_signed_in(&sign_in(&app, &provider, &json!({ "email": ADMIN })).await);
    let out = app.post("/sign-out").same_origin().cookie(&session);
    assert_eq!(out.send().await.status, 303);
    assert!(!app.is_signed_in(&session).await);
}

#[tokio::test]
async fn the_path_to_return_to_is_kept_and_stays_on_this_site() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    for (return_to, location) in [
        (
            "/audit-log?action=session.created",
            "/audit-log?action=session.created",
        ),
        ("/tenant-api-keys", "/tenant-api-keys"),
        ("", "/tenant-api-keys"),
        ("//attacker.example/x", "/tenant-api-keys"),
        ("/\\attacker.example", "/tenant-api-keys"),
        ("https://attacker.example/", "/tenant-api-keys"),
        ("/sign-in/sso?return_to=/", "/tenant-api-keys"),
        ("/sign-out", "/tenant-api-keys"),
    ] {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("return_to", return_to)
            .finish();
        let begun = Begun::at(&app, &format!("/sign-in/sso?{query}")).await;
        let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
        let response = begun.finish(&app, &code).await;
        assert_signed_in(&response);
        assert_eq!(response.header("location"), location, "{return_to}");
    }
    // A failure keeps it too.
    let begun = Begun::at(&app, "/sign-in/sso?return_to=/audit-log").await;
    let code = provider.code(&begun.nonce(), &json!({ "nonce": "another" }));
    let response = begun.finish(&app, &code).await;
    assert_eq!(
        response.header("location"),
        "/sign-in?sso=refused&return_to=%2Faudit-log"
    );
}

#[tokio::test]
async fn a_state_is_used_once() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let begun = Begun::new(&app).await;
    let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
    assert_signed_in(&begun.finish(&app, &code).await);
    let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
    assert_refused(&begun.finish(&app, &code).await, "over");
    assert_eq!(
        provider.token_requests(),
        1,
        "nothing was sent to the provider"
    );
    assert_eq!(
        reasons(&installation_log(&app).await),
        ["the state was used before"]
    );
}

#[tokio::test]
async fn of_many_callbacks_with_one_state_one_signs_in() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let begun = Begun::new(&app).await;
    let codes: Vec<_> = (0..10)
        .map(|_| provider.code(&begun.nonce(), &json!({ "email": ADMIN })))
        .collect();
    let callbacks = codes.iter().map(|code| begun.finish(&app, code));
    let responses = futures_util::future::join_all(callbacks).await;
    let signed_in = responses
        .iter()
        .filter(|response| !response.header("location").starts_with("/sign-in"))
        .count();
    assert_eq!(signed_in, 1);
    assert_eq!(provider.token_requests(), 1);
}

#[tokio::test]
async fn a_state_belongs_to_the_browser_that_began() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let begun = Begun::new(&app).await;
    let other = Begun::new(&app).await;
    let twice = format!("{}; {}", begun.cookie, other.cookie);
    for cookie in ["", &other.cookie, "latchkey_sso=short", &twice] {
        let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
        let response = begun.finish_with(&app, &[("code", &code)], cookie).await;
        assert_refused(&response, "over");
    }
    assert_eq!(provider.token_requests(), 0);
    // One event for each reason, address and window.
    assert_eq!(
        reasons(&installation_log(&app).await),
        ["another browser began the sign-in"]
    );
    // The right browser is not affected.
    let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
    assert_signed_in(&begun.finish(&app, &code).await);
}

#[tokio::test]
async fn a_state_is_valid_for_ten_minutes() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let begun = Begun::new(&app).await;
    let age = |by: TimeDelta| {
        let at = server::clock::now() - by;
        let at = at.format("%Y-%m-%d %H:%M:%S%.6f+00:00");
        app.execute(&format!("UPDATE sso_states SET created_at = '{at}'"));
    };
    age(TimeDelta::minutes(10));
    let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
    assert_refused(&begun.finish(&app, &code).await, "over");
    assert_eq!(
        reasons(&installation_log(&app).await),
        ["the sign-in took longer than 10 minutes"]
    );
    age(TimeDelta::minutes(9));
    assert_signed_in(&begun.finish(&app, &code).await);
}

#[tokio::test]
async fn an_unknown_or_malformed_callback_is_refused() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let begun = Begun::new(&app).await;
    let state = begun.parameter("state");
    for query in [
        String::new(),
        "state=".to_owned(),
        format!("state={}&code=x", "0".repeat(64)),
        format!("state={state}&state={state}&code=x"),
        format!("state={state}&code=x&code=y"),
        format!("state={}&code=x", "x".repeat(5_000)),
        "state=%00&code=%ff".to_owned(),
    ] {
        let path = format!("/sign-in/sso/callback?{query}");
        let response = app.get(&path).cookie(&begun.cookie).send().await;
        assert_refused(&response, "over");
    }
    assert_eq!(
        reasons(&installation_log(&app).await),
        ["the state is unknown"]
    );
    assert_eq!(provider.token_requests(), 0);
    let head = app.request(
        "HEAD",
        &format!("/sign-in/sso/callback?state={state}&code=x"),
    );
    assert_eq!(
        head.cookie(&begun.cookie).send().await.header("location"),
        "/sign-in"
    );
    // None of these used the state.
    let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
    assert_signed_in(&begun.finish(&app, &code).await);
}

#[tokio::test]
async fn a_refusal_of_the_provider_is_told_to_the_person() {
    let (app, provider) = start().await;
    let begun = Begun::new(&app).await;
    let denied = [
        ("error", "access_denied"),
        ("error_description", "state and code of someone"),
    ];
    let response = begun.finish_with(&app, &denied, &begun.cookie).await;
    assert_refused(&response, "cancelled");
    let begun = Begun::new(&app).await;
    let hostile = [(
        "error",
        "<script>alert(1)</script> a sentence of the attacker",
    )];
    let response = begun.finish_with(&app, &hostile, &begun.cookie).await;
    assert_refused(&response, "cancelled");
    let begun = Begun::new(&app).await;
    assert_refused(
        &begun.finish_with(&app, &[], &begun.cookie).await,
        "refused",
    );
    let begun = Begun::new(&app).await;
    let other_issuer = [("code", "x"), ("iss", "https://other.example")];
    assert_refused(
        &begun.finish_with(&app, &other_issuer, &begun.cookie).await,
        "refused",
    );
    let mut told = reasons(&installation_log(&app).await);
    told.reverse();
    assert_eq!(
        told,
        [
            "the provider responds access_denied",
            "the provider responds an error",
            "the response contains no code",
            "the response names another issuer",
        ]
    );
    assert_eq!(provider.token_requests(), 0);
    assert_eq!(users(&app).await, 0);
}

#[tokio::test]
async fn an_address_begins_a_limited_number_of_sign_ins() {
    let (app, _provider) = start().await;
    for _ in 0..300 {
        let response = app.get("/sign-in/sso").from("2001:db8::7").send().await;
        assert!(response.header("location").starts_with("http://127.0.0.1"));
    }
    // Of the same /64
    let response = app.get("/sign-in/sso").from("2001:db8::8").send().await;
    assert_eq!(response.header("location"), "/sign-in?sso=throttled");
    let response = app.get("/sign-in/sso").from("2001:db8:0:1::7").send().await;
    assert!(response.header("location").starts_with("http://127.0.0.1"));
}

#[tokio::test]
async fn a_fresh_sign_in_needs_the_time_at_which_the_provider_authenticated_the_person() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let now = server::clock::now().timestamp();
    for (auth_time, is_accepted) in [
        (json!(now), true),
        (json!(now - 3_600), false),
        (json!(null), false),
    ] {
        let begun = Begun::at(&app, "/sign-in/sso?fresh=1&return_to=/account").await;
        assert_eq!(begun.parameter("max_age"), "0");
        let changes = json!({ "email": ADMIN, "auth_time": auth_time });
        let code = provider.code(&begun.nonce(), &changes);
        let response = begun.finish(&app, &code).await;
        if is_accepted {
            assert_signed_in(&response);
            assert_eq!(response.header("location"), "/account");
        } else {
            assert_refused(&response, "refused");
        }
    }
}
