//! P35: an `Idempotency-Key` with `POST /api/v1/api-keys` and with changes of a key.

use serde_json::{Value, json};

use super::{
    api_keys_post::{WRITE, create},
    request::TestResponse,
    test_app::TestApp,
};

async fn create_once(app: &TestApp, secret: &str, token: &str, body: &Value) -> TestResponse {
    let request = app.post("/api/v1/api-keys").key(secret);
    request
        .header("idempotency-key", token)
        .json(body)
        .send()
        .await
}

#[tokio::test]
async fn p35_a_repeat_returns_the_same_key_without_its_secret() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let group = app.group("acme", &["orders:read"]).await;
    let body = json!({ "name": "Shop", "authorization_group_id": group.id });
    let first = create_once(&app, &secret, "order 66", &body).await;
    assert_eq!(first.status, 201, "{}", first.text());
    assert!(first.headers.get("idempotency-replayed").is_none());
    let made = first.json();
    let events = app.audited("acme").await;
    let spaced = format!(
        "{{ \"authorization_group_id\" : \"{}\",\n \"name\": \"Shop\" }}",
        group.id
    );
    let repeats = [
        create_once(&app, &secret, "order 66", &body).await,
        app.post("/api/v1/api-keys")
            .key(&secret)
            .header("Idempotency-Key", "order 66")
            .body("application/json", spaced)
            .send()
            .await,
    ];
    for repeat in repeats {
        assert_eq!(repeat.status, 201, "{}", repeat.text());
        assert_eq!(repeat.header("idempotency-replayed"), "true");
        assert_eq!(repeat.header("location"), first.header("location"));
        assert_eq!(repeat.header("etag"), first.header("etag"));
        let mut expected = made.clone();
        expected.as_object_mut().unwrap().remove("secret");
        assert_eq!(repeat.json(), expected);
    }
    assert_eq!(app.audited("acme").await, events);

    let other = json!({ "name": "Other", "authorization_group_id": group.id });
    let reused = create_once(&app, &secret, "order 66", &other).await;
    reused.assert_problem(422, "idempotency_key_reused");
    let invalid = json!({ "name": "x" });
    let reused = create_once(&app, &secret, "order 66", &invalid).await;
    reused.assert_problem(422, "idempotency_key_reused");
    assert_eq!(app.audited("acme").await, events);

    // Idempotency keys are scoped to an API key; without one, every request creates a key.
    let others = app.secret(WRITE).await;
    for response in [
        create_once(&app, &others, "order 66", &body).await,
        create_once(&app, &secret, "order 67", &body).await,
        create(&app, &secret, &body).await,
    ] {
        assert_eq!(response.status, 201);
        assert_ne!(response.json()["id"], made["id"]);
        assert!(response.json()["secret"].is_string());
    }
}

#[tokio::test]
async fn p35_a_failed_request_can_be_repeated_and_no_secret_is_stored() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let group = app.group("acme", &["orders:read"]).await;
    let wrong = json!({ "name": "x", "authorization_group_id": group.id });
    let response = create_once(&app, &secret, "once", &wrong).await;
    response.assert_problem(422, "validation_failed");
    let right = json!({ "name": "Shop", "authorization_group_id": group.id });
    let response = create_once(&app, &secret, "once", &right).await;
    assert_eq!(response.status, 201, "{}", response.text());
    let made = response.json()["secret"].as_str().unwrap().to_owned();
    for file in std::fs::read_dir(app.folder()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let found = bytes
            .windows(made.len())
            .any(|window| window == made.as_bytes());
        assert!(!found, "a secret is in the database");
    }
    let tokens: [&[&str]; 4] = [&[""], &[&"x".repeat(256)], &["a", "a"], &["\u{e9}"]];
    for tokens in tokens {
        let request = app.post("/api/v1/api-keys").key(&secret).json(&right);
        let request = tokens.iter().fold(request, |request, token| {
            request.header("idempotency-key", token)
        });
        let problem = request
            .send()
            .await
            .assert_problem(422, "validation_failed");
        assert_eq!(
            problem["errors"][0]["field"], "Idempotency-Key",
            "{tokens:?}"
        );
    }
}

#[tokio::test]
async fn p35_one_of_many_concurrent_requests_creates_the_key() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let group = app.group("acme", &["orders:read"]).await;
    let body = json!({ "name": "Shop", "authorization_group_id": group.id });
    let used = app.used_keys().await;
    let responses = futures_util::future::join_all(
        (0..12).map(|_| create_once(&app, &secret, "at once", &body)),
    )
    .await;
    let mut with_secret = 0;
    for response in responses {
        match response.status.as_u16() {
            201 if response.headers.contains_key("idempotency-replayed") => {}
            201 => with_secret += 1,
            _ => {
                response.assert_problem(409, "request_in_flight");
            }
        }
    }
    assert_eq!(with_secret, 1);
    assert_eq!(app.used_keys().await, used + 1);
}

#[tokio::test]
async fn p35_edits_rotations_and_revocations_with_an_idempotency_key_are_made_once() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let group = app.group("acme", &["orders:read"]).await;
    let body = json!({ "name": "Shop", "authorization_group_id": group.id });
    let made = create(&app, &secret, &body).await.json();
    let path = format!("/api/v1/api-keys/{}", made["id"].as_str().unwrap());
    let send = async |change: &str, token: &str, body: Option<&Value>| {
        let request = match change {
            "edit" => app.request("PATCH", &path).header("if-match", "\"1\""),
            change => app.post(&format!("{path}/{change}")),
        };
        let request = request.key(&secret).header("idempotency-key", token);
        match body {
            Some(body) => request.json(body).send().await,
            None => request.send().await,
        }
    };
    let edited = json!({ "description": "edited" });
    let changes = [("edit", Some(&edited)), ("rotate", None), ("revoke", None)];
    for (change, body) in changes {
        let first = send(change, change, body).await;
        assert_eq!(first.status, 200, "{}", first.text());
        assert!(first.headers.get("idempotency-replayed").is_none());
        let events = app.audited("acme").await;
        let repeat = send(change, change, body).await;
        assert_eq!(repeat.status, 200, "{}", repeat.text());
        assert_eq!(repeat.header("idempotency-replayed"), "true");
        assert_eq!(repeat.header("etag"), first.header("etag"));
        let mut expected = first.json();
        let members = expected.as_object_mut().unwrap();
        assert_eq!(members.remove("secret").is_some(), change == "rotate");
        members.remove("receipt");
        assert_eq!(repeat.json(), expected);
        assert_eq!(app.audited("acme").await, events, "{change}");
    }
    // A repeat is recognised even if the change would be refused now.
    for (change, body) in changes {
        let repeat = send(change, change, body).await;
        assert_eq!(repeat.status, 200, "{}", repeat.text());
        assert_eq!(repeat.json()["status"], "revoked");
    }
    // An idempotency key cannot be reused for another change or another body.
    let other = json!({ "description": "another" });
    let date = json!({ "expires_on": null });
    for (change, token, body) in [
        ("edit", "edit", Some(&other)),
        ("rotate", "rotate", Some(&date)),
        ("revoke", "rotate", None),
        ("rotate", "revoke", None),
    ] {
        let reused = send(change, token, body).await;
        reused.assert_problem(422, "idempotency_key_reused");
    }
    send("rotate", "another", None)
        .await
        .assert_problem(409, "key_revoked");
}
