//! `/api/v1/api-keys/{id}`: reading, editing, rotating and revoking one key.

use serde_json::{Value, json};

use super::{
    request::{TestRequest, TestResponse},
    test_app::{KeySpec, TestApp, day},
};

const WRITE: &[&str] = &[
    "api-keys:read",
    "api-keys:write",
    "audit-log:read",
    "orders:read",
];

/// Acme with a key named `ERP`, and the secret of a key that may change it.
async fn start() -> (TestApp, String, String) {
    let app = TestApp::start().await;
    let writer = app.secret(WRITE).await;
    let target = app
        .issue(KeySpec {
            permissions: &["orders:read"],
            ..KeySpec::default()
        })
        .await;
    let path = format!("/api/v1/api-keys/{}", target.key.id);
    (app, writer, path)
}

async fn read(app: &TestApp, secret: &str, path: &str) -> TestResponse {
    let response = app.get(path).key(secret).send().await;
    assert_eq!(response.status, 200, "{}", response.text());
    response
}

fn patch(app: &TestApp, secret: &str, path: &str, body: &Value) -> TestRequest {
    app.request("PATCH", path).key(secret).json(body)
}

#[tokio::test]
async fn an_edit_changes_only_the_fields_in_its_body() {
    let (app, writer, path) = start().await;
    let before = read(&app, &writer, &path).await.json();
    let response = patch(
        &app,
        &writer,
        &path,
        &json!({ "name": "Warehouse", "ip_allowlist": ["192.0.2.7"] }),
    )
    .send()
    .await;
    assert_eq!(response.status, 200, "{}", response.text());
    let after = response.changed_key();
    assert_eq!(after["name"], "Warehouse");
    assert_eq!(after["ip_allowlist"], json!(["192.0.2.7/32"]));
    for kept in [
        "id",
        "description",
        "authorization_group",
        "hint",
        "expires_on",
        "created_at",
    ] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    let again = read(&app, &writer, &path).await;
    assert_eq!(again.json(), after);
    assert_eq!(again.header("etag"), response.header("etag"));
    assert_eq!(
        app.audited("acme").await[0].action.as_str(),
        "api_key.updated"
    );
}

#[tokio::test]
async fn p48_an_edit_of_an_outdated_version_is_refused() {
    let (app, writer, path) = start().await;
    let stale = read(&app, &writer, &path).await.header("etag").to_owned();
    let edit = |name: &str| patch(&app, &writer, &path, &json!({ "name": name }));
    let first = edit("First").header("if-match", &stale).send().await;
    assert_eq!(first.status, 200, "{}", first.text());
    let current = first.header("etag").to_owned();
    assert_ne!(current, stale);
    for (tags, passes) in [
        (stale.clone(), false),
        (format!("W/{current}"), true),
        ("\"0\", \"x\"".to_owned(), false),
        (format!("{stale}, {current}"), true),
        ("*".to_owned(), true),
    ] {
        let name = read(&app, &writer, &path).await.json()["name"].clone();
        // An edit to the same name changes nothing, and the tag stays.
        let response = patch(&app, &writer, &path, &json!({ "name": name }))
            .header("if-match", &tags)
            .send()
            .await;
        if passes {
            assert_eq!(response.status, 200, "{tags}: {}", response.text());
        } else {
            response.assert_problem(412, "stale");
        }
    }
    let two_lines = edit("First")
        .header("if-match", &stale)
        .header("if-match", &current)
        .send()
        .await;
    assert_eq!(two_lines.status, 200);
    for malformed in ["1", "\"1", "", "*, \"1\"", "\"1\" \"2\""] {
        let response = edit("Other").header("if-match", malformed).send().await;
        let problem = response.assert_problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], "If-Match", "{malformed}");
    }
    assert_eq!(read(&app, &writer, &path).await.json()["name"], "First");
}

#[tokio::test]
async fn the_entity_tag_changes_with_an_edit_and_never_with_use() {
    let app = TestApp::start().await;
    let writer = app.secret(WRITE).await;
    let target = app.issue(KeySpec::default()).await;
    let path = format!("/api/v1/api-keys/{}", target.key.id);
    let tag = read(&app, &writer, &path).await.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let used = app
        .get("/api/v1/whoami")
        .key(target.secret.expose())
        .send()
        .await;
    assert_eq!(used.status, 200);
    app.flush_usage().await;
    let after = read(&app, &writer, &path).await;
    assert_ne!(after.json()["last_used_at"], Value::Null);
    assert_eq!(after.header("etag"), tag);
}

#[tokio::test]
async fn p34_a_rotation_replaces_the_secret_at_once_and_nothing_else() {
    let app = TestApp::start().await;
    let writer = app.secret(WRITE).await;
    let target = app
        .issue(KeySpec {
            permissions: &["orders:read"],
            allowlist: &["203.0.113.0/24"],
            expires_on: Some(day(90)),
            ..KeySpec::default()
        })
        .await;
    let path = format!("/api/v1/api-keys/{}", target.key.id);
    let before = read(&app, &writer, &path).await.json();
    let rotate = |body: Option<Value>| {
        let request = app.post(&format!("{path}/rotate")).key(&writer);
        match body {
            Some(body) => request.json(&body),
            None => request,
        }
    };
    let mut old = target.secret.expose().to_owned();
    let cases = [
        (None, json!(day(90))),
        (Some(json!({})), json!(day(90))),
        (Some(json!({ "expires_on": day(90) })), json!(day(90))),
        (Some(json!({ "expires_on": day(400) })), json!(day(400))),
        (Some(json!({ "expires_on": null })), Value::Null),
    ];
    for (body, expires_on) in cases {
        let response = rotate(body).send().await;
        assert_eq!(response.status, 200, "{}", response.text());
        let key = response.json();
        assert_eq!(key["expires_on"], expires_on);
        for kept in [
            "id",
            "name",
            "authorization_group",
            "ip_allowlist",
            "created_at",
        ] {
            assert_eq!(key[kept], before[kept], "{kept}");
        }
        let new = key["secret"].as_str().unwrap().to_owned();
        assert_ne!(new, old);
        assert_eq!(app.get("/api/v1/whoami").key(&new).send().await.status, 200);
        let refused = app.get("/api/v1/whoami").key(&old).send().await;
        refused.assert_problem(401, "invalid_api_key");
        assert_ne!(key["hint"], before["hint"]);
        old = new;
    }
    for body in [
        json!({ "expires_on": day(0) }),
        json!({ "expires_on": "soon" }),
        json!({ "expires_on": 7 }),
        json!({ "expires": null }),
        json!([]),
        json!(7),
    ] {
        rotate(Some(body))
            .send()
            .await
            .assert_problem(422, "validation_failed");
    }
    assert_eq!(app.get("/api/v1/whoami").key(&old).send().await.status, 200);
}

#[tokio::test]
async fn p34_a_revoked_key_stays_revoked_and_cannot_be_edited_or_rotated() {
    let app = TestApp::start().await;
    let writer = app.secret(WRITE).await;
    let target = app
        .issue(KeySpec {
            permissions: &["orders:read"],
            ..KeySpec::default()
        })
        .await;
    let path = format!("/api/v1/api-keys/{}", target.key.id);
    let revoke = || app.post(&format!("{path}/revoke")).key(&writer);
    let first = revoke().send().await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(first.json()["status"], "revoked");
    let refused = app
        .get("/api/v1/whoami")
        .key(target.secret.expose())
        .send()
        .await;
    refused.assert_problem(401, "revoked_api_key");
    let events = app.audited("acme").await;
    let second = revoke().send().await;
    assert_eq!(second.status, 200);
    assert_eq!(second.changed_key(), first.changed_key());
    patch(&app, &writer, &path, &json!({ "name": "Other" }))
        .send()
        .await
        .assert_problem(409, "key_revoked");
    let rotated = app
        .post(&format!("{path}/rotate"))
        .key(&writer)
        .send()
        .await;
    rotated.assert_problem(409, "key_revoked");
    assert_eq!(app.audited("acme").await, events);
}

#[tokio::test]
async fn p27_a_key_of_another_tenant_is_not_found() {
    let (app, writer, _) = start().await;
    app.add_tenant("globex", "Globex").await;
    let theirs = app
        .issue(KeySpec {
            tenant: "globex",
            ..KeySpec::default()
        })
        .await;
    let before = app.audited("globex").await;
    let mut responses = Vec::new();
    for id in [
        theirs.key.id.to_string(),
        "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
        "none".to_owned(),
        "%FF".to_owned(),
        theirs.key.id.to_string().replace('-', ""),
    ] {
        let path = format!("/api/v1/api-keys/{id}");
        let asks = [
            app.get(&path).key(&writer),
            patch(&app, &writer, &path, &json!({ "name": "Mine" })),
            app.post(&format!("{path}/rotate")).key(&writer),
            app.post(&format!("{path}/revoke")).key(&writer),
            app.get(&format!("{path}/usage")).key(&writer),
            app.post(&format!("{path}/simulate")).key(&writer),
        ];
        for request in asks {
            let mut problem = request.send().await.assert_problem(404, "not_found");
            problem["request_id"] = Value::Null;
            responses.push(problem);
        }
    }
    assert!(
        responses.windows(2).all(|pair| pair[0] == pair[1]),
        "{responses:#?}"
    );
    assert_eq!(app.audited("globex").await, before);
}

#[tokio::test]
async fn p25_a_tenant_in_the_request_is_ignored() {
    let (app, writer, path) = start().await;
    app.add_tenant("globex", "Globex").await;
    let theirs = app
        .issue(KeySpec {
            tenant: "globex",
            name: "Theirs".to_owned(),
            ..KeySpec::default()
        })
        .await;
    let tenant = theirs.key.id.to_string();
    for name in ["tenant", "tenant_id", "user_id", "X-Tenant-Id"] {
        for path in [
            "/api/v1/whoami",
            "/api/v1/api-keys",
            "/api/v1/audit-events",
            &path,
        ] {
            let response = app
                .get(&format!("{path}?{name}=globex"))
                .key(&writer)
                .send()
                .await;
            response.assert_problem(422, "validation_failed");
        }
        let listed = app
            .get("/api/v1/api-keys")
            .key(&writer)
            .header(name, "globex")
            .cookie(&format!("{name}=globex"))
            .send()
            .await;
        assert_eq!(listed.status, 200);
        assert!(!listed.text().contains("Theirs") && !listed.text().contains(&tenant));
    }
}

#[tokio::test]
async fn c15_routes_without_a_body_take_none_or_an_empty_object() {
    let (app, writer, path) = start().await;
    let mut own = app.secret(&["api-keys:rotate-self"]).await;
    for (path, rotates) in [
        (format!("{path}/revoke"), false),
        ("/api/v1/whoami/rotate".to_owned(), true),
    ] {
        let send = |secret: &str, kind: &str, body: &str| {
            app.post(&path)
                .key(secret)
                .body(kind, body.to_owned())
                .send()
        };
        let secret = if rotates { own.clone() } else { writer.clone() };
        // A revocation may contain a reason.
        let not_a_body = if rotates {
            "This takes no body, or an empty JSON object"
        } else {
            "Must be an object"
        };
        for (body, field, message) in [
            ("[]", "body", not_a_body),
            ("7", "body", not_a_body),
            (
                "{\"expires_on\":null}",
                "expires_on",
                "Is not a field of this body",
            ),
        ] {
            let response = send(&secret, "application/json", body).await;
            let problem = response.assert_problem(422, "validation_failed");
            let errors = &problem["errors"];
            assert_eq!(*errors, json!([{ "field": field, "message": message }]));
        }
        let response = send(&secret, "application/json", "x").await;
        response.assert_problem(400, "malformed_json");
        let response = send(&secret, "text/plain", "{}").await;
        response.assert_problem(415, "unsupported_media_type");
        // Some clients send one of these instead of an absent body; the last case has no body.
        for body in ["{}", " { } ", "null", ""] {
            let secret = if rotates { own.clone() } else { writer.clone() };
            let response = send(&secret, "application/json", body).await;
            assert_eq!(response.status, 200, "{body:?}: {}", response.text());
            if rotates {
                own = response.json()["secret"].as_str().unwrap().to_owned();
            }
        }
    }
}
