//! `POST /api/v1/verify`

use serde_json::{Value, json};

use super::{
    request::TestResponse,
    test_app::{KeySpec, TestApp, day},
};

async fn verify(app: &TestApp, asking: &str, body: &Value) -> TestResponse {
    let request = app.post("/api/v1/verify").key(asking);
    request.json(body).send().await
}

async fn verdict(app: &TestApp, asking: &str, body: &Value) -> Value {
    let response = verify(app, asking, body).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

#[tokio::test]
async fn reports_the_state_of_each_key_of_the_tenant() {
    let app = TestApp::start().await;
    app.add_tenant("globex", "Globex").await;
    let asking = app.secret(&["api-keys:verify"]).await;
    let good = app.issue(KeySpec::default()).await;
    let listed = app
        .issue(KeySpec {
            allowlist: &["198.51.100.0/24"],
            ..KeySpec::default()
        })
        .await;
    let expired = app
        .issue(KeySpec {
            expires_on: Some(day(-1)),
            ..KeySpec::default()
        })
        .await;
    let revoked = app.issue(KeySpec::default()).await;
    app.revoke("acme", &revoked).await;
    let response = verdict(&app, &asking, &json!({ "secret": good.secret })).await;
    assert_eq!(response["valid"], true);
    assert_eq!(response["key"]["id"], json!(good.key.id));
    assert_eq!(
        response["permissions"],
        json!(["api-keys:read", "orders:read"])
    );
    assert_eq!(response.as_object().unwrap().len(), 3);
    let cases = [
        (
            json!({ "secret": listed.secret, "ip": "198.51.100.7" }),
            None,
        ),
        (
            json!({ "secret": listed.secret, "ip": "::ffff:198.51.100.7" }),
            None,
        ),
        (
            json!({ "secret": listed.secret, "ip": "192.0.2.1" }),
            Some("ip_not_allowed"),
        ),
        (json!({ "secret": listed.secret }), Some("ip_not_allowed")),
        (
            json!({ "secret": listed.secret, "ip": null }),
            Some("ip_not_allowed"),
        ),
        (
            json!({ "secret": good.secret, "permission": "orders:read" }),
            None,
        ),
        (
            json!({ "secret": good.secret, "permission": "orders:write" }),
            Some("missing_permission"),
        ),
        (json!({ "secret": expired.secret }), Some("expired_api_key")),
        (json!({ "secret": revoked.secret }), Some("revoked_api_key")),
        (json!({ "secret": "lk_none" }), Some("invalid_api_key")),
        (json!({ "secret": "" }), Some("invalid_api_key")),
    ];
    for (body, code) in cases {
        let response = verdict(&app, &asking, &body).await;
        match code {
            None => assert_eq!(response["valid"], true, "{body}"),
            Some(code) => assert_eq!(response, json!({ "valid": false, "code": code }), "{body}"),
        }
    }
}

#[tokio::test]
async fn p26_keys_of_another_tenant_are_unknown_in_every_state() {
    let app = TestApp::start().await;
    app.add_tenant("globex", "Globex").await;
    let asking = app.secret(&["api-keys:verify"]).await;
    let theirs = KeySpec {
        tenant: "globex",
        ..KeySpec::default()
    };
    let good = app.issue(theirs.clone()).await;
    let expired = app
        .issue(KeySpec {
            expires_on: Some(day(-1)),
            ..theirs.clone()
        })
        .await;
    let revoked = app.issue(theirs).await;
    app.revoke("globex", &revoked).await;
    for key in [&good, &expired, &revoked] {
        let response = verdict(&app, &asking, &json!({ "secret": key.secret })).await;
        assert_eq!(
            response,
            json!({ "valid": false, "code": "invalid_api_key" })
        );
    }
}

#[tokio::test]
async fn a_valid_result_counts_as_use_from_the_given_address() {
    let app = TestApp::start().await;
    let asking = app.secret(&["api-keys:verify", "api-keys:read"]).await;
    let key = app.issue(KeySpec::default()).await;
    let path = format!("/api/v1/api-keys/{}", key.key.id);
    verdict(
        &app,
        &asking,
        &json!({ "secret": key.secret, "permission": "x:y" }),
    )
    .await;
    app.flush_usage().await;
    let read = app.get(&path).key(&asking).send().await.json();
    assert_eq!(read["last_used_at"], Value::Null);
    verdict(
        &app,
        &asking,
        &json!({ "secret": key.secret, "ip": "192.0.2.7" }),
    )
    .await;
    app.flush_usage().await;
    let read = app.get(&path).key(&asking).send().await.json();
    assert_eq!(read["last_used_ip"], "192.0.2.7");
}

#[tokio::test]
async fn invalid_fields_are_reported_and_the_secret_is_not_echoed() {
    let app = TestApp::start().await;
    let asking = app.secret(&["api-keys:verify"]).await;
    let key = app.issue(KeySpec::default()).await;
    let body = json!({ "secret": [key.secret], "ip": "10.0.0.0/8", "permission": "x", "key": 1 });
    let response = verify(&app, &asking, &body).await;
    let problem = response.assert_problem(422, "validation_failed");
    let fields: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["secret", "ip", "permission", "key"]);
    assert!(!response.text().contains(key.secret.expose()));
    verify(&app, &asking, &json!({}))
        .await
        .assert_problem(422, "validation_failed");
}
