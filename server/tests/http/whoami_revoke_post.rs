//! `POST /api/v1/whoami/revoke`

use serde_json::json;

use super::test_app::{KeySpec, TestApp, day};

const REVOKE: &str = "/api/v1/whoami/revoke";

#[tokio::test]
async fn a_key_ends_itself_whatever_its_allowlist_and_permissions() {
    let app = TestApp::start().await;
    let own = app
        .issue(KeySpec {
            permissions: &[],
            allowlist: &["198.51.100.7"],
            expires_on: Some(day(3)),
            ..KeySpec::default()
        })
        .await;
    let secret = own.secret.expose();
    app.get("/api/v1/whoami")
        .key(secret)
        .send()
        .await
        .assert_problem(403, "ip_not_allowed");
    let response = app.post(REVOKE).key(secret).json(&json!({})).send().await;
    assert_eq!(response.status, 200, "{}", response.text());
    let key = response.json();
    assert_eq!(key["id"], json!(own.key.id));
    assert_eq!(key["status"], "revoked");
    assert_eq!(key["revoked_by"]["id"], json!(own.key.id));
    assert!(key.get("secret").is_none());
    for path in ["/api/v1/whoami", REVOKE] {
        let method = if path == REVOKE { "POST" } else { "GET" };
        let again = app.request(method, path).key(secret).send().await;
        again.assert_problem(401, "revoked_api_key");
    }
    let event = &app.audited("acme").await[0];
    assert_eq!(event.action.as_str(), "api_key.revoked");
    assert_eq!(event.actor.id, Some(own.key.id.as_uuid()));
    assert_eq!(event.target.id, Some(own.key.id.as_uuid()));
    let revocations = app.audited("acme").await;
    let revocations = revocations
        .iter()
        .filter(|event| event.action.as_str() == "api_key.revoked");
    assert_eq!(revocations.count(), 1, "a refused repeat is no change");
}

#[tokio::test]
async fn a_key_of_a_suspended_tenant_ends_itself() {
    let app = TestApp::start().await;
    let own = app.issue(KeySpec::default()).await;
    let secret = own.secret.expose();
    app.suspend("acme").await;
    let used = app.get("/api/v1/whoami").key(secret).send().await;
    used.assert_problem(403, "tenant_suspended");
    let ended = app.post(REVOKE).key(secret).send().await;
    assert_eq!(ended.status, 200, "{}", ended.text());
    let used = app.get("/api/v1/whoami").key(secret).send().await;
    used.assert_problem(401, "revoked_api_key");
}

#[tokio::test]
async fn a_body_and_parameters_are_refused_before_the_key_is_revoked() {
    let app = TestApp::start().await;
    let own = app.issue(KeySpec::default()).await;
    let secret = own.secret.expose();
    let body = app
        .post(REVOKE)
        .key(secret)
        .json(&json!({ "id": own.key.id }))
        .send()
        .await;
    body.assert_problem(422, "validation_failed");
    let query = app
        .post("/api/v1/whoami/revoke?id=1")
        .key(secret)
        .send()
        .await;
    query.assert_problem(422, "validation_failed");
    assert_eq!(
        app.get("/api/v1/whoami").key(secret).send().await.status,
        200
    );
}
