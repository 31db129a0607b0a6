//! `POST /api/v1/api-keys`

use serde_json::{Value, json};

use super::{
    request::TestResponse,
    test_app::{KeySpec, TestApp, day},
};

const WRITE: &[&str] = &["api-keys:read", "api-keys:write", "orders:read"];

async fn create(app: &TestApp, secret: &str, body: &Value) -> TestResponse {
    app.post("/api/v1/api-keys")
        .key(secret)
        .json(body)
        .send()
        .await
}

/// The errors of a refusal as `field: message`.
fn errors(response: &TestResponse) -> Vec<String> {
    let problem = response.assert_problem(422, "validation_failed");
    problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            format!(
                "{}: {}",
                error["field"].as_str().unwrap(),
                error["message"].as_str().unwrap()
            )
        })
        .collect()
}

#[tokio::test]
async fn creates_a_key_whose_secret_works_and_is_shown_once() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let group = app.group("acme", &["orders:read"]).await;
    let response = create(
        &app,
        &secret,
        &json!({
            "name": "  Shop ",
            "description": "Orders of the shop",
            "authorization_group_id": group.id,
            "expires_on": day(30),
            "ip_allowlist": ["203.0.113.7", "10.1.2.3/8", "2001:DB8::/32", "::ffff:10.0.0.0/104"],
        }),
    )
    .await;
    assert_eq!(response.status, 201, "{}", response.text());
    let key = response.json();
    let id = key["id"].as_str().unwrap();
    assert_eq!(
        response.header("location"),
        format!("/api/v1/api-keys/{id}")
    );
    assert_eq!(response.header("cache-control"), "no-store");
    assert_eq!(key["name"], "Shop");
    assert_eq!(key["expires_on"], day(30).to_string());
    assert_eq!(
        key["ip_allowlist"],
        json!(["203.0.113.7/32", "10.0.0.0/8", "2001:db8::/32"])
    );
    assert_eq!(key["created_by"]["type"], "api_key");
    let made = key["secret"].as_str().unwrap();
    let works = app
        .get("/api/v1/whoami")
        .from("203.0.113.7")
        .key(made)
        .send()
        .await;
    assert_eq!(works.status, 200);
    let read = app
        .get(response.header("location"))
        .key(&secret)
        .send()
        .await;
    assert_eq!(read.header("etag"), response.header("etag"));
    assert!(!read.text().contains(made));
    let trail = serde_json::to_string(&app.audited("acme").await).unwrap();
    assert!(trail.contains(id) && !trail.contains(made));
}

#[tokio::test]
async fn absent_and_null_fields_are_the_defaults() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let group = app.group("acme", &["orders:read"]).await;
    let response = create(
        &app,
        &secret,
        &json!({ "name": "Shop", "authorization_group_id": group.id, "expires_on": null }),
    )
    .await;
    assert_eq!(response.status, 201, "{}", response.text());
    let key = response.json();
    assert_eq!(
        (
            &key["description"],
            &key["expires_on"],
            &key["ip_allowlist"]
        ),
        (&json!(""), &Value::Null, &json!([]))
    );
}

#[tokio::test]
async fn all_invalid_fields_are_reported_together_and_invalid_lines_by_number() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let response = create(
        &app,
        &secret,
        &json!({
            "name": "x",
            "description": "d".repeat(1_001),
            "authorization_group_id": "01890a5d-ac96-774b-bcce-b302099a8057",
            "expires_on": day(0),
            "ip_allowlist": ["10.0.0.0/8", "10.0.0.0/33", "", 7, "010.0.0.1", null],
            "surplus": 1,
        }),
    )
    .await;
    assert_eq!(
        errors(&response),
        [
            "name: Must be 2–200 characters",
            "description: Must be at most 1,000 characters",
            "authorization_group_id: Choose an authorization group",
            "expires_on: Must be a future date",
            "ip_allowlist: Line 2: '10.0.0.0/33' is not an IP address or CIDR range",
            "ip_allowlist: Line 4: '7' is not an IP address or CIDR range",
            "ip_allowlist: Line 5: '010.0.0.1' is not an IP address or CIDR range",
            "ip_allowlist: Line 6: 'null' is not an IP address or CIDR range",
            "surplus: Is not a field of this body",
        ]
    );
    assert_eq!(
        errors(&create(&app, &secret, &json!({})).await),
        [
            "name: Must be 2–200 characters",
            "authorization_group_id: Choose an authorization group",
        ]
    );
    let wrong_types = json!({
        "name": 7, "description": null, "authorization_group_id": [], "expires_on": 20310101,
        "ip_allowlist": "10.0.0.0/8",
    });
    assert_eq!(
        errors(&create(&app, &secret, &wrong_types).await),
        [
            "name: Must be a string",
            "description: Must be a string",
            "authorization_group_id: Must be a string",
            "expires_on: Must be a date, like 2030-12-31",
            "ip_allowlist: Must be an array of strings",
        ]
    );
    for not_an_object in [json!([]), json!("name"), json!(null), json!(7)] {
        let response = create(&app, &secret, &not_an_object).await;
        assert_eq!(errors(&response)[0], "body: Must be an object");
    }
}

#[tokio::test]
async fn p41_c17_only_future_dates_are_accepted_and_others_have_a_message() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let group = app.group("acme", &["orders:read"]).await;
    let with = |date: Value| json!({ "name": "Shop", "authorization_group_id": group.id, "expires_on": date });
    for date in [day(0), day(-1)] {
        let response = create(&app, &secret, &with(json!(date))).await;
        assert_eq!(errors(&response), ["expires_on: Must be a future date"]);
    }
    let refused = [
        json!("2031-02-30"),
        json!("31.12.2030"),
        json!("2027-02-29"),
        json!(format!("{}T00:00:00Z", day(9))),
        json!("10000-01-01"),
        json!(20310101),
        json!(""),
        json!(" 2031-01-01"),
    ];
    for date in refused {
        let response = create(&app, &secret, &with(date.clone())).await;
        assert_eq!(
            errors(&response),
            ["expires_on: Must be a date, like 2030-12-31"],
            "{date}"
        );
    }
    for date in [day(1), day(365)] {
        let response = create(&app, &secret, &with(json!(date))).await;
        assert_eq!(response.status, 201, "{date}");
    }
}

#[tokio::test]
async fn p33_a_reached_limit_is_a_conflict_with_its_number() {
    let app = TestApp::start_with(&[]).await;
    let secret = app.secret(WRITE).await;
    let group = app.group("acme", &["orders:read"]).await;
    let cli = app.store.as_cli();
    let tenants = app.store.tenants(&cli);
    tenants
        .set_limit("acme", 2, server::clock::now())
        .await
        .unwrap();
    let body = json!({ "name": "Shop", "authorization_group_id": group.id });
    assert_eq!(create(&app, &secret, &body).await.status, 201);
    let problem = create(&app, &secret, &body)
        .await
        .assert_problem(409, "key_limit_reached");
    assert_eq!(
        problem["detail"],
        "The tenant's limit is 2. Revoke a key, or ask the operator for a higher limit."
    );
    assert_eq!(app.used_keys().await, 2);
}

#[tokio::test]
async fn p23_read_only_fields_are_refused_and_change_nothing() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let group = app.group("acme", &["orders:read"]).await;
    let target = app.issue(KeySpec::default()).await;
    let target_path = format!("/api/v1/api-keys/{}", target.key.id);
    let before = app.audited("acme").await;
    for field in [
        "tenant_id",
        "role",
        "created_by",
        "secret",
        "hash",
        "revoked_at",
        "last_used_at",
        "id",
        "version",
        "status",
        "hint",
        "user_id",
    ] {
        let mut body = json!({ "name": "Shop", "authorization_group_id": group.id });
        body[field] = json!("01890a5d-ac96-774b-bcce-b302099a8057");
        let expected = [format!("{field}: Is not a field of this body")];
        assert_eq!(errors(&create(&app, &secret, &body).await), expected);
        let edited = app
            .request("PATCH", &target_path)
            .key(&secret)
            .json(&body)
            .send()
            .await;
        assert_eq!(errors(&edited), expected);
    }
    let edit = json!({ "name": "Shop", "expires_on": day(9) });
    let edited = app
        .request("PATCH", &target_path)
        .key(&secret)
        .json(&edit)
        .send()
        .await;
    assert_eq!(errors(&edited), ["expires_on: Is not a field of this body"]);
    assert_eq!(app.audited("acme").await, before);
}

#[tokio::test]
async fn p27_a_group_of_another_tenant_is_not_found() {
    let app = TestApp::start().await;
    app.add_tenant("globex", "Globex").await;
    let secret = app.secret(WRITE).await;
    let theirs = app.group("globex", &["orders:read"]).await;
    let target = app.issue(KeySpec::default()).await;
    let before = (app.audited("acme").await, app.audited("globex").await);
    let mut seen = Vec::new();
    for group in [
        json!(theirs.id),
        json!("01890a5d-ac96-774b-bcce-b302099a8057"),
        json!("not an identifier"),
    ] {
        let body = json!({ "name": "Shop", "authorization_group_id": group });
        seen.push(errors(&create(&app, &secret, &body).await));
        let edited = app
            .request("PATCH", &format!("/api/v1/api-keys/{}", target.key.id))
            .key(&secret)
            .json(&json!({ "authorization_group_id": group }))
            .send()
            .await;
        seen.push(errors(&edited));
    }
    for one in &seen {
        assert_eq!(
            one,
            &["authorization_group_id: Choose an authorization group"]
        );
    }
    let after = (app.audited("acme").await, app.audited("globex").await);
    assert_eq!(before, after);
}

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
    let trail = app.audited("acme").await;
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
    assert_eq!(app.audited("acme").await, trail);

    let other = json!({ "name": "Other", "authorization_group_id": group.id });
    let reused = create_once(&app, &secret, "order 66", &other).await;
    reused.assert_problem(422, "idempotency_key_reused");
    let invalid = json!({ "name": "x" });
    let reused = create_once(&app, &secret, "order 66", &invalid).await;
    reused.assert_problem(422, "idempotency_key_reused");
    assert_eq!(app.audited("acme").await, trail);

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
        let trail = app.audited("acme").await;
        let repeat = send(change, change, body).await;
        assert_eq!(repeat.status, 200, "{}", repeat.text());
        assert_eq!(repeat.header("idempotency-replayed"), "true");
        assert_eq!(repeat.header("etag"), first.header("etag"));
        let mut expected = first.json();
        let members = expected.as_object_mut().unwrap();
        assert_eq!(members.remove("secret").is_some(), change == "rotate");
        members.remove("receipt");
        assert_eq!(repeat.json(), expected);
        assert_eq!(app.audited("acme").await, trail, "{change}");
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
