//! `GET /healthz`, `GET /readyz`

use super::world::TestApp;

#[tokio::test]
async fn the_process_is_up_and_the_database_answers() {
    let app = TestApp::start().await;
    for path in ["/healthz", "/readyz"] {
        let answer = app.get(path).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}
