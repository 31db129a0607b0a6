//! `POST /page-reports`: why a page goes on without its script.

use super::world::{ADMIN, TestApp};

#[tokio::test]
async fn a_report_is_short_from_our_own_page_and_one_of_the_known_ones() {
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
        let ask = || {
            app.post("/page-reports")
                .body("text/plain", report.to_owned())
        };
        let answer = ask().same_origin().cookie(&session).send().await;
        assert_eq!(answer.status, status, "{report}");
        assert!(answer.body.len() < 100, "{report}");
        // A stranger learns nothing from the answer.
        assert_eq!(ask().same_origin().send().await.status, status, "{report}");
        let foreign = ask().header("sec-fetch-site", "cross-site");
        assert_eq!(foreign.cookie(&session).send().await.status, 403);
    }
}
