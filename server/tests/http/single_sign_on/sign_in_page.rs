//! The sign-in page with single sign-on, and without passwords.

use app::sign_in::SsoFailure;

use super::{
    super::test_app::{ADMIN, PASSWORD, TestApp},
    CLAIMS, app_with, start,
};
use crate::support::test_provider::TestProvider;

#[tokio::test]
async fn the_button_stands_above_the_password_and_keeps_the_path_to_return_to() {
    let (app, _provider) = start().await;
    let page = app.get("/sign-in?return_to=/audit-log").send().await.text();
    let button = page.find("Sign in with Acme").expect("the button");
    let password = page.find("type=\"password\"").expect("the password");
    assert!(button < password);
    assert!(
        page.contains("href=\"/sign-in/sso?return_to=%2Faudit-log\""),
        "{page}"
    );
    let hostile = app
        .get("/sign-in?return_to=//attacker.example")
        .send()
        .await;
    assert!(hostile.text().contains("href=\"/sign-in/sso\""));
}

#[tokio::test]
async fn every_failure_is_a_sentence_on_the_page() {
    let (app, _provider) = start().await;
    for failure in SsoFailure::ALL {
        assert_eq!(SsoFailure::parse(failure.as_str()), Some(failure));
        let page = app
            .get(&format!("/sign-in?sso={}", failure.as_str()))
            .send()
            .await;
        assert_eq!(page.status, 200);
        let page = page.text();
        assert!(page.contains(failure.message()), "{}", failure.as_str());
        assert!(page.contains("role=\"alert\""));
    }
    let page = app.get("/sign-in?sso=%3Cscript%3E").send().await.text();
    assert!(!page.contains("role=\"alert\""));
}

#[tokio::test]
async fn without_single_sign_on_its_routes_do_not_exist() {
    let app = TestApp::start().await;
    for path in ["/sign-in/sso", "/sign-in/sso/callback?state=x&code=y"] {
        assert_eq!(app.get(path).send().await.status, 404, "{path}");
    }
    let page = app.get("/sign-in?sso=unavailable").send().await.text();
    assert!(!page.contains("/sign-in/sso") && !page.contains("role=\"alert\""));
}

#[tokio::test]
async fn passwords_can_be_turned_off() {
    let provider = TestProvider::start();
    let off = [&CLAIMS[..], &[("LATCHKEY_PASSWORD_SIGN_IN", "off")]].concat();
    let app = app_with(&provider.issuer, &off).await.with_admin().await;
    let page = app.get("/sign-in").send().await.text();
    assert!(page.contains("Sign in with Acme"));
    assert!(!page.contains("type=\"password\"") && !page.contains("method=\"post\""));
    let attempt = app.post("/sign-in").same_origin();
    let attempt = attempt.form(&[("email", ADMIN), ("password", PASSWORD)]);
    let response = attempt.send().await;
    assert_eq!(response.status, 404);
    assert!(!response.headers.contains_key("set-cookie"));
}
