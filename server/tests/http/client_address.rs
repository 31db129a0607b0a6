//! P38: the client address from `X-Forwarded-For`.

use serde_json::Value;

use super::test_app::{KeySpec, TestApp};

const HEADERS: [&str; 6] = [
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
    "x-client-ip",
];

#[tokio::test]
async fn p38_without_trusted_proxies_no_header_has_an_effect() {
    let app = TestApp::start().await;
    let key = app
        .issue(KeySpec {
            allowlist: &["198.51.100.1"],
            ..KeySpec::default()
        })
        .await;
    for name in HEADERS {
        let value = if name == "forwarded" {
            "for=198.51.100.1"
        } else {
            "198.51.100.1"
        };
        let response = app
            .get("/api/v1/whoami")
            .header(name, value)
            .key(key.secret.expose())
            .send()
            .await;
        response.assert_problem(403, "ip_not_allowed");
    }
    let response = app
        .get("/api/v1/whoami")
        .from("198.51.100.1")
        .key(key.secret.expose())
        .send()
        .await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn p38_with_trusted_proxies_the_right_most_untrusted_address_is_the_client() {
    let app = TestApp::start_with(&[("LATCHKEY_TRUSTED_PROXIES", "10.0.0.0/8")]).await;
    let (app, key) = app.with_key().await;
    let cases: [(&[&str], Value); 9] = [
        (&["198.51.100.1"], "198.51.100.1".into()),
        (&["192.0.2.66, 198.51.100.1"], "198.51.100.1".into()),
        (
            &["192.0.2.66", "198.51.100.1, 10.0.0.2"],
            "198.51.100.1".into(),
        ),
        (
            &["198.51.100.1", "10.0.0.3", "10.0.0.2"],
            "198.51.100.1".into(),
        ),
        (&["198.51.100.1:4711"], "198.51.100.1".into()),
        (&[], Value::Null),
        (&["10.0.0.9"], Value::Null),
        (&["198.51.100.1, unknown"], Value::Null),
        (&["198.51.100.1, _hidden, 10.0.0.2"], Value::Null),
    ];
    for (lines, expected) in cases {
        let mut request = app
            .get("/api/v1/whoami")
            .from("10.0.0.1")
            .key(key.secret.expose());
        for line in lines {
            request = request.header("x-forwarded-for", line);
        }
        let response = request.send().await;
        assert_eq!(response.json()["client_ip"], expected, "{lines:?}");
    }
}

#[tokio::test]
async fn p38_an_unknown_client_passes_without_an_allowlist_and_never_with_one() {
    let app = TestApp::start_with(&[("LATCHKEY_TRUSTED_PROXIES", "10.0.0.0/8")]).await;
    let open = app.issue(KeySpec::default()).await;
    let listed = app
        .issue(KeySpec {
            // The addresses of the proxy and of every client, none of which is the client's.
            allowlist: &["10.0.0.0/8", "0.0.0.0/0", "::/0"],
            ..KeySpec::default()
        })
        .await;
    for forwarded_for in ["", "10.0.0.9", "nonsense"] {
        let request = || {
            app.get("/api/v1/whoami")
                .from("10.0.0.1")
                .header("x-forwarded-for", forwarded_for)
        };
        assert_eq!(request().key(open.secret.expose()).send().await.status, 200);
        let response = request().key(listed.secret.expose()).send().await;
        response.assert_problem(403, "ip_not_allowed");
    }
}

#[tokio::test]
async fn p38_audit_and_allowlist_see_the_same_address() {
    let app = TestApp::start_with(&[("LATCHKEY_TRUSTED_PROXIES", "10.0.0.0/8")])
        .await
        .with_admin()
        .await;
    let response = app
        .post("/sign-in")
        .from("10.0.0.1")
        .header("x-forwarded-for", "192.0.2.66, ::ffff:198.51.100.1")
        .form(&[
            ("email", super::test_app::ADMIN),
            ("password", super::test_app::PASSWORD),
        ])
        .send()
        .await;
    assert_eq!(response.status, 303);
    let cli = app.store.as_cli();
    let scope = app.store.tenants(&cli).scope("acme").await.unwrap();
    let events = app.store.audit(&scope).newest(10).await.unwrap();
    let events = serde_json::to_value(&events).unwrap();
    let sign_in = (events.as_array().unwrap().iter())
        .find(|event| event["actor"]["type"] == "user")
        .unwrap_or_else(|| panic!("{events}"));
    assert_eq!(sign_in["client_ip"], "198.51.100.1", "{events}");
}
