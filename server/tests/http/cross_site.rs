//! P18: another site cannot make changes with a user's session.

use serde_json::json;

use super::{
    request::TestRequest,
    test_app::{ADMIN, PASSWORD, TestApp},
};

type Headers = &'static [(&'static str, &'static str)];

/// The headers of a request, and whether it is accepted with and without a session cookie.
const ROWS: [(Headers, bool, bool); 16] = [
    (&[("sec-fetch-site", "same-origin")], true, true),
    (&[("sec-fetch-site", "none")], true, true),
    (&[("sec-fetch-site", "cross-site")], false, false),
    (&[("sec-fetch-site", "same-site")], false, false),
    (&[("sec-fetch-site", "SAME-ORIGIN")], false, false),
    (&[("sec-fetch-site", "")], false, false),
    (
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://keys.test"),
        ],
        false,
        false,
    ),
    (
        &[
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site"),
        ],
        false,
        false,
    ),
    (&[], false, true),
    (&[("origin", "http://keys.test")], true, true),
    (&[("origin", "https://keys.test")], true, true),
    (&[("origin", "http://attacker.example")], false, false),
    (
        &[("origin", "http://keys.test.attacker.example")],
        false,
        false,
    ),
    (&[("origin", "http://keys.test:8080")], false, false),
    (&[("origin", "null")], false, false),
    (
        &[
            ("origin", "http://keys.test"),
            ("origin", "http://attacker.example"),
        ],
        false,
        false,
    ),
];

fn with(request: TestRequest, headers: Headers) -> TestRequest {
    headers.iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    })
}

#[tokio::test]
async fn p18_a_server_function_accepts_only_same_origin_requests() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let group = app.group("acme", &["orders:read"]).await;
    let form = json!({
        "tenant": null,
        "form": {
            "name": "ERP", "description": "", "authorization_group_id": group.id,
            "expires_on": "", "ip_allowlist": "",
        },
    });
    for (headers, allowed, _) in ROWS {
        let before = app.used_keys().await;
        let request = app
            .post("/api/pages/generate_api_key")
            .cookie(&session)
            .json(&form);
        let response = with(request, headers).send().await;
        let made = app.used_keys().await - before;
        let expected = if allowed { (200, 1) } else { (403, 0) };
        assert_eq!(
            (response.status.as_u16(), made),
            expected,
            "{headers:?}: {}",
            response.text()
        );
    }
}

#[tokio::test]
async fn p18_a_form_accepts_only_same_origin_requests() {
    let app = TestApp::start().await.with_admin().await;
    for (headers, allowed, _) in ROWS {
        let session = app.sign_in(ADMIN).await;
        let response = with(app.post("/sign-out").cookie(&session), headers)
            .send()
            .await;
        assert_eq!(
            response.status,
            if allowed { 303 } else { 403 },
            "{headers:?}"
        );
        assert_eq!(app.is_signed_in(&session).await, !allowed, "{headers:?}");
    }
}

#[tokio::test]
async fn p18_sign_in_accepts_only_same_origin_requests() {
    let app = TestApp::start().await.with_admin().await;
    for (headers, _, allowed) in ROWS {
        let request = app
            .post("/sign-in")
            .form(&[("email", ADMIN), ("password", PASSWORD)]);
        let response = with(request, headers).send().await;
        assert_eq!(
            response.status,
            if allowed { 303 } else { 403 },
            "{headers:?}"
        );
        assert_eq!(
            response.headers.contains_key("set-cookie"),
            allowed,
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn p18_cross_site_changes_are_refused_and_navigation_is_allowed() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    for method in ["PUT", "DELETE", "PATCH", "FOO"] {
        for path in [
            "/tenant-api-keys",
            "/account",
            "/api/pages/generate_api_key",
        ] {
            let request = app
                .request(method, path)
                .cookie(&session)
                .header("sec-fetch-site", "cross-site");
            assert_eq!(request.send().await.status, 403, "{method} {path}");
        }
    }
    let link = app
        .get("/tenant-api-keys")
        .cookie(&session)
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "navigate");
    assert_eq!(link.send().await.status, 200);
    for path in ["/sign-out", "/api/pages/generate_api_key"] {
        let link = app
            .get(path)
            .cookie(&session)
            .header("sec-fetch-site", "cross-site");
        assert_eq!(link.send().await.status, 405, "{path}");
    }
    assert!(app.is_signed_in(&session).await);
}

#[tokio::test]
async fn p18_with_a_public_url_only_its_origin_is_accepted() {
    let app = TestApp::start_with(&[("LATCHKEY_PUBLIC_URL", "https://keys.example")]).await;
    for (origin, allowed) in [
        ("https://keys.example", true),
        // The host name of the proxy, and the same host without TLS
        ("http://keys.test", false),
        ("https://keys.test", false),
        ("http://keys.example", false),
        ("https://keys.example:8443", false),
    ] {
        let response = app.post("/sign-out").header("origin", origin).send().await;
        assert_eq!(response.status, if allowed { 303 } else { 403 }, "{origin}");
    }
}

#[tokio::test]
async fn p18_the_json_api_accepts_cross_site_requests() {
    let app = TestApp::start().await;
    let (app, key) = app.with_key().await;
    let response = app
        .get("/api/v1/whoami")
        .key(key.secret.expose())
        .header("sec-fetch-site", "cross-site")
        .header("origin", "https://attacker.example")
        .send()
        .await;
    assert_eq!(response.status, 200);
    let response = app
        .post("/api/v1/whoami")
        .header("sec-fetch-site", "cross-site")
        .send()
        .await;
    response.assert_problem(405, "method_not_allowed");
}
