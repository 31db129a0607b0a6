//! `/api/v1/security-policy`, and its effect on the other routes.

use serde_json::{Value, json};

use super::{
    request::TestResponse,
    test_app::{KeySpec, TestApp, day},
};

const PATH: &str = "/api/v1/security-policy";
const WRITE: &[&str] = &["security-policy:read", "security-policy:write"];

async fn read(app: &TestApp, secret: &str) -> TestResponse {
    let response = app.get(PATH).key(secret).send().await;
    assert_eq!(response.status, 200, "{}", response.text());
    response
}

async fn patch(app: &TestApp, secret: &str, body: &Value) -> TestResponse {
    let request = app.request("PATCH", PATH).from("192.0.2.7").key(secret);
    request.json(body).send().await
}

/// Changes the policy and returns it with the members of the response.
async fn set(app: &TestApp, secret: &str, body: &Value) -> Value {
    let response = patch(app, secret, body).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

#[tokio::test]
async fn a_change_keeps_absent_fields_and_null_removes_a_limit() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let empty = read(&app, &secret).await;
    assert_eq!(
        empty.json(),
        json!({
            "expiration_required": false, "max_lifetime_days": null, "default_lifetime_days": null,
            "ip_allowlist": [], "second_factor_required": false,
        })
    );
    assert_eq!(empty.header("etag"), "\"1\"");
    let body = json!({
        "max_lifetime_days": 180, "default_lifetime_days": 90,
        "ip_allowlist": ["192.0.2.9/24", "2001:DB8::/32"],
    });
    let response = patch(&app, &secret, &body).await;
    assert_eq!(response.header("etag"), "\"2\"");
    let changed = response.json();
    assert_eq!(
        changed["ip_allowlist"],
        json!(["192.0.2.0/24", "2001:db8::/32"])
    );
    assert_eq!(changed["admits_client"], json!(true));
    assert!(changed.as_object().unwrap().contains_key("receipt"));
    let changed = set(&app, &secret, &json!({ "expiration_required": true })).await;
    assert_eq!(changed["max_lifetime_days"], 180);
    let body = json!({ "max_lifetime_days": null, "second_factor_required": true });
    let changed = set(&app, &secret, &body).await;
    assert_eq!(changed["max_lifetime_days"], Value::Null);
    assert_eq!(changed["default_lifetime_days"], 90);
    assert_eq!(changed["second_factor_required"], true);
    let same = patch(&app, &secret, &json!({})).await;
    assert_eq!(same.header("etag"), "\"4\"");
    let actions = app.audited("acme").await;
    let changes =
        (actions.iter()).filter(|event| event.action.as_str() == "security_policy.changed");
    assert_eq!(changes.count(), 3);
}

#[tokio::test]
async fn every_invalid_field_is_reported_at_once() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let body = json!({
        "expiration_required": "yes", "max_lifetime_days": 0, "default_lifetime_days": "30",
        "ip_allowlist": ["10.0.0.0/8", "10.0.0.0/33", "host"], "second_factor_required": null,
        "max_lifetime": 3,
    });
    let problem = patch(&app, &secret, &body).await;
    let problem = problem.assert_problem(422, "validation_failed");
    let errors: Vec<_> = (problem["errors"].as_array().unwrap().iter())
        .map(|error| {
            (
                error["field"].as_str().unwrap(),
                error["message"].as_str().unwrap(),
            )
        })
        .collect();
    let number = "Must be a whole number from 1 to 3,650";
    assert_eq!(
        errors,
        [
            ("expiration_required", "Must be true or false"),
            ("max_lifetime_days", number),
            ("default_lifetime_days", number),
            (
                "ip_allowlist",
                "Line 2: '10.0.0.0/33' is not an IP address or CIDR range"
            ),
            (
                "ip_allowlist",
                "Line 3: 'host' is not an IP address or CIDR range"
            ),
            ("second_factor_required", "Must be true or false"),
            ("max_lifetime", "Is not a field of this body"),
        ]
    );
    for days in [
        json!(3_651),
        json!(-1),
        json!(1.5),
        json!(90.0),
        json!(true),
    ] {
        let response = patch(&app, &secret, &json!({ "max_lifetime_days": days })).await;
        response.assert_problem(422, "validation_failed");
    }
    let body = json!({ "max_lifetime_days": 30, "default_lifetime_days": 31 });
    let problem = patch(&app, &secret, &body).await;
    let problem = problem.assert_problem(422, "validation_failed");
    assert_eq!(problem["errors"][0]["field"], "default_lifetime_days");
    assert_eq!(read(&app, &secret).await.header("etag"), "\"1\"");
}

#[tokio::test]
async fn p48_a_change_of_an_outdated_policy_is_refused() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let tag = read(&app, &secret).await.header("etag").to_owned();
    let change = |days: u32| {
        let request = app
            .request("PATCH", PATH)
            .key(&secret)
            .header("if-match", &tag);
        request.json(&json!({ "max_lifetime_days": days })).send()
    };
    assert_eq!(change(90).await.status, 200);
    change(30).await.assert_problem(412, "stale");
    assert_eq!(read(&app, &secret).await.json()["max_lifetime_days"], 90);
}

#[tokio::test]
async fn creation_and_rotation_by_the_api_obey_the_policy() {
    let app = TestApp::start().await;
    let secret = app
        .secret(&[
            "api-keys:read",
            "api-keys:write",
            "orders:read",
            "security-policy:read",
            "security-policy:write",
        ])
        .await;
    let target = app.issue(KeySpec::default()).await;
    let group = &target.key.authorization_group;
    let group = group.id;
    set(&app, &secret, &json!({ "max_lifetime_days": 90 })).await;
    let create = async |expires_on: Value, name: &str| {
        let body = json!({
            "name": name, "authorization_group_id": group, "expires_on": expires_on,
        });
        app.post("/api/v1/api-keys")
            .key(&secret)
            .json(&body)
            .send()
            .await
    };
    let message = |response: TestResponse| {
        let problem = response.assert_problem(422, "validation_failed");
        let errors = problem["errors"].as_array().unwrap().clone();
        let date = (errors.iter()).find(|error| error["field"] == "expires_on");
        (
            errors.len(),
            date.unwrap()["message"].as_str().unwrap().to_owned(),
        )
    };
    let required = (1, "An expiration date is required".to_owned());
    let too_late = (1, "Must be at most 90 days from today".to_owned());
    assert_eq!(message(create(Value::Null, "New").await), required);
    assert_eq!(message(create(json!(day(91)), "New").await), too_late);
    // With the errors of the other fields.
    assert_eq!(
        message(create(json!(day(91)), "x").await),
        (2, too_late.1.clone())
    );
    let created = create(json!(day(90)), "New").await;
    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(created.json()["outside_policy"], false);

    let path = format!("/api/v1/api-keys/{}", target.key.id);
    let rotate = format!("{path}/rotate");
    assert_eq!(
        message(app.post(&rotate).key(&secret).send().await),
        required
    );
    let body = json!({ "expires_on": day(91) });
    let rotated = app.post(&rotate).key(&secret).json(&body).send().await;
    assert_eq!(message(rotated), too_late);
    // The existing key works and is marked.
    let shown = app.get(&path).key(&secret).send().await.json();
    assert_eq!(shown["outside_policy"], true);
    let own = app
        .get("/api/v1/whoami")
        .key(target.secret.expose())
        .send()
        .await;
    assert_eq!(
        (own.status.as_u16(), &own.json()["outside_policy"]),
        (200, &json!(true))
    );
    let list = app
        .get("/api/v1/api-keys?policy=outside")
        .key(&secret)
        .send()
        .await;
    let names: Vec<_> = (list.json()["items"].as_array().unwrap().iter())
        .map(|key| key["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(names.contains(&target.key.id.to_string()), "{names:?}");
    assert!(!names.contains(&created.json()["id"].as_str().unwrap().to_owned()));
    let wrong = app
        .get("/api/v1/api-keys?policy=inside")
        .key(&secret)
        .send()
        .await;
    wrong.assert_problem(422, "validation_failed");

    let body = json!({ "expires_on": day(90) });
    let rotated = app.post(&rotate).key(&secret).json(&body).send().await;
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    assert_eq!(rotated.json()["outside_policy"], false);
}

#[tokio::test]
async fn a_self_rotation_gets_the_latest_permitted_date() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let own = app
        .issue(KeySpec {
            permissions: &["api-keys:rotate-self"],
            ..KeySpec::default()
        })
        .await;
    set(&app, &secret, &json!({ "max_lifetime_days": 90 })).await;
    let rotated = app
        .post("/api/v1/whoami/rotate")
        .key(own.secret.expose())
        .send()
        .await;
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    assert_eq!(rotated.json()["expires_on"], json!(day(90)));
}

#[tokio::test]
async fn p39_the_tenants_allowlist_holds_for_every_route_when_the_change_returns() {
    let app = TestApp::start().await.with_admin().await;
    let secret = app.secret(WRITE).await;
    let verifying = app.secret(&["api-keys:verify", "api-keys:read"]).await;
    let target = app.issue(KeySpec::default()).await;
    let key = target.secret.expose();
    let from = async |path: &str, address: &str, key: &str| {
        app.get(path).from(address).key(key).send().await
    };
    for path in ["/api/v1/whoami", "/api/v1/forward-auth"] {
        assert_eq!(from(path, "203.0.113.9", key).await.status, 200);
    }
    let changed = set(&app, &secret, &json!({ "ip_allowlist": ["192.0.2.0/24"] })).await;
    assert_eq!(changed["admits_client"], true);
    for path in ["/api/v1/whoami", "/api/v1/forward-auth"] {
        let refused = from(path, "203.0.113.9", key).await;
        let problem = refused.assert_problem(403, "ip_not_allowed");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("security policy"), "{detail}");
        assert_eq!(from(path, "192.0.2.8", key).await.status, 200);
    }
    let verify = async |ip: Option<&str>| {
        let body = json!({ "secret": key, "ip": ip });
        let request = app.post("/api/v1/verify").from("192.0.2.8").key(&verifying);
        request.json(&body).send().await.json()
    };
    assert_eq!(verify(Some("192.0.2.9")).await["valid"], true);
    let refused = json!({ "valid": false, "code": "ip_not_allowed" });
    assert_eq!(verify(Some("203.0.113.9")).await, refused);
    assert_eq!(verify(None).await, refused);
    let path = format!("/api/v1/api-keys/{}/simulate", target.key.id);
    let request = app.post(&path).from("192.0.2.8").key(&verifying);
    let simulated = request
        .json(&json!({ "ip": "203.0.113.9" }))
        .send()
        .await
        .json();
    assert_eq!(simulated["code"], "ip_not_allowed");
    assert!(
        simulated["detail"]
            .as_str()
            .unwrap()
            .contains("security policy")
    );
    // The console stays open.
    let session = app.sign_in(super::test_app::ADMIN).await;
    let page = app
        .get("/tenant-api-keys")
        .from("203.0.113.9")
        .cookie(&session);
    assert_eq!(page.send().await.status, 200);
}

#[tokio::test]
async fn a_key_that_excludes_its_own_address_is_told_so() {
    let app = TestApp::start().await;
    let secret = app.secret(WRITE).await;
    let changed = set(
        &app,
        &secret,
        &json!({ "ip_allowlist": ["203.0.113.0/24"] }),
    )
    .await;
    assert_eq!(changed["admits_client"], false);
    let next = patch(&app, &secret, &json!({ "ip_allowlist": [] })).await;
    next.assert_problem(403, "ip_not_allowed");
    // From an admitted address it can change the list again.
    let request = app.request("PATCH", PATH).from("203.0.113.9").key(&secret);
    let response = request.json(&json!({ "ip_allowlist": [] })).send().await;
    assert_eq!(
        response.json()["admits_client"],
        true,
        "{}",
        response.text()
    );
}

#[tokio::test]
async fn p28_a_key_with_an_allowlist_admits_no_further_address() {
    let app = TestApp::start().await;
    let own = app
        .issue(KeySpec {
            permissions: WRITE,
            allowlist: &["192.0.2.0/24"],
            ..KeySpec::default()
        })
        .await;
    let secret = own.secret.expose();
    set(&app, secret, &json!({ "ip_allowlist": ["192.0.2.0/25"] })).await;
    for list in [
        json!([]),
        json!(["0.0.0.0/0"]),
        json!(["192.0.2.7", "203.0.113.9"]),
    ] {
        let response = patch(&app, secret, &json!({ "ip_allowlist": list })).await;
        response.assert_problem(403, "exceeds_own_grant");
    }
    set(&app, secret, &json!({ "ip_allowlist": ["192.0.2.0/24"] })).await;
}

#[tokio::test]
async fn p25_p27_another_tenants_policy_is_not_touched() {
    let app = TestApp::start().await;
    app.add_tenant("globex", "Globex").await;
    let secret = app.secret(WRITE).await;
    let theirs = app
        .issue(KeySpec {
            tenant: "globex",
            permissions: WRITE,
            ..KeySpec::default()
        })
        .await;
    set(
        &app,
        &secret,
        &json!({ "ip_allowlist": ["192.0.2.0/24"], "max_lifetime_days": 7 }),
    )
    .await;
    let policy = read(&app, theirs.secret.expose()).await.json();
    assert_eq!(policy["max_lifetime_days"], Value::Null);
    assert_eq!(policy["ip_allowlist"], json!([]));
    let body = json!({ "tenant_id": theirs.key.id, "max_lifetime_days": 1 });
    patch(&app, &secret, &body)
        .await
        .assert_problem(422, "validation_failed");
    let named = app
        .request("PATCH", &format!("{PATH}?tenant=globex"))
        .from("192.0.2.7");
    let named = named.key(&secret).json(&json!({})).send().await;
    named.assert_problem(422, "validation_failed");
}
