//! `POST /api/v1/api-keys`

use serde_json::{Value, json};

use super::{
    request::TestResponse,
    test_app::{KeySpec, TestApp, day},
};

pub(super) const WRITE: &[&str] = &["api-keys:read", "api-keys:write", "orders:read"];

pub(super) async fn create(app: &TestApp, secret: &str, body: &Value) -> TestResponse {
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
    let events = serde_json::to_string(&app.audited("acme").await).unwrap();
    assert!(events.contains(id) && !events.contains(made));
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
