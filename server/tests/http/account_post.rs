//! `POST /account`: changes the password.

use super::{
    request::TestResponse,
    test_app::{ADMIN, PASSWORD, TestApp},
};

const NEW: &str = "seven tired herons 41 umbrella";

async fn change(app: &TestApp, session: &str, current: &str, new: &str) -> TestResponse {
    app.post("/account")
        .same_origin()
        .cookie(session)
        .form(&[("current_password", current), ("new_password", new)])
        .send()
        .await
}

#[tokio::test]
async fn p12_a_new_password_ends_every_other_session_and_gives_this_one_a_new_token() {
    let app = TestApp::start().await.with_admin().await;
    let (here, elsewhere) = (app.sign_in(ADMIN).await, app.sign_in(ADMIN).await);
    let response = change(&app, &here, PASSWORD, NEW).await;
    assert_eq!(response.status, 303, "{}", response.text());
    assert_eq!(response.header("location"), "/account");
    let renewed = response.set_cookie("latchkey_session");
    assert_ne!(renewed, here);
    assert!(app.is_signed_in(&renewed).await);
    assert!(!app.is_signed_in(&here).await, "the old token is dead");
    assert!(!app.is_signed_in(&elsewhere).await);
    for (password, status) in [(PASSWORD, 422), (NEW, 303)] {
        let response = app
            .post("/sign-in")
            .same_origin()
            .form(&[("email", ADMIN), ("password", password)])
            .send()
            .await;
        assert_eq!(response.status, status);
    }
}

#[tokio::test]
async fn a_wrong_current_password_and_a_weak_new_one_change_nothing() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let response = change(&app, &session, "violet canoe 7 orbit lanterm", NEW).await;
    assert_eq!(response.status, 422);
    assert!(response.text().contains("The current password is wrong."));
    let response = change(&app, &session, PASSWORD, "password1234").await;
    assert_eq!(response.status, 422);
    let page = response.text();
    assert!(page.contains("id=\"new-password-error\""), "{page}");
    for secret in [PASSWORD, NEW, "password1234"] {
        assert!(!page.contains(secret));
    }
    assert!(app.is_signed_in(&session).await);
}

#[tokio::test]
async fn every_empty_field_is_reported_and_is_no_attempt() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    for (current, new, messages) in [
        (
            "",
            "",
            &["Enter your current password.", "Enter a new password."][..],
        ),
        ("", NEW, &["Enter your current password."]),
        (PASSWORD, "", &["Enter a new password."]),
    ] {
        for _ in 0..12 {
            let response = change(&app, &session, current, new).await;
            assert_eq!(response.status, 422);
            let page = response.text();
            for message in messages {
                assert!(page.contains(message), "{message}: {page}");
            }
            let marked = page.matches("aria-invalid=\"true\"").count();
            assert_eq!(marked, messages.len());
        }
    }
    let response = change(&app, &session, PASSWORD, NEW).await;
    assert_eq!(response.status, 303);
}

#[tokio::test]
async fn p78_the_current_password_is_checked_before_the_new_one() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let costly: String = "4@8({[<369#!1/|0$5+7%2".chars().cycle().take(256).collect();
    // The length is checked without hashing, so that both wrong fields are reported together.
    let long = "a".repeat(5_000);
    for (new, is_told) in [
        ("short", true),
        ("password1234", false),
        (costly.as_str(), false),
        (long.as_str(), true),
    ] {
        let response = change(&app, &session, "violet canoe 7 orbit lanterm", new).await;
        assert_eq!(response.status, 422);
        let page = response.text();
        assert!(page.contains("The current password is wrong."), "{page}");
        let is_hidden = page.contains("id=\"new-password-error\" hidden");
        assert_eq!(is_hidden, !is_told, "{page}");
    }
    // A correct current password is not counted as a failure, even where the new one is refused.
    for _ in 0..12 {
        let response = change(&app, &session, PASSWORD, "short").await;
        assert_eq!(response.status, 422);
        assert!(
            response
                .text()
                .contains("aria-describedby=\"new-password-error")
        );
    }
    assert!(app.is_signed_in(&session).await);
}

#[tokio::test]
async fn p13_wrong_current_passwords_in_a_session_are_throttled() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    for _ in 0..10 {
        let response = change(&app, &session, "violet canoe 7 orbit lanterm", NEW).await;
        assert_eq!(response.status, 422, "{}", response.text());
    }
    let response = change(&app, &session, PASSWORD, NEW).await;
    assert_eq!(response.status, 429);
    assert!(response.headers.contains_key("retry-after"));
    assert!(app.is_signed_in(&session).await);
}

#[tokio::test]
async fn the_notice_of_a_password_change_is_shown_once_and_not_by_url() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let says = |response: &TestResponse| response.text().contains("Password changed.");
    let link = app
        .get("/account?changed=password")
        .cookie(&session)
        .send()
        .await;
    assert!(!says(&link), "anybody can send such a link");
    let response = change(&app, &session, PASSWORD, NEW).await;
    let renewed = response.set_cookie("latchkey_session");
    let notice = response.set_cookie("latchkey_done");
    let page = app
        .get("/account")
        .cookie(&format!("{renewed}; {notice}"))
        .send()
        .await;
    assert!(says(&page));
    assert_eq!(page.set_cookie("latchkey_done"), "latchkey_done=");
    let again = app.get("/account").cookie(&renewed).send().await;
    assert!(!says(&again));
}

#[tokio::test]
async fn a_field_error_is_also_an_alert_above_the_form() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let response = change(&app, &session, "violet canoe 7 orbit lanterm", "short").await;
    assert_eq!(response.status, 422);
    let page = response.text();
    assert!(page.contains("Must be 12–256 characters"), "{page}");
    assert!(
        page.contains("<p role=\"alert\">Your password was not changed."),
        "{page}"
    );
}
