//! `GET /api/v1/whoami`

use serde_json::json;

use super::test_app::{KeySpec, TestApp, day};

#[tokio::test]
async fn returns_the_key_and_the_client_address() {
    let app = TestApp::start().await;
    let key = app
        .issue(KeySpec {
            allowlist: &["203.0.113.0/24", "2001:db8::/32"],
            expires_on: Some(day(400)),
            ..KeySpec::default()
        })
        .await;
    let response = app
        .get("/api/v1/whoami")
        .key(key.secret.expose())
        .send()
        .await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("cache-control"), "no-store");
    let body = response.json();
    let object = body.as_object().unwrap();
    let names: Vec<_> = object.keys().map(String::as_str).collect();
    let mut expected = vec![
        "id",
        "name",
        "description",
        "hint",
        "status",
        "expiration",
        "expires_on",
        "authorization_group",
        "ip_allowlist",
        "created_at",
        "created_by",
        "updated_at",
        "rotated_at",
        "revoked_at",
        "revoked_by",
        "revoked_reason",
        "outside_policy",
        "last_used_at",
        "last_used_ip",
        "tenant",
        "permissions",
        "client_ip",
    ];
    expected.sort_unstable();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!(body["name"], "ERP");
    assert_eq!(body["hint"], key.secret.hint());
    assert_eq!(body["expires_on"], day(400).to_string());
    assert_eq!(
        body["ip_allowlist"],
        json!(["203.0.113.0/24", "2001:db8::/32"])
    );
    assert_eq!(body["permissions"], json!(["api-keys:read", "orders:read"]));
    assert_eq!(body["tenant"]["slug"], "acme");
    assert_eq!(body["tenant"]["name"], "Acme");
    assert_eq!(body["client_ip"], "203.0.113.9");
    assert!(!response.text().contains(key.secret.expose()));
}

#[tokio::test]
async fn p01_without_a_key_nothing_is_revealed() {
    let app = TestApp::start().await;
    let response = app.get("/api/v1/whoami").send().await;
    response.assert_problem(401, "missing_api_key");
}

#[tokio::test]
async fn p07_a_key_outside_its_header_is_ignored() {
    let (app, key) = TestApp::start().await.with_key().await;
    let secret = key.secret.expose();
    let in_query = app.get(&format!(
        "/api/v1/whoami?api_key={secret}&X-API-Key={secret}"
    ));
    let in_cookie = app
        .get("/api/v1/whoami")
        .cookie(&format!("X-API-Key={secret}; api_key={secret}"));
    let in_body = app
        .get("/api/v1/whoami")
        .form(&[("api_key", secret), ("X-API-Key", secret)]);
    let basic = app
        .get("/api/v1/whoami")
        .header("authorization", format!("Basic {secret}"));
    let bearer = app
        .get("/api/v1/whoami")
        .header("authorization", format!("Bearer {secret}"));
    for request in [in_query, in_cookie, in_body, basic, bearer] {
        let response = request.send().await;
        response.assert_problem(401, "missing_api_key");
        assert!(!response.text().contains(secret));
    }
    assert_eq!(
        app.get("/api/v1/whoami").key(secret).send().await.status,
        200
    );
}

#[tokio::test]
async fn p19_a_session_cookie_does_not_replace_a_key_and_has_no_effect_beside_one() {
    let (app, key) = TestApp::start().await.with_admin().await.with_key().await;
    let session = app.sign_in(super::test_app::ADMIN).await;
    let response = app.get("/api/v1/whoami").cookie(&session).send().await;
    response.assert_problem(401, "missing_api_key");
    let alone = app
        .get("/api/v1/whoami")
        .key(key.secret.expose())
        .send()
        .await;
    let beside = app
        .get("/api/v1/whoami")
        .key(key.secret.expose())
        .cookie(&session)
        .header("sec-fetch-site", "cross-site")
        .send()
        .await;
    assert_eq!(beside.status, 200);
    assert_eq!(beside.json()["id"], alone.json()["id"]);
}

#[tokio::test]
async fn p59_the_header_name_is_read_in_any_case_and_head_has_the_same_headers_without_a_body() {
    let (app, key) = TestApp::start().await.with_key().await;
    let secret = key.secret.expose();
    // Read from the list, because whoami reports the previous use.
    let get = app
        .get("/api/v1/api-keys")
        .header("X-Api-KEY", secret)
        .send()
        .await;
    let head = app
        .request("HEAD", "/api/v1/api-keys")
        .key(secret)
        .send()
        .await;
    assert_eq!((get.status.as_u16(), head.status.as_u16()), (200, 200));
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-type"), get.header("content-type"));
    assert_eq!(head.header("content-length"), get.body.len().to_string());
}
