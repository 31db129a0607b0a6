//! `POST /sign-out`

use leptos::server_fn::axum::server_fn_paths;
use serde_json::json;

use super::test_app::{ADMIN, TestApp};

#[tokio::test]
async fn p10_after_sign_out_the_old_cookie_is_invalid() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let other = app.sign_in(ADMIN).await;
    let page = app.get("/tenant-api-keys").cookie(&session).send().await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("cache-control"),
        "no-store, no-transform",
        "the back button shows nothing"
    );

    let response = app
        .post("/sign-out")
        .same_origin()
        .cookie(&session)
        .send()
        .await;
    assert_eq!(
        (response.status.as_u16(), response.header("location")),
        (303, "/sign-in")
    );
    assert_eq!(
        response.header("set-cookie"),
        "latchkey_session=; HttpOnly; Path=/; SameSite=Lax; Max-Age=0"
    );
    for path in ["/tenant-api-keys", "/tenant-api-keys/new", "/account"] {
        let response = app.get(path).cookie(&session).send().await;
        assert_eq!(response.status, 303, "{path}");
        assert!(response.header("location").starts_with("/sign-in?"));
    }
    for (path, _) in server_fn_paths() {
        let response = app
            .post(path)
            .same_origin()
            .cookie(&session)
            .json(&json!({ "tenant": null }))
            .send()
            .await;
        assert_eq!(response.status, 401, "{path}");
    }
    app.get("/api/v1/whoami")
        .cookie(&session)
        .send()
        .await
        .assert_problem(401, "missing_api_key");
    assert!(
        app.is_signed_in(&other).await,
        "another browser's session goes on"
    );
}

#[tokio::test]
async fn signing_out_without_a_session_redirects_to_sign_in() {
    let app = TestApp::start().await;
    let response = app.post("/sign-out").same_origin().send().await;
    assert_eq!(
        (response.status.as_u16(), response.header("location")),
        (303, "/sign-in")
    );
}
