//! `/api/v1/forward-auth` and `/api/v1/forward-auth/for/…`, with any method.

use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::Value;

use super::{
    request::TestResponse,
    test_app::{KeySpec, TestApp, day},
};
use crate::support::wait::PATIENCE;

const PATHS: [&str; 4] = [
    "/api/v1/forward-auth",
    "/api/v1/forward-auth/for/-/-/",
    "/api/v1/forward-auth/for/-/-/orders/7",
    "/api/v1/forward-auth/for/acme/orders%3Aread/%FF/..%2f?permission=%ff&x=1",
];

const IDENTITY: [&str; 5] = [
    "x-tenant-id",
    "x-tenant-slug",
    "x-api-key-id",
    "x-api-key-name",
    "x-permissions",
];

fn assert_identity(response: &TestResponse, expected: &[(&str, &str)]) {
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("cache-control"), "no-store");
    assert!(response.body.is_empty());
    for name in IDENTITY {
        response.header(name);
    }
    for (name, value) in expected {
        assert_eq!(response.header(name), *value, "{name}");
    }
}

#[tokio::test]
async fn returns_the_identity_for_every_method() {
    let app = TestApp::start().await;
    let key = app
        .issue(KeySpec {
            name: "Größe & Co, 50%".to_owned(),
            ..KeySpec::default()
        })
        .await;
    let id = key.key.id.to_string();
    for path in PATHS {
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
        ] {
            let response = app
                .request(method, path)
                .key(key.secret.expose())
                .header("x-tenant-id", "forged")
                .header("sec-fetch-site", "cross-site")
                .send()
                .await;
            assert_identity(
                &response,
                &[
                    ("x-tenant-slug", "acme"),
                    ("x-api-key-id", &id),
                    ("x-api-key-name", "Gr%C3%B6%C3%9Fe%20%26%20Co%2C%2050%25"),
                    ("x-permissions", "api-keys:read,orders:read"),
                ],
            );
        }
    }
}

#[tokio::test]
async fn identity_headers_are_present_when_empty() {
    let app = TestApp::start().await;
    let secret = app.secret(&[]).await;
    let response = app.get(PATHS[0]).key(&secret).send().await;
    assert_identity(&response, &[("x-permissions", "")]);
}

#[tokio::test]
async fn refuses_as_other_routes_do_and_keys_of_another_tenant() {
    let app = TestApp::start().await;
    app.add_tenant("globex", "Globex").await;
    let good = app.issue(KeySpec::default()).await;
    let listed = app
        .issue(KeySpec {
            allowlist: &["198.51.100.1"],
            ..KeySpec::default()
        })
        .await;
    let expired = app
        .issue(KeySpec {
            tenant: "globex",
            expires_on: Some(day(-1)),
            ..KeySpec::default()
        })
        .await;
    let theirs = app
        .issue(KeySpec {
            tenant: "globex",
            ..KeySpec::default()
        })
        .await;
    let cases = [
        (None, "-", "-", 401, "missing_api_key"),
        (Some("x"), "-", "-", 401, "invalid_api_key"),
        (
            Some(expired.secret.expose()),
            "acme",
            "-",
            401,
            "expired_api_key",
        ),
        (
            Some(listed.secret.expose()),
            "-",
            "-",
            403,
            "ip_not_allowed",
        ),
        (
            Some(theirs.secret.expose()),
            "acme",
            "-",
            403,
            "wrong_tenant",
        ),
        (
            Some(theirs.secret.expose()),
            "acme",
            "orders:write",
            403,
            "wrong_tenant",
        ),
        (
            Some(theirs.secret.expose()),
            "none",
            "-",
            403,
            "wrong_tenant",
        ),
        (
            Some(good.secret.expose()),
            "acme",
            "orders:write",
            403,
            "missing_permission",
        ),
    ];
    for (secret, tenant, permission, status, code) in cases {
        let mut query = Vec::new();
        if tenant != "-" {
            query.push(format!("tenant={tenant}"));
        }
        if permission != "-" {
            query.push(format!("permission={permission}"));
        }
        for path in [
            format!("/api/v1/forward-auth?{}", query.join("&")),
            format!("/api/v1/forward-auth/for/{tenant}/{permission}/orders?tenant=globex"),
        ] {
            let request = app.post(&path);
            let request = match secret {
                Some(secret) => request.key(secret),
                None => request,
            };
            let response = request.send().await;
            response.assert_problem(status, code);
            assert!(
                IDENTITY
                    .iter()
                    .all(|name| !response.headers.contains_key(*name))
            );
        }
    }
}

#[tokio::test]
async fn an_invalid_question_is_never_accepted() {
    let (app, key) = TestApp::start().await.with_key().await;
    for path in [
        "/api/v1/forward-auth?permission=",
        "/api/v1/forward-auth?permission",
        "/api/v1/forward-auth?tenant=",
        "/api/v1/forward-auth?permision=orders:read",
        "/api/v1/forward-auth?permission=orders:read&permission=orders:write",
        "/api/v1/forward-auth?permission=orders",
        "/api/v1/forward-auth?tenant=Acme",
        "/api/v1/forward-auth/for/Acme/-/",
        "/api/v1/forward-auth/for/-/orders/",
        "/api/v1/forward-auth/for/-/orders:read%2F/",
    ] {
        let response = app.get(path).key(key.secret.expose()).send().await;
        response.assert_problem(422, "validation_failed");
    }
    for path in [
        "/api/v1/forward-auth/",
        "/api/v1/forward-auth/for",
        "/api/v1/forward-auth/for/-",
        "/api/v1/forward-auth/for/-/-",
        "/api/v1/forward-auth/for//-/",
    ] {
        let response = app.get(path).key(key.secret.expose()).send().await;
        assert!(
            response.status.is_client_error(),
            "{path}: {}",
            response.status
        );
    }
}

#[tokio::test]
async fn an_announced_body_is_not_awaited() {
    let (app, key) = TestApp::start().await.with_key().await;
    for path in PATHS {
        let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let request = app
            .post(path)
            .key(key.secret.expose())
            .header("content-length", "9999999")
            .header("content-encoding", "gzip")
            .header("expect", "100-continue")
            .body("multipart/form-data; boundary=x", never);
        let response = tokio::time::timeout(PATIENCE, request.send()).await;
        assert_identity(&response.expect("a response"), &[]);
    }
}

#[tokio::test]
async fn an_accepted_request_counts_as_use() {
    let app = TestApp::start().await;
    let reader = app.secret(&["api-keys:read"]).await;
    let key = app.issue(KeySpec::default()).await;
    let path = format!("/api/v1/api-keys/{}", key.key.id);
    let refused = app
        .get("/api/v1/forward-auth?permission=orders:write")
        .key(key.secret.expose());
    refused
        .send()
        .await
        .assert_problem(403, "missing_permission");
    app.flush_usage().await;
    let read = app.get(&path).key(&reader).send().await.json();
    assert_eq!(read["last_used_at"], Value::Null);
    let response = app.get(PATHS[0]).key(key.secret.expose()).send().await;
    assert_eq!(response.status, 200);
    app.flush_usage().await;
    let read = app.get(&path).key(&reader).send().await.json();
    assert_eq!(read["last_used_ip"], "203.0.113.9");
}
