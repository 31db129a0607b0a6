//! `GET /healthz`, `GET /readyz`

use super::test_app::TestApp;

#[tokio::test]
async fn health_and_readiness_are_200() {
    let app = TestApp::start().await;
    for path in ["/healthz", "/readyz"] {
        let response = app.get(path).send().await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        assert_eq!(response.header("cache-control"), "no-store");
    }
}
