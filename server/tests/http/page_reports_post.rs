//! `POST /page-reports`: reports of pages whose script failed.

use super::test_app::{ADMIN, TestApp};

#[tokio::test]
async fn only_known_reports_of_same_origin_pages_are_accepted() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let long = "a".repeat(257);
    let cases = [
        ("changed", 204),
        ("not loaded", 204),
        ("trapped", 204),
        ("panicked app/src/lib.rs:1:2", 204),
        ("the secret is lk_000", 422),
        ("", 422),
        (&long, 413),
    ];
    for (report, status) in cases {
        let request = || {
            app.post("/page-reports")
                .body("text/plain", report.to_owned())
        };
        let response = request().same_origin().cookie(&session).send().await;
        assert_eq!(response.status, status, "{report}");
        assert!(response.body.len() < 100, "{report}");
        // Without a session the response is the same.
        assert_eq!(
            request().same_origin().send().await.status,
            status,
            "{report}"
        );
        let foreign = request().header("sec-fetch-site", "cross-site");
        assert_eq!(foreign.cookie(&session).send().await.status, 403);
    }
}
