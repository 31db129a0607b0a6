//! `POST /api/pages/…`: server functions, called without the pages.

use leptos::server_fn::axum::server_fn_paths;
use serde_json::{Value, json};

use super::test_app::{ADMIN, KeySpec, TestApp};

fn functions() -> impl Iterator<Item = &'static str> {
    server_fn_paths().map(|(path, _)| path)
}

#[tokio::test]
async fn p21_without_a_session_every_call_is_refused() {
    let app = TestApp::start().await.with_admin().await;
    for path in functions() {
        let bodies = [
            json!({}),
            json!({ "tenant": "acme" }),
            json!({ "tenant": null, "id": "x", "expires_on": "" }),
        ];
        for body in bodies {
            let response = app.post(path).json(&body).send().await;
            assert_eq!(response.status, 401, "{path} {body}");
            assert_eq!(response.json()["code"], "not_signed_in");
        }
        let forged = format!("latchkey_session={}", "0".repeat(64));
        let response = app
            .post(path)
            .same_origin()
            .cookie(&forged)
            .json(&json!({}))
            .send()
            .await;
        assert_eq!(response.status, 401, "{path}");
    }
}

#[tokio::test]
async fn p21_an_unreadable_body_is_a_client_error() {
    let app = TestApp::start()
        .await
        .with_admin()
        .await
        .with_super_user()
        .await;
    let session = app.sign_in(super::test_app::SUPER_USER).await;
    for path in functions() {
        // Every function refuses malformed JSON; a wrong type is refused only by functions with such an argument.
        let bodies: [(&str, Vec<u8>, bool); 8] = [
            ("application/json", b"{".to_vec(), true),
            ("application/json", b"\xff\xfe".to_vec(), true),
            ("application/json", "[".repeat(10_000).into_bytes(), true),
            ("text/plain", b"tenant=acme".to_vec(), true),
            ("application/x-www-form-urlencoded", b"%%%".to_vec(), true),
            ("application/json", Vec::new(), true),
            ("application/json", b"[]".to_vec(), false),
            (
                "application/json",
                b"{\"tenant\": 1, \"id\": {}, \"query\": 1}".to_vec(),
                false,
            ),
        ];
        for (kind, body, is_unreadable) in bodies {
            let response = app
                .post(path)
                .same_origin()
                .cookie(&session)
                .body(kind, body.clone())
                .send()
                .await;
            let sent = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            assert!(
                !response.status.is_server_error(),
                "{path} {sent}: {}",
                response.status
            );
            assert!(
                !is_unreadable || response.status.is_client_error(),
                "{path} {sent}: {}",
                response.status
            );
            let text = response.text();
            for inside in ["line 1", "column", "serde", "panicked", "src/", "SELECT"] {
                assert!(!text.contains(inside), "{path} {sent}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn p21_a_form_post_is_not_redirected_to_its_referer() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    for path in functions() {
        for cookie in [None, Some(&session)] {
            let request = app
                .post(path)
                .same_origin()
                .header("accept", "text/html")
                .header("referer", "https://attacker.example/x")
                .json(&json!({}));
            let response = cookie
                .into_iter()
                .fold(request, |request, cookie| request.cookie(cookie))
                .send()
                .await;
            let location = response
                .headers
                .get("location")
                .map(|value| value.to_str().unwrap());
            assert!(
                location.is_none_or(|location| location.starts_with('/') && !location.contains("__err")),
                "{path}: {location:?}"
            );
        }
    }
}

async fn generate(app: &TestApp, session: &str, name: &str) -> super::request::TestResponse {
    let group = app.group("acme", &["orders:read", "api-keys:read"]).await;
    let form = json!({
        "tenant": null,
        "form_id": uuid::Uuid::now_v7(),
        "form": {
            "name": name, "description": "", "authorization_group_id": group.id,
            "expires_on": "", "ip_allowlist": "",
        },
    });
    app.post("/api/pages/generate_api_key")
        .same_origin()
        .cookie(session)
        .json(&form)
        .send()
        .await
}

#[tokio::test]
async fn a_generated_key_works_and_a_rotated_or_revoked_one_is_refused_at_once() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let whoami = |secret: &Value| {
        app.get("/api/v1/whoami")
            .key(secret.as_str().unwrap())
            .send()
    };
    let issued = generate(&app, &session, "ERP").await;
    assert_eq!(issued.status, 200, "{}", issued.text());
    assert_eq!(issued.header("cache-control"), "no-store");
    let first = told(&issued.json());
    assert_eq!(whoami(&first["secret"]).await.status, 200);
    let call = |function: &str, body: Value| {
        app.post(&format!("/api/pages/{function}"))
            .same_origin()
            .cookie(&session)
            .json(&body)
            .send()
    };
    let rotated = call(
        "rotate_api_key",
        json!({ "tenant": null, "id": first["id"], "expires_on": "", "form_id": uuid::Uuid::now_v7() }),
    )
    .await;
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    let second = told(&rotated.json());
    whoami(&first["secret"])
        .await
        .assert_problem(401, "invalid_api_key");
    assert_eq!(whoami(&second["secret"]).await.status, 200);
    let revoked = call(
        "revoke_api_key",
        json!({ "tenant": null, "id": first["id"], "form_id": uuid::Uuid::now_v7() }),
    )
    .await;
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    whoami(&second["secret"])
        .await
        .assert_problem(401, "revoked_api_key");
    let again = call(
        "rotate_api_key",
        json!({ "tenant": null, "id": first["id"], "expires_on": "", "form_id": uuid::Uuid::now_v7() }),
    )
    .await;
    assert_eq!(again.status, 409, "{}", again.text());
    assert_eq!(again.json()["code"], "key_revoked");
}

#[tokio::test]
async fn p57_names_are_counted_in_characters() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let emoji = "🔑".repeat(200);
    let cases = [
        ("x", 422),
        ("xy", 200),
        ("  xy  ", 200),
        (&"x".repeat(200), 200),
        (&"x".repeat(201), 422),
        (&emoji, 200),
        ("   ", 422),
        ("a\u{0}b", 422),
        ("a\u{7}b", 422),
        ("a\u{202E}b", 422),
        ("a\r\nb", 422),
        // Two scalar values that compose to one
        ("e\u{301}", 422),
    ];
    for (name, status) in cases {
        let response = generate(&app, &session, name).await;
        assert_eq!(response.status, status, "{name:?}: {}", response.text());
        if status == 422 {
            let fields = response.json()["fields"].clone();
            assert_eq!(fields[0]["field"], "name", "{name:?}");
        } else {
            assert_eq!(response.json()["key"]["name"], name.trim());
        }
    }
}

#[tokio::test]
async fn p31_p33_the_limit_applies_and_the_secret_is_returned_once() {
    let app = TestApp::start().await.with_admin().await;
    let cli = app.store.as_cli();
    app.store
        .tenants(&cli)
        .set_limit("acme", 2, server::clock::now())
        .await
        .unwrap();
    let session = app.sign_in(ADMIN).await;
    let issued = told(&generate(&app, &session, "First").await.json());
    assert_eq!(generate(&app, &session, "Second").await.status, 200);
    let third = generate(&app, &session, "Third").await;
    assert_eq!(
        (third.status.as_u16(), third.json()["code"].as_str()),
        (409, Some("key_limit_reached"))
    );
    assert_eq!(
        third.json()["message"],
        "You have reached your limit of 2 keys. Contact support to raise it."
    );
    assert_eq!(app.used_keys().await, 2);
    let secret = issued["secret"].as_str().unwrap();
    let query = json!({ "tenant": null, "query": domain::key::query::KeyQuery::default() });
    let one = json!({ "tenant": null, "id": issued["id"] });
    for (function, body) in [("list_api_keys", query), ("get_api_key", one)] {
        let path = format!("/api/pages/{function}");
        let response = app
            .post(&path)
            .same_origin()
            .cookie(&session)
            .json(&body)
            .send()
            .await;
        assert_eq!(response.status, 200, "{function}: {}", response.text());
        assert!(!response.text().contains(secret));
    }
    let id = issued["id"].as_str().unwrap();
    for path in [
        "/tenant-api-keys".to_owned(),
        format!("/tenant-api-keys/{id}/rotate"),
    ] {
        assert!(
            !app.get(&path)
                .cookie(&session)
                .send()
                .await
                .text()
                .contains(secret)
        );
    }
    // A revocation frees a place.
    let revoke = json!({ "tenant": null, "id": id, "form_id": uuid::Uuid::now_v7() });
    app.post("/api/pages/revoke_api_key")
        .same_origin()
        .cookie(&session)
        .json(&revoke)
        .send()
        .await;
    assert_eq!(generate(&app, &session, "Third").await.status, 200);
}

#[tokio::test]
async fn an_administrator_reaches_no_other_tenants_keys() {
    let app = TestApp::start().await.with_admin().await;
    app.add_tenant("globex", "Globex").await;
    let foreign = app
        .issue(KeySpec {
            tenant: "globex",
            ..KeySpec::default()
        })
        .await;
    let session = app.sign_in(ADMIN).await;
    for function in ["get_api_key", "rotate_api_key", "revoke_api_key"] {
        let path = format!("/api/pages/{function}");
        let call = |tenant: Value| {
            let mut body = json!({ "tenant": tenant, "id": foreign.key.id });
            if function != "get_api_key" {
                body["form_id"] = json!(uuid::Uuid::now_v7());
            }
            if function == "rotate_api_key" {
                body["expires_on"] = "".into();
            }
            app.post(&path)
                .same_origin()
                .cookie(&session)
                .json(&body)
                .send()
        };
        assert_eq!(call(Value::Null).await.status, 404, "{function}");
        assert_eq!(call("globex".into()).await.status, 403, "{function}");
    }
    let response = app
        .get("/api/v1/whoami")
        .key(foreign.secret.expose())
        .send()
        .await;
    assert_eq!(response.status, 200);
}

/// The key and the secret in a response.
fn told(response: &serde_json::Value) -> serde_json::Value {
    let mut key = response["key"].clone();
    key["secret"] = response["secret"].clone();
    key
}

#[tokio::test]
async fn p79_a_server_function_accepts_only_json_with_known_fields() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let group = app.group("acme", &["orders:read"]).await;
    let body = || {
        json!({
            "tenant": null,
            "form_id": uuid::Uuid::now_v7(),
            "form": {
                "name": "ERP", "description": "", "authorization_group_id": group.id,
                "expires_on": "", "ip_allowlist": "",
            },
        })
    };
    let request = || {
        app.post("/api/pages/generate_api_key")
            .same_origin()
            .cookie(&session)
    };
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application/json, text/plain",
        "",
    ] {
        let response = request().body(kind, body().to_string()).send().await;
        assert_eq!(response.status, 415, "{kind}");
        assert!(response.json()["code"].is_string());
    }
    let untyped = request().untyped_body(body().to_string()).send().await;
    assert_eq!(untyped.status, 415);
    for field in ["tenant_id", "role", "secret", "created_by", "id"] {
        for is_inside in [false, true] {
            let mut body = body();
            let place = if is_inside {
                &mut body["form"]
            } else {
                &mut body
            };
            place[field] = "x".into();
            let response = request().json(&body).send().await;
            assert_eq!(response.status, 422, "{field} {is_inside}");
            assert!(!response.text().contains("unknown field"));
        }
    }
    assert_eq!(app.used_keys().await, 0);
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        let response = request().body(kind, body().to_string()).send().await;
        assert_eq!(response.status, 200, "{kind}: {}", response.text());
    }
}

#[tokio::test]
async fn p67_a_repeat_with_the_same_form_id_changes_nothing_and_returns_the_outcome() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let group = app.group("acme", &["orders:read"]).await;
    let call = |function: &str, body: &Value| {
        app.post(&format!("/api/pages/{function}"))
            .same_origin()
            .cookie(&session)
            .json(body)
            .send()
    };
    let generate = json!({
        "tenant": null,
        "form_id": uuid::Uuid::now_v7(),
        "form": {
            "name": "ERP", "description": "", "authorization_group_id": group.id,
            "expires_on": "", "ip_allowlist": "",
        },
    });
    let first = call("generate_api_key", &generate).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let first = told(&first.json());
    let again = call("generate_api_key", &generate).await;
    assert_eq!(again.status, 409, "{}", again.text());
    assert_eq!(again.json()["code"], "already_done");
    let message = again.json()["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("This secret was already shown"),
        "{message}"
    );
    assert!(message.contains("“ERP” was created once"), "{message}");
    assert_eq!(app.used_keys().await, 1);
    let mut other = generate.clone();
    other["form"]["name"] = "Other".into();
    assert_eq!(call("generate_api_key", &other).await.status, 409);
    assert_eq!(app.used_keys().await, 1);

    let rotate = json!({
        "tenant": null, "id": first["id"], "expires_on": "", "form_id": uuid::Uuid::now_v7(),
    });
    let rotated = call("rotate_api_key", &rotate).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    let secret = rotated.json()["secret"].as_str().unwrap().to_owned();
    let again = call("rotate_api_key", &rotate).await;
    assert_eq!(again.json()["code"], "already_done");
    assert!(again.text().contains("was rotated once"));
    let whoami = || app.get("/api/v1/whoami").key(&secret).send();
    assert_eq!(whoami().await.status, 200, "the secret was not replaced");

    let key = app
        .post("/api/pages/get_api_key")
        .same_origin()
        .cookie(&session)
        .json(&json!({ "tenant": null, "id": first["id"] }))
        .send()
        .await
        .json();
    let edit = json!({
        "tenant": null, "id": first["id"], "version": key["version"], "form_id": uuid::Uuid::now_v7(),
        "form": {
            "name": "ERP 2", "description": "", "authorization_group_id": group.id,
            "expires_on": "", "ip_allowlist": "",
        },
    });
    let revoke = json!({ "tenant": null, "id": first["id"], "form_id": uuid::Uuid::now_v7() });
    for (function, body) in [("edit_api_key", &edit), ("revoke_api_key", &revoke)] {
        for _ in 0..2 {
            let response = call(function, body).await;
            assert_eq!(response.status, 200, "{function}: {}", response.text());
        }
    }
    let events = app.audited("acme").await;
    let of_key = events.iter().filter(|event| {
        let target = serde_json::to_value(&event.target).unwrap();
        target["id"] == first["id"]
    });
    assert_eq!(
        of_key.count(),
        4,
        "created, rotated, edited and revoked, once each"
    );
}
