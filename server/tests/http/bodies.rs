//! P22: bodies that are too large or compressed, on every route.

use axum::body::{Body, Bytes};
use futures_util::stream;

use super::{request::TestRequest, test_app::TestApp};

/// A body of this many bytes without a declared length.
fn chunked(length: usize) -> Body {
    let chunk = Bytes::from(vec![b'x'; 1024]);
    let chunks = (0..length.div_ceil(1024)).map(move |_| Ok::<_, std::io::Error>(chunk.clone()));
    Body::from_stream(stream::iter(chunks))
}

async fn statuses(request: impl Fn() -> TestRequest, length: usize) -> [u16; 3] {
    let kind = "application/x-www-form-urlencoded";
    let declared = request()
        .header("content-length", length.to_string())
        .body(kind, vec![b'x'; length]);
    let silent = request().body(kind, chunked(length));
    let multipart = request().body("multipart/form-data; boundary=x", chunked(length));
    [
        declared.send().await.status.as_u16(),
        silent.send().await.status.as_u16(),
        multipart.send().await.status.as_u16(),
    ]
}

#[tokio::test]
async fn p22_a_body_over_the_limit_is_refused_by_every_route() {
    let (app, key) = TestApp::start().await.with_admin().await.with_key().await;
    let session = app.sign_in(super::test_app::ADMIN).await;
    let api = || app.get("/api/v1/whoami").key(key.secret.expose());
    assert_eq!(statuses(api, 64 * 1024 + 1).await, [413; 3]);
    assert_eq!(statuses(api, 64 * 1024).await, [200; 3]);
    let sign_in = || app.post("/sign-in").same_origin();
    assert_eq!(statuses(sign_in, 16 * 1024 + 1).await, [413; 3]);
    let sign_out = || app.post("/sign-out").same_origin();
    assert_eq!(statuses(sign_out, 256 * 1024 + 1).await, [413; 3]);
    assert_eq!(statuses(sign_out, 256 * 1024).await, [303; 3]);
    let function = || {
        app.post("/api/pages/generate_api_key")
            .same_origin()
            .cookie(&session)
    };
    assert_eq!(statuses(function, 256 * 1024 + 1).await, [413; 3]);
    let refused = api().body("text/plain", chunked(1024 * 1024)).send().await;
    refused.assert_problem(413, "payload_too_large");
}

#[tokio::test]
async fn p22_a_compressed_body_is_not_decompressed() {
    let (app, key) = TestApp::start().await.with_key().await;
    let request = app
        .get("/api/v1/whoami")
        .key(key.secret.expose())
        .header("content-encoding", "gzip");
    let response = request
        .body("application/json", vec![0x1f, 0x8b])
        .send()
        .await;
    response.assert_problem(415, "unsupported_media_type");
    let response = app
        .post("/sign-in")
        .header("content-encoding", "gzip")
        .body("application/x-www-form-urlencoded", vec![0x1f, 0x8b])
        .send()
        .await;
    assert_eq!(response.status, 415);
}
