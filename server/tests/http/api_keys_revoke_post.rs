//! `POST /api/v1/api-keys/{id}/revoke` with a reason, and `POST /api/v1/api-keys/revoke`

use domain::audit::AuditAction;
use serde_json::{Value, json};

use super::{
    request::TestResponse,
    test_app::{KeySpec, TestApp},
};

async fn revoke(app: &TestApp, asking: &str, body: &Value) -> TestResponse {
    app.post("/api/v1/api-keys/revoke")
        .key(asking)
        .json(body)
        .send()
        .await
}

async fn revocations(app: &TestApp, tenant: &str) -> usize {
    let events = app.audited(tenant).await;
    let revoked = events
        .iter()
        .filter(|event| event.action == AuditAction::ApiKeyRevoked);
    revoked.count()
}

#[tokio::test]
async fn a_reason_is_kept_with_who_revoked() {
    let app = TestApp::start().await;
    let asking = app
        .issue(KeySpec {
            permissions: &["api-keys:write", "api-keys:read"],
            name: "Console".to_owned(),
            ..KeySpec::default()
        })
        .await;
    let key = app.issue(KeySpec::default()).await;
    let path = format!("/api/v1/api-keys/{}/revoke", key.key.id);
    for (body, field) in [
        (json!({ "reason": "a".repeat(201) }), "reason"),
        (json!({ "reason": "a\nb" }), "reason"),
        (json!({ "reason": "a\u{202e}b" }), "reason"),
        (json!({ "reason": 7 }), "reason"),
        (json!({ "why": "x" }), "why"),
    ] {
        let response = app
            .post(&path)
            .key(asking.secret.expose())
            .json(&body)
            .send()
            .await;
        let problem = response.assert_problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    assert_eq!(revocations(&app, "acme").await, 0);
    let body = json!({ "reason": " Laptop lost " });
    let response = app
        .post(&path)
        .key(asking.secret.expose())
        .json(&body)
        .send()
        .await;
    assert_eq!(response.status, 200, "{}", response.text());
    let revoked = response.json();
    assert_eq!(revoked["revoked_reason"], "Laptop lost");
    let by = json!({ "type": "api_key", "id": asking.key.id, "name": "Console" });
    assert_eq!(revoked["revoked_by"], by);
    let newest = &app.audited("acme").await[0];
    assert_eq!(newest.changes["revoked_reason"]["after"], "Laptop lost");
    // The list and the key's own resource return the same; another reason changes nothing.
    let body = json!({ "reason": "Another" });
    let again = app
        .post(&path)
        .key(asking.secret.expose())
        .json(&body)
        .send()
        .await
        .json();
    assert_eq!(again["revoked_reason"], "Laptop lost");
    assert_eq!(again["updated_at"], revoked["updated_at"]);
    assert_eq!(revocations(&app, "acme").await, 1);
}

#[tokio::test]
async fn p35_a_repeat_with_or_without_an_empty_body_is_one_request() {
    let app = TestApp::start().await;
    let asking = app.secret(&["api-keys:write"]).await;
    let key = app.issue(KeySpec::default()).await;
    let path = format!("/api/v1/api-keys/{}/revoke", key.key.id);
    let request = || {
        app.post(&path)
            .key(&asking)
            .header("idempotency-key", "one")
    };
    assert_eq!(request().send().await.status, 200);
    let repeated = request().json(&json!({})).send().await;
    assert_eq!(repeated.header("idempotency-replayed"), "true");
    let other = request().json(&json!({ "reason": "x" })).send().await;
    other.assert_problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn several_keys_are_revoked_together_or_none_is() {
    let app = TestApp::start().await;
    app.add_tenant("globex", "Globex").await;
    let asking = app.secret(&["api-keys:write"]).await;
    let (first, second) = (
        app.issue(KeySpec::default()).await,
        app.issue(KeySpec::default()).await,
    );
    let theirs = app
        .issue(KeySpec {
            tenant: "globex",
            ..KeySpec::default()
        })
        .await;
    let before = revocations(&app, "acme").await;
    let too_many: Vec<_> = (0..101).map(|_| uuid::Uuid::now_v7().to_string()).collect();
    for (ids, message) in [
        (
            json!([first.key.id, theirs.key.id]),
            "No API key has the id",
        ),
        (
            json!([first.key.id, uuid::Uuid::now_v7()]),
            "No API key has the id",
        ),
        (json!([first.key.id, "x"]), "Must be an array"),
        (json!([first.key.id, 7]), "Must be an array"),
        (json!([]), "Must be an array"),
        (json!(too_many), "Must be an array"),
        (json!(first.key.id), "Must be an array"),
        (Value::Null, "Must be an array"),
    ] {
        let response = revoke(&app, &asking, &json!({ "ids": ids })).await;
        let problem = response.assert_problem(422, "validation_failed");
        let error = &problem["errors"][0];
        assert_eq!(error["field"], "ids", "{ids}");
        assert!(
            error["message"].as_str().unwrap().starts_with(message),
            "{error}"
        );
    }
    revoke(&app, &asking, &json!({}))
        .await
        .assert_problem(422, "validation_failed");
    assert_eq!(revocations(&app, "acme").await, before);
    assert_eq!(revocations(&app, "globex").await, 0);

    let ids = json!([second.key.id, first.key.id, second.key.id]);
    let body = json!({ "ids": ids, "reason": "Supplier left" });
    let request = || {
        let request = app.post("/api/v1/api-keys/revoke").key(&asking);
        request.header("idempotency-key", "both").json(&body)
    };
    let response = request().send().await;
    assert_eq!(response.status, 200, "{}", response.text());
    let answer = response.json();
    assert!(answer.as_object().unwrap().contains_key("receipt"));
    let items = answer["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["id"], json!(second.key.id));
    for item in items {
        assert_eq!(item["status"], "revoked");
        assert_eq!(item["revoked_reason"], "Supplier left");
    }
    assert_eq!(revocations(&app, "acme").await, before + 2);
    for key in [&first, &second] {
        let refused = app
            .get("/api/v1/whoami")
            .key(key.secret.expose())
            .send()
            .await;
        refused.assert_problem(401, "revoked_api_key");
    }
    let repeated = request().send().await;
    assert_eq!(repeated.header("idempotency-replayed"), "true");
    assert_eq!(repeated.json(), json!({ "items": items }));
    // A key that is revoked already counts as done.
    let again = revoke(&app, &asking, &json!({ "ids": [first.key.id] })).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json()["items"][0]["revoked_reason"], "Supplier left");
    assert_eq!(revocations(&app, "acme").await, before + 2);
}
