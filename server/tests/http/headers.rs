//! P06: security headers of every response.

use std::collections::HashSet;

use super::{
    request::TestResponse,
    test_app::{ADMIN, TestApp},
};

/// The sources of a directive. If it is absent and falls back, the sources of `default-src`.
fn effective<'a>(policy: &'a str, directive: &str, falls_back: bool) -> Option<&'a str> {
    let find = |name: &str| {
        policy
            .split(';')
            .map(str::trim)
            .find_map(|part| part.strip_prefix(name)?.strip_prefix(' '))
    };
    find(directive).or_else(|| falls_back.then(|| find("default-src")).flatten())
}

fn assert_common(response: &TestResponse, path: &str) {
    assert_eq!(
        response.header("x-content-type-options"),
        "nosniff",
        "{path}"
    );
    assert_eq!(response.header("referrer-policy"), "same-origin", "{path}");
    for name in response.headers.keys() {
        assert!(
            !name.as_str().starts_with("access-control-"),
            "{path}: {name}"
        );
        assert!(
            !matches!(name.as_str(), "server" | "x-powered-by"),
            "{path}: {name}"
        );
    }
}

#[tokio::test]
async fn p06_p66_pages_have_a_strict_policy_with_a_nonce_of_their_own() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let mut nonces = HashSet::new();
    let pages = [
        ("/sign-in", None, 200),
        ("/tenant-api-keys", Some(&session), 200),
        ("/tenant-api-keys/new", Some(&session), 200),
        ("/account", Some(&session), 200),
        ("/account", Some(&session), 200),
        ("/nothing", None, 404),
    ];
    for (path, session, status) in pages {
        let request = session
            .into_iter()
            .fold(app.get(path), |request, session| request.cookie(session));
        let response = request.send().await;
        assert_eq!(response.status, status, "{path}");
        assert_common(&response, path);
        assert!(
            response.header("content-type").starts_with("text/html"),
            "{path}"
        );
        assert_eq!(response.header("cross-origin-opener-policy"), "same-origin");
        // `no-transform` forbids proxies to rewrite HTML, which would break the page's script.
        assert_eq!(response.header("cache-control"), "no-store, no-transform");
        assert!(response.headers.get("strict-transport-security").is_none());
        let policy = response.header("content-security-policy");
        assert_eq!(
            effective(policy, "object-src", true),
            Some("'none'"),
            "{policy}"
        );
        assert_eq!(
            effective(policy, "base-uri", false),
            Some("'none'"),
            "{policy}"
        );
        assert_eq!(
            effective(policy, "frame-ancestors", false),
            Some("'none'"),
            "{policy}"
        );
        let scripts = effective(policy, "script-src", true).unwrap();
        assert!(
            !scripts.contains("'unsafe-inline'") && !scripts.contains("'unsafe-eval'"),
            "{scripts}"
        );
        let nonce = scripts
            .split('\'')
            .find_map(|source| source.strip_prefix("nonce-"))
            .unwrap();
        assert!(nonce.len() >= 22, "128 bits: {nonce}");
        assert!(nonces.insert(nonce.to_owned()), "a nonce was used twice");
    }
}

#[tokio::test]
async fn p06_other_responses_may_load_nothing() {
    let app = TestApp::start().await;
    for path in [
        "/api/v1/whoami",
        "/api/v1/nothing",
        "/healthz",
        "/readyz",
        "/",
    ] {
        let response = app
            .get(path)
            .header("origin", "https://elsewhere.example")
            .send()
            .await;
        assert_common(&response, path);
        assert_eq!(response.header("cache-control"), "no-store", "{path}");
        assert!(
            response
                .header("content-security-policy")
                .starts_with("default-src 'none'"),
            "{path}"
        );
    }
    let preflight = app
        .request("OPTIONS", "/api/v1/whoami")
        .header("origin", "https://elsewhere.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "x-api-key")
        .send()
        .await;
    assert_eq!(preflight.status, 405);
    assert_common(&preflight, "preflight");
}

/// The host appears in links and in a shell command (RFC 9112, section 3.2).
#[tokio::test]
async fn a_request_names_one_host_or_is_refused() {
    let app = TestApp::start().await;
    for path in ["/sign-in", "/api/v1/whoami", "/healthz", "/favicon.svg"] {
        let none = app.get(path).without_host().send().await;
        assert_eq!(none.status, 400, "{path} without a host");
        let two = app.get(path).header("host", "keys.test").send().await;
        assert_eq!(two.status, 400, "{path} with two hosts");
        for host in [
            "evil.example$(id)",
            "a b",
            "x/path",
            "user@evil",
            "a'b",
            ";curl x|sh;",
            "",
        ] {
            let request = app.get(path).without_host().header("host", host);
            assert_eq!(request.send().await.status, 400, "{path} {host}");
        }
    }
    let api = app.get("/api/v1/whoami").without_host().send().await;
    assert_eq!(api.header("content-type"), "application/problem+json");
    let health = app
        .get("/healthz")
        .without_host()
        .header("host", "[::1]:3000");
    assert_eq!(health.send().await.status, 200);
}

#[tokio::test]
async fn p06_hsts_is_sent_where_the_public_url_is_https() {
    let app = TestApp::start_with(&[("LATCHKEY_PUBLIC_URL", "https://keys.example")]).await;
    for path in ["/sign-in", "/api/v1/whoami", "/healthz"] {
        let response = app.get(path).send().await;
        assert_eq!(
            response.header("strict-transport-security"),
            "max-age=31536000",
            "{path}"
        );
    }
}

#[tokio::test]
async fn p66_html_has_no_transform() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let group = app.group("acme", &["orders:read"]).await;
    let generate = |name: &str| {
        app.post("/tenant-api-keys/new")
            .same_origin()
            .cookie(&session)
            .form(&[
                ("form_id", "01890a5d-ac96-774b-bcce-b302099a8057"),
                ("name", name),
                ("description", ""),
                ("authorization_group_id", &group.id.to_string()),
                ("expires_on", ""),
                ("ip_allowlist", ""),
            ])
    };
    let refused = generate("x").send().await;
    assert_eq!(refused.status, 422);
    let docs = app.get("/api/docs").send().await;
    assert_eq!(docs.status, 200);
    for response in [refused, docs] {
        assert!(response.header("content-type").starts_with("text/html"));
        assert_eq!(response.header("cache-control"), "no-store, no-transform");
    }
}
