//! JSON bodies on every route of the API: P20, P22, P58.

use serde_json::json;

use super::{
    request::TestRequest,
    test_app::{KeySpec, TestApp},
};
use crate::support::wait::PATIENCE;

const EVERYTHING: &[&str] = &[
    "api-keys:read",
    "api-keys:write",
    "api-keys:verify",
    "orders:read",
];

/// Every route with a JSON body.
async fn routes(app: &TestApp) -> Vec<(&'static str, String)> {
    let target = app
        .issue(KeySpec {
            permissions: &["orders:read"],
            ..KeySpec::default()
        })
        .await;
    vec![
        ("POST", "/api/v1/api-keys".to_owned()),
        ("PATCH", format!("/api/v1/api-keys/{}", target.key.id)),
        ("POST", format!("/api/v1/api-keys/{}/rotate", target.key.id)),
        ("POST", "/api/v1/verify".to_owned()),
    ]
}

#[tokio::test]
async fn p20_a_body_of_another_type_is_refused() {
    let app = TestApp::start().await;
    let secret = app.secret(EVERYTHING).await;
    let routes = routes(&app).await;
    let before = app.audited("acme").await;
    for (method, path) in routes {
        let request = || app.request(method, &path).key(&secret);
        let types = [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json; charset=iso-8859-1",
            "application/jsonp",
            "application/json, text/plain",
            "",
        ];
        for kind in types {
            let response = request().body(kind, "{}").send().await;
            let problem = response.assert_problem(415, "unsupported_media_type");
            // C16: the detail and a header contain the accepted content type.
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("application/json"), "{detail}");
            let accepted = if method == "PATCH" {
                "accept-patch"
            } else {
                "accept-post"
            };
            assert_eq!(response.header(accepted), "application/json");
        }
        let none = request().untyped_body("{}").send().await;
        none.assert_problem(415, "unsupported_media_type");
        let two = request()
            .header("content-type", "application/json")
            .body("application/json", "{}");
        two.send()
            .await
            .assert_problem(415, "unsupported_media_type");
        let packed = request()
            .header("content-encoding", "gzip")
            .body("application/json", vec![0x1f, 0x8b]);
        packed
            .send()
            .await
            .assert_problem(415, "unsupported_media_type");
        for kind in [
            "application/json; charset=utf-8",
            "APPLICATION/JSON;charset=\"UTF-8\"",
            "application/json ; x=y",
        ] {
            let response = request().body(kind, "[]").send().await;
            response.assert_problem(422, "validation_failed");
        }
    }
    assert_eq!(app.audited("acme").await, before);
}

#[tokio::test]
async fn p22_a_body_over_the_limit_is_refused() {
    let app = TestApp::start().await;
    let secret = app.secret(EVERYTHING).await;
    for (method, path) in routes(&app).await {
        let padded = |length: usize| format!("[{}]", " ".repeat(length - 2));
        let request = |body: String| -> TestRequest {
            let request = app.request(method, &path).key(&secret);
            request.body("application/json", body)
        };
        let over = request(padded(64 * 1024 + 1)).send().await;
        over.assert_problem(413, "payload_too_large");
        let within = request(padded(64 * 1024)).send().await;
        within.assert_problem(422, "validation_failed");
    }
}

#[tokio::test]
async fn p58_malformed_json_is_refused() {
    let app = TestApp::start().await;
    let secret = app.secret(EVERYTHING).await;
    let name_twice = "{\"name\":\"ab\",\"name\":\"cd\"}";
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let long = format!("[{}0]", "0,".repeat(1_000_000));
    let cases: Vec<(Vec<u8>, u16)> = vec![
        (deep.into(), 400),
        (long.into(), 413),
        (name_twice.into(), 400),
        (
            b"{\"secret\":\"x\",\"a\":{\"b\":[{\"c\":1,\"c\":1}]}}".into(),
            400,
        ),
        (b"{\"name\":1e999}".into(), 400),
        (b"{\"name\":-1e999}".into(), 400),
        (b"{\"name\":9223372036854775808}".into(), 422),
        (b"{\"name\":18446744073709551616}".into(), 422),
        (b"\xef\xbb\xbf{}".into(), 400),
        (b"{\"name\":\"\xff\"}".into(), 400),
        (b"{\"name\":\"\\ud800\"}".into(), 400),
        (b"{} {}".into(), 400),
        (b"{}x".into(), 400),
        (b"{\"name\":}".into(), 400),
        (b"{'name':1}".into(), 400),
        (b"{\"name\":NaN}".into(), 400),
        (b"{\"name\":\"a\nb\"}".into(), 400),
        (b" ".into(), 400),
        (b"null".into(), 422),
        (b"{\"name\":\"\\u0000\\u0000\"}".into(), 422),
    ];
    for (method, path) in routes(&app).await {
        for (body, status) in &cases {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            if path.ends_with("/rotate") && shown == "null" {
                // An absent optional body, as a generated Go client sends it.
                let response = app
                    .request(method, &path)
                    .key(&secret)
                    .json(&serde_json::Value::Null);
                assert_eq!(response.send().await.status, 200);
                continue;
            }
            let request = app.request(method, &path).key(&secret);
            let sent = request.body("application/json", body.clone()).send();
            let response = tokio::time::timeout(PATIENCE, sent).await.expect(&shown);
            let code = match status {
                400 => "malformed_json",
                413 => "payload_too_large",
                _ => "validation_failed",
            };
            response.assert_problem(*status, code);
        }
    }
    // A missing body is malformed if a body is required.
    for (method, path) in routes(&app).await {
        let response = app.request(method, &path).key(&secret).send().await;
        if path.ends_with("/rotate") {
            assert_eq!(response.status, 200);
        } else {
            response.assert_problem(400, "malformed_json");
        }
    }
}

#[tokio::test]
async fn p04_refusals_reveal_no_internals() {
    let app = TestApp::start().await;
    let secret = app.secret(EVERYTHING).await;
    let names = json!({ "name": "\u{1b}[31mred\r\nInjected: 1", "x\r\ny": 1, "\u{202e}": 2 });
    let request = app.post("/api/v1/api-keys").key(&secret);
    let response = request.json(&names).send().await;
    response.assert_problem(422, "validation_failed");
    let text = response.text();
    for inside in [
        "serde",
        "sqlx",
        "sea_orm",
        "axum",
        "SELECT",
        ".rs",
        "line 1 column",
    ] {
        assert!(!text.contains(inside), "{inside}: {text}");
    }
}
