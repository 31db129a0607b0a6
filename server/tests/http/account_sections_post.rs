//! The forms of My account: name, sessions and theme.

use domain::audit::AuditAction;

use super::{
    account_get::sign_in_with,
    test_app::{ADMIN, MEMBER, TestApp},
};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// The identifiers of the other sessions on the page.
async fn other_sessions(app: &TestApp, session: &str) -> Vec<String> {
    let page = app.get("/account").cookie(session).send().await.text();
    let values = page.split("name=\"session\" value=\"").skip(1);
    values
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_changed_name_is_shown_confirmed_and_audited() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let rename = async |name: &str| {
        let request = app.post("/account/name").same_origin().cookie(&session);
        request.form(&[("name", name)]).send().await
    };
    let response = rename("  Mira   Lindqvist ").await;
    assert_eq!(response.status, 303, "{}", response.text());
    let notice = response.set_cookie("latchkey_done");
    let request = app.get("/account").cookie(&format!("{session}; {notice}"));
    let page = request.send().await.text();
    assert!(
        page.contains("Name saved.") && page.contains("Lindqvist"),
        "{page}"
    );
    let events = app.audited("acme").await;
    let renames = |events: &[domain::audit::AuditEvent]| {
        let renamed = AuditAction::UserRenamed;
        events
            .iter()
            .filter(|event| event.action == renamed)
            .count()
    };
    assert_eq!(renames(&events), 1);
    // The same name again is no change.
    assert_eq!(rename("Mira   Lindqvist").await.status, 303);
    assert_eq!(renames(&app.audited("acme").await), 1);
}

#[tokio::test]
async fn an_empty_or_misleading_name_is_refused_beside_the_field() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    for name in ["", "   ", &"x".repeat(201), "Mira\u{202e}arim"] {
        let response = app
            .post("/account/name")
            .same_origin()
            .cookie(&session)
            .form(&[("name", name)])
            .send()
            .await;
        assert_eq!(response.status, 422);
        let page = response.text();
        assert!(
            page.contains("id=\"name-error\"><p class=\"field-error\""),
            "{page}"
        );
    }
    let renamed = app.audited("acme").await;
    assert!(
        renamed
            .iter()
            .all(|event| event.action != AuditAction::UserRenamed)
    );
}

#[tokio::test]
async fn one_session_is_ended_and_no_other() {
    let app = TestApp::start().await.with_admin().await;
    let here = app.sign_in(ADMIN).await;
    let there = sign_in_with(&app, BROWSER, "198.51.100.8").await;
    let third = app.sign_in(ADMIN).await;
    let end = async |id: &str, session: &str| {
        let request = app.post("/account/sessions/end").same_origin();
        let request = request.cookie(session).form(&[("session", id)]);
        request.send().await
    };
    let others = other_sessions(&app, &there).await;
    assert_eq!(others.len(), 2);
    let id = other_sessions(&app, &here).await;
    let of_there: Vec<_> = id.iter().filter(|id| !others.contains(id)).collect();
    assert_eq!(of_there.len(), 1);
    let response = end(of_there[0], &here).await;
    assert_eq!(response.status, 303);
    assert!(!app.is_signed_in(&there).await);
    assert!(app.is_signed_in(&here).await && app.is_signed_in(&third).await);
    let events = app.audited("acme").await;
    let event = events
        .iter()
        .find(|event| event.action == AuditAction::SignedOut)
        .unwrap();
    assert_eq!(event.changes["session"]["before"], "Firefox on Linux");
    // Again, and with text that is no identifier.
    assert_eq!(end(of_there[0], &here).await.status, 303);
    assert_eq!(end("x", &here).await.status, 422);
}

#[tokio::test]
async fn a_session_of_another_user_cannot_be_ended() {
    let app = TestApp::start()
        .await
        .with_admin()
        .await
        .with_member()
        .await;
    let (admin, member) = (app.sign_in(ADMIN).await, app.sign_in(MEMBER).await);
    let second = app.sign_in(ADMIN).await;
    for id in other_sessions(&app, &second).await {
        let request = app.post("/account/sessions/end").same_origin();
        let request = request.cookie(&member).form(&[("session", &id)]);
        assert_eq!(request.send().await.status, 303);
    }
    assert!(app.is_signed_in(&admin).await);
}

#[tokio::test]
async fn p12_sign_out_elsewhere_ends_every_other_session_at_once() {
    let app = TestApp::start()
        .await
        .with_admin()
        .await
        .with_member()
        .await;
    let member = app.sign_in(MEMBER).await;
    let (here, one) = (app.sign_in(ADMIN).await, app.sign_in(ADMIN).await);
    let other = app.sign_in(ADMIN).await;
    let request = app.post("/account/sessions/end-others").same_origin();
    let response = request.cookie(&here).form(&[]).send().await;
    assert_eq!(response.status, 303);
    assert_eq!(response.header("location"), "/account");
    for (session, is_signed_in) in [
        (&here, true),
        (&one, false),
        (&other, false),
        (&member, true),
    ] {
        assert_eq!(app.is_signed_in(session).await, is_signed_in);
    }
    let notice = response.set_cookie("latchkey_done");
    let request = app.get("/account").cookie(&format!("{here}; {notice}"));
    let page = request.send().await.text();
    assert!(page.contains("Signed out 2 other sessions."), "{page}");
    assert!(
        !page.contains("Sign out elsewhere"),
        "no other session is left"
    );
    let events = app.audited("acme").await;
    let event = events
        .iter()
        .find(|event| event.action == AuditAction::UserSessionsEnded)
        .unwrap();
    assert_eq!(event.changes["sessions"]["after"], 1);
}

#[tokio::test]
async fn a_theme_is_stored_for_a_year_and_that_of_the_system_deletes_the_cookie() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let choose = async |theme: &str| {
        let request = app.post("/account/theme").same_origin().cookie(&session);
        request.form(&[("theme", theme)]).send().await
    };
    let response = choose("dark").await;
    assert_eq!(response.status, 303);
    assert_eq!(response.set_cookie("latchkey_theme"), "latchkey_theme=dark");
    let cookies = response.headers.get_all("set-cookie").iter();
    let theme = cookies
        .filter_map(|cookie| cookie.to_str().ok())
        .find(|cookie| cookie.starts_with("latchkey_theme"))
        .unwrap()
        .to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Max-Age=31536000"] {
        assert!(theme.contains(part), "{theme}");
    }
    let response = choose("system").await;
    assert_eq!(response.set_cookie("latchkey_theme"), "latchkey_theme=");
    assert_eq!(choose("pink").await.status, 422);
}
