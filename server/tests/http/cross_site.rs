//! P18: no other site changes anything in a signed-in person's name.

use serde_json::json;

use super::{
    exchange::Ask,
    world::{ADMIN, PASSWORD, TestApp},
};

type Headers = &'static [(&'static str, &'static str)];

/// What a request brings, and whether it is let through with and without a session cookie.
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

fn with(ask: Ask, headers: Headers) -> Ask {
    headers
        .iter()
        .fold(ask, |ask, (name, value)| ask.header(name, value))
}

#[tokio::test]
async fn p18_a_server_function_is_called_from_our_pages_alone() {
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
        let ask = app
            .post("/api/pages/generate_api_key")
            .cookie(&session)
            .json(&form);
        let answer = with(ask, headers).send().await;
        let made = app.used_keys().await - before;
        let expected = if allowed { (200, 1) } else { (403, 0) };
        assert_eq!(
            (answer.status.as_u16(), made),
            expected,
            "{headers:?}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn p18_a_form_is_sent_from_our_pages_alone() {
    let app = TestApp::start().await.with_admin().await;
    for (headers, allowed, _) in ROWS {
        let session = app.sign_in(ADMIN).await;
        let answer = with(app.post("/sign-out").cookie(&session), headers)
            .send()
            .await;
        assert_eq!(
            answer.status,
            if allowed { 303 } else { 403 },
            "{headers:?}"
        );
        assert_eq!(app.is_signed_in(&session).await, !allowed, "{headers:?}");
    }
}

#[tokio::test]
async fn p18_sign_in_too_so_that_nobody_is_signed_in_as_somebody_else() {
    let app = TestApp::start().await.with_admin().await;
    for (headers, _, allowed) in ROWS {
        let ask = app
            .post("/sign-in")
            .form(&[("email", ADMIN), ("password", PASSWORD)]);
        let answer = with(ask, headers).send().await;
        assert_eq!(
            answer.status,
            if allowed { 303 } else { 403 },
            "{headers:?}"
        );
        assert_eq!(
            answer.headers.contains_key("set-cookie"),
            allowed,
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn p18_other_methods_are_refused_across_sites_and_navigation_is_harmless() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    for method in ["PUT", "DELETE", "PATCH", "FOO"] {
        for path in [
            "/tenant-api-keys",
            "/account",
            "/api/pages/generate_api_key",
        ] {
            let ask = app
                .ask(method, path)
                .cookie(&session)
                .header("sec-fetch-site", "cross-site");
            assert_eq!(ask.send().await.status, 403, "{method} {path}");
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
async fn p18_with_a_public_url_its_origin_alone_is_ours() {
    let app = TestApp::start_with(&[("LATCHKEY_PUBLIC_URL", "https://keys.example")]).await;
    for (origin, allowed) in [
        ("https://keys.example", true),
        // What the proxy calls us, and the same host without TLS.
        ("http://keys.test", false),
        ("https://keys.test", false),
        ("http://keys.example", false),
        ("https://keys.example:8443", false),
    ] {
        let answer = app.post("/sign-out").header("origin", origin).send().await;
        assert_eq!(answer.status, if allowed { 303 } else { 403 }, "{origin}");
    }
}

#[tokio::test]
async fn p18_the_json_api_stands_outside() {
    let app = TestApp::start().await;
    let (app, key) = app.with_key().await;
    let answer = app
        .get("/api/v1/whoami")
        .key(key.secret.expose())
        .header("sec-fetch-site", "cross-site")
        .header("origin", "https://attacker.example")
        .send()
        .await;
    assert_eq!(answer.status, 200);
    let answer = app
        .post("/api/v1/whoami")
        .header("sec-fetch-site", "cross-site")
        .send()
        .await;
    answer.assert_problem(405, "method_not_allowed");
}
