//! `POST /api/v1/whoami/rotate`

use serde_json::json;

use super::test_app::{KeySpec, TestApp, day};

#[tokio::test]
async fn a_key_rotates_itself_and_keeps_everything_else() {
    let app = TestApp::start().await;
    let own = app
        .issue(KeySpec {
            permissions: &["api-keys:rotate-self", "orders:read"],
            expires_on: Some(day(3)),
            allowlist: &["203.0.113.9"],
            ..KeySpec::default()
        })
        .await;
    let response = app
        .post("/api/v1/whoami/rotate")
        .key(own.secret.expose())
        .send()
        .await;
    assert_eq!(response.status, 200, "{}", response.text());
    let key = response.json();
    assert_eq!(key["id"], json!(own.key.id));
    assert_eq!(key["expires_on"], json!(day(3)));
    assert_eq!(key["ip_allowlist"], json!(["203.0.113.9/32"]));
    let old = app
        .get("/api/v1/whoami")
        .key(own.secret.expose())
        .send()
        .await;
    old.assert_problem(401, "invalid_api_key");
    let new = key["secret"].as_str().unwrap();
    assert_eq!(app.get("/api/v1/whoami").key(new).send().await.status, 200);
    let event = &app.audited("acme").await[0];
    assert_eq!(event.action.as_str(), "api_key.rotated");
    assert_eq!(event.actor.id, Some(own.key.id.as_uuid()));
    assert_eq!(event.target.id, Some(own.key.id.as_uuid()));
}
