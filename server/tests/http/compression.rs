//! Content coding: pages and lists are compressed for clients that accept it, responses with a secret never are.

use std::io::Read as _;

use serde_json::json;

use super::{
    request::{TestRequest, TestResponse},
    test_app::{ADMIN, KeySpec, TestApp},
};

/// A URL with a long response, and its credential.
struct Long {
    path: String,
    request: Box<dyn Fn(&TestApp) -> TestRequest>,
}

/// The decompressed body.
fn decoded(response: &TestResponse) -> String {
    let mut text = String::new();
    match response.header("content-encoding") {
        "gzip" => flate2::read::GzDecoder::new(response.body.as_slice())
            .read_to_string(&mut text)
            .unwrap(),
        "br" => brotli::Decompressor::new(response.body.as_slice(), 4_096)
            .read_to_string(&mut text)
            .unwrap(),
        other => panic!("{other}"),
    };
    text
}

async fn long_answers(app: &TestApp) -> Vec<Long> {
    for number in 0..25 {
        app.issue(KeySpec {
            name: format!("Key {number}"),
            ..KeySpec::default()
        })
        .await;
    }
    let session = app.sign_in(ADMIN).await;
    let secret = app.secret(&["api-keys:read", "audit-log:read"]).await;
    let page = |path: &str| {
        let (path, session) = (path.to_owned(), session.clone());
        Long {
            path: path.clone(),
            request: Box::new(move |app| app.get(&path).cookie(&session)),
        }
    };
    let api = |path: &str| {
        let (path, secret) = (path.to_owned(), secret.clone());
        Long {
            path: path.clone(),
            request: Box::new(move |app| app.get(&path).key(&secret)),
        }
    };
    let function = {
        let session = session.clone();
        let body = json!({ "tenant": null, "query": domain::key::query::KeyQuery::default() });
        Long {
            path: "/api/pages/list_api_keys".to_owned(),
            request: Box::new(move |app| {
                app.post("/api/pages/list_api_keys")
                    .same_origin()
                    .cookie(&session)
                    .json(&body)
            }),
        }
    };
    vec![
        page("/tenant-api-keys"),
        page("/tenant-api-keys/new"),
        page("/account"),
        function,
        api("/api/v1/openapi.json"),
        api("/api/docs"),
        api("/api/v1/api-keys"),
        api("/api/v1/audit-events"),
    ]
}

#[tokio::test]
async fn long_responses_without_a_secret_are_compressed_as_the_client_accepts() {
    let app = TestApp::start().await.with_admin().await;
    for Long { path, request } in long_answers(&app).await {
        let plain = request(&app).send().await;
        assert_eq!(plain.status, 200, "{path}");
        assert!(!plain.headers.contains_key("content-encoding"), "{path}");
        assert_eq!(plain.header("vary"), "accept-encoding", "{path}");
        for (accepts, coding) in [
            ("gzip", "gzip"),
            ("br", "br"),
            ("gzip, deflate, br, zstd", "br"),
            ("gzip;q=1, br;q=0.5", "gzip"),
            ("*", "br"),
        ] {
            let packed = request(&app)
                .header("accept-encoding", accepts)
                .send()
                .await;
            assert_eq!(packed.header("content-encoding"), coding, "{path}");
            assert_eq!(packed.header("vary"), "accept-encoding", "{path}");
            let (small, whole) = (packed.body.len(), plain.body.len());
            assert!(small * 2 < whole, "{path} {coding}: {small} of {whole}");
            let text = decoded(&packed);
            assert!(
                text.len().abs_diff(whole) < 200,
                "{path}: the same response"
            );
            if let Some(length) = packed.headers.get("content-length") {
                assert_eq!(length.to_str().unwrap(), small.to_string(), "{path}");
            }
        }
        for accepts in ["identity", "deflate", "br;q=0, gzip;q=0"] {
            let response = request(&app)
                .header("accept-encoding", accepts)
                .send()
                .await;
            assert!(!response.headers.contains_key("content-encoding"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_response_with_a_secret_is_never_compressed() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let group = app.group("acme", &["orders:read"]).await;
    let writer = app
        .secret(&["orders:read", "api-keys:write", "api-keys:rotate-self"])
        .await;
    let function = app
        .post("/api/pages/generate_api_key")
        .same_origin()
        .cookie(&session)
        .json(&json!({
            "tenant": null,
            "form_id": uuid::Uuid::now_v7(),
            "form": {
                "name": "By script", "description": "d".repeat(1_000), "authorization_group_id": group.id,
                "expires_on": "", "ip_allowlist": "",
            },
        }));
    let form = app
        .post("/tenant-api-keys/new")
        .same_origin()
        .cookie(&session)
        .form(&[
            ("form_id", &uuid::Uuid::now_v7().to_string()),
            ("name", "By form"),
            ("description", ""),
            ("authorization_group_id", &group.id.to_string()),
            ("expires_on", ""),
            ("ip_allowlist", ""),
        ]);
    let api = app.post("/api/v1/api-keys").key(&writer).json(&json!({
        "name": "By API", "description": "d".repeat(1_000), "authorization_group_id": group.id,
    }));
    let rotation = app.post("/api/v1/whoami/rotate").key(&writer);
    for request in [function, form, api, rotation] {
        let response = request.header("accept-encoding", "gzip, br").send().await;
        assert!(response.status.is_success(), "{}", response.text());
        assert!(response.text().contains("lk_"));
        assert!(!response.headers.contains_key("content-encoding"));
        assert!(response.header("cache-control").starts_with("no-store"));
    }
}

/// The length of a compressed response reveals its content to an attacker who triggers requests and observes lengths (BREACH).
#[tokio::test]
async fn a_page_requested_by_another_site_is_not_compressed() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    for (site, is_compressed) in [
        ("same-origin", true),
        ("none", true),
        ("same-site", false),
        ("cross-site", false),
    ] {
        let response = app
            .get("/tenant-api-keys?q=guess")
            .cookie(&session)
            .header("accept-encoding", "gzip, br")
            .header("sec-fetch-site", site)
            .send()
            .await;
        assert_eq!(response.status, 200);
        let coding = response.headers.get("content-encoding");
        assert_eq!(coding.is_some(), is_compressed, "{site}");
    }
}

#[tokio::test]
async fn head_has_the_length_of_the_plain_response_and_vary() {
    let app = TestApp::start().await;
    let plain = app.get("/api/docs").send().await;
    let head = app
        .request("HEAD", "/api/docs")
        .header("accept-encoding", "br")
        .send()
        .await;
    assert!(!head.headers.contains_key("content-encoding"));
    assert_eq!(head.header("vary"), "accept-encoding");
    assert_eq!(head.header("content-length"), plain.body.len().to_string());
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn verification_responses_are_not_compressed() {
    let app = TestApp::start().await;
    let secret = app.secret(&["orders:read"]).await;
    for path in ["/api/v1/whoami", "/api/v1/forward-auth"] {
        let response = app
            .get(path)
            .key(&secret)
            .header("accept-encoding", "gzip, br")
            .send()
            .await;
        assert_eq!(response.status, 200);
        assert!(!response.headers.contains_key("content-encoding"), "{path}");
        assert!(!response.headers.contains_key("vary"), "{path}");
    }
}
