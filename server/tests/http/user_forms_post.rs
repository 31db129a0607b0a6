//! `POST /users/…` and `/invitation/…`: invitations, changes of users, and what ends a session.

use domain::{audit::AuditAction, user::Role};
use server::clock;

use super::{
    request::TestResponse,
    test_app::{ADMIN, MEMBER, PASSWORD, SUPER_USER, TestApp},
};

const SANNE: &str = "sanne@acme.example";
const NEW_PASSWORD: &str = "crimson teapot 9 glacier mandolin";

async fn send(app: &TestApp, session: &str, path: &str, fields: &[(&str, &str)]) -> TestResponse {
    let request = app.post(path).same_origin().cookie(session);
    request.form(fields).send().await
}

/// The path of the link that a response shows.
fn link_in(response: &TestResponse) -> String {
    assert_eq!(response.status, 200, "{}", response.text());
    let text = response.text();
    let start = text.find("/invitation/").expect("a link");
    text[start..start + "/invitation/".len() + 43].to_owned()
}

async fn invite(app: &TestApp, session: &str, email: &str, role: &str) -> TestResponse {
    let fields = [("email", email), ("role", role)];
    send(app, session, "/users/invite", &fields).await
}

async fn accept(app: &TestApp, link: &str, fields: &[(&str, &str)]) -> TestResponse {
    app.post(link).same_origin().form(fields).send().await
}

async fn sign_in(app: &TestApp, email: &str, password: &str) -> TestResponse {
    let fields = [("email", email), ("password", password)];
    app.post("/sign-in")
        .same_origin()
        .form(&fields)
        .send()
        .await
}

/// The identifier of a user of Acme.
async fn id_of(app: &TestApp, email: &str) -> String {
    let cli = app.store.as_cli();
    let users = app.store.users(&cli).list().await.unwrap();
    let mut users = users.into_iter().map(|(user, _)| user);
    let user = users.find(|user| user.email.as_str() == email);
    user.expect("a user").id.to_string()
}

async fn actions(app: &TestApp) -> Vec<AuditAction> {
    let events = app.audited("acme").await;
    events.into_iter().map(|event| event.action).collect()
}

#[tokio::test]
async fn p12_a_person_is_invited_accepts_gets_a_role_is_disabled_and_enabled() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let created = invite(&app, &session, SANNE, "member").await;
    let link = link_in(&created);
    assert_eq!(created.header("cache-control"), "no-store, no-transform");
    assert!(!created.text().contains("<script"), "{}", created.text());
    let policy = created.header("content-security-policy").to_owned();
    assert!(!policy.contains("script-src"), "{policy}");
    let list = app.get("/users").cookie(&session).send().await.text();
    assert!(list.contains("Invited") && !list.contains(&link), "{list}");

    // Neither a read nor a prefetch uses the link up.
    for method in ["GET", "HEAD", "GET"] {
        let page = app.request(method, &link).send().await;
        assert_eq!(page.status, 200, "{method}");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
    }
    let form = [("name", "Sanne Vos"), ("password", NEW_PASSWORD)];
    let foreign = app.post(&link).header("sec-fetch-site", "cross-site");
    assert_eq!(foreign.form(&form).send().await.status, 403);
    let weak = accept(&app, &link, &[("name", "Sanne Vos"), ("password", "short")]).await;
    assert_eq!(weak.status, 422);
    assert!(weak.text().contains("Sanne Vos") && weak.text().contains("Must be 12"));
    let accepted = accept(&app, &link, &form).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    let again = accept(&app, &link, &form).await;
    assert_eq!(again.status, 410);
    assert!(
        again.text().contains("It was used already"),
        "{}",
        again.text()
    );
    assert_eq!(app.get(&link).send().await.status, 410);

    let signed_in = sign_in(&app, SANNE, NEW_PASSWORD).await;
    assert_eq!(signed_in.status, 303);
    assert_eq!(signed_in.header("location"), "/account");
    let sanne = signed_in.set_cookie("latchkey_session");
    assert_eq!(app.get("/users").cookie(&sanne).send().await.status, 403);

    let id = id_of(&app, SANNE).await;
    let role = format!("/users/{id}/role");
    let promoted = send(&app, &session, &role, &[("role", "tenant_admin")]).await;
    assert_eq!(promoted.status, 303, "{}", promoted.text());
    assert_eq!(promoted.header("location"), "/users");
    let done = promoted.set_cookie("latchkey_done");
    let page = app
        .get("/users")
        .cookie(&format!("{session}; {done}"))
        .send()
        .await;
    assert!(page.text().contains("Changed the role of Sanne Vos."));
    // The session has the new role on its next request.
    assert_eq!(app.get("/users").cookie(&sanne).send().await.status, 200);

    let disabled = send(&app, &session, &format!("/users/{id}/disable"), &[]).await;
    assert_eq!(disabled.status, 303, "{}", disabled.text());
    assert!(
        !app.is_signed_in(&sanne).await,
        "refused on the next request"
    );
    assert_eq!(sign_in(&app, SANNE, NEW_PASSWORD).await.status, 403);
    let enabled = send(&app, &session, &format!("/users/{id}/enable"), &[]).await;
    assert_eq!(enabled.status, 303);
    assert!(!app.is_signed_in(&sanne).await);
    assert_eq!(sign_in(&app, SANNE, NEW_PASSWORD).await.status, 303);
    let audited = actions(&app).await;
    for action in [
        AuditAction::UserInvited,
        AuditAction::UserCreated,
        AuditAction::LinkRefused,
        AuditAction::UserRoleChanged,
        AuditAction::UserDisabled,
        AuditAction::UserEnabled,
    ] {
        assert!(audited.contains(&action), "{action:?}");
    }
}

#[tokio::test]
async fn p12_a_new_password_by_a_link_ends_every_session() {
    let app = TestApp::start()
        .await
        .with_admin()
        .await
        .with_member()
        .await;
    let session = app.sign_in(ADMIN).await;
    let member = app.sign_in(MEMBER).await;
    let id = id_of(&app, MEMBER).await;
    let created = send(&app, &session, &format!("/users/{id}/invite"), &[]).await;
    let link = link_in(&created);
    assert!(app.is_signed_in(&member).await);
    let page = app.get(&link).send().await.text();
    assert!(page.contains("Set a new password") && !page.contains("Your name"));
    let accepted = accept(&app, &link, &[("password", NEW_PASSWORD)]).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    assert!(!app.is_signed_in(&member).await);
    assert_eq!(sign_in(&app, MEMBER, PASSWORD).await.status, 422);
    assert_eq!(sign_in(&app, MEMBER, NEW_PASSWORD).await.status, 303);

    let member = sign_in(&app, MEMBER, NEW_PASSWORD).await;
    let member = member.set_cookie("latchkey_session");
    let ended = send(&app, &session, &format!("/users/{id}/end-sessions"), &[]).await;
    assert_eq!(ended.status, 303);
    assert!(!app.is_signed_in(&member).await);
}

#[tokio::test]
async fn a_taken_address_the_own_account_and_the_last_administrator_are_refused() {
    let app = TestApp::start()
        .await
        .with_admin()
        .await
        .with_super_user()
        .await;
    app.add_tenant("globex", "Globex").await;
    app.add_user("gus@globex.example", Role::TenantAdmin, Some("globex"))
        .await;
    let session = app.sign_in(ADMIN).await;
    // Users of the own tenant, of another tenant and of none are refused in the same way.
    for taken in [ADMIN, "gus@globex.example", SUPER_USER] {
        let refused = invite(&app, &session, taken, "member").await;
        assert_eq!(refused.status, 409, "{taken}");
        assert!(refused.text().contains("This address cannot be invited"));
        assert!(refused.text().contains(taken), "what was typed is kept");
    }
    for (email, role) in [("no address", "member"), (SANNE, "super_user"), (SANNE, "")] {
        let refused = invite(&app, &session, email, role).await;
        assert_eq!(refused.status, 422, "{email} {role}");
    }
    let id = id_of(&app, ADMIN).await;
    let before = actions(&app).await;
    for (change, fields) in [
        ("role", &[("role", "member")][..]),
        ("disable", &[]),
        ("invite", &[]),
    ] {
        let refused = send(&app, &session, &format!("/users/{id}/{change}"), fields).await;
        assert_eq!(refused.status, 409, "{change}: {}", refused.text());
        let page = app.get(&format!("/users/{id}/{change}")).cookie(&session);
        let page = page.send().await.text();
        assert!(
            page.contains("Ask another administrator"),
            "{change}: {page}"
        );
    }
    assert_eq!(
        actions(&app).await,
        before,
        "a refused change writes nothing"
    );

    // A super user is warned, and may take the last administrator away.
    let operator = app.sign_in(SUPER_USER).await;
    let disable = format!("/users/{id}/disable?tenant=acme");
    let page = app.get(&disable).cookie(&operator).send().await.text();
    assert!(page.contains("last enabled administrator"), "{page}");
    assert_eq!(send(&app, &operator, &disable, &[]).await.status, 303);
    let event = app.audited("acme").await.remove(0);
    assert_eq!(event.action, AuditAction::UserDisabled);
    assert_eq!(event.actor.name, "otis");
}

#[tokio::test]
async fn an_invitation_is_replaced_withdrawn_and_ended_with_its_tenant() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let form = [("name", "Sanne Vos"), ("password", NEW_PASSWORD)];
    let first = link_in(&invite(&app, &session, SANNE, "member").await);
    let second = link_in(&invite(&app, &session, SANNE, "member").await);
    assert_eq!(accept(&app, &first, &form).await.status, 410);

    let list = app
        .get("/users?state=invited")
        .cookie(&session)
        .send()
        .await;
    let text = list.text();
    let end = text.find("/withdraw").expect("a link");
    let id = &text[end - 36..end];
    let renewed = send(&app, &session, &format!("/users/{id}/invite"), &[]).await;
    let third = link_in(&renewed);
    assert_eq!(accept(&app, &second, &form).await.status, 410);
    let list = app
        .get("/users?state=invited")
        .cookie(&session)
        .send()
        .await;
    let text = list.text();
    let end = text.find("/withdraw").expect("a link");
    let id = &text[end - 36..end];
    let withdrawn = send(&app, &session, &format!("/users/{id}/withdraw"), &[]).await;
    assert_eq!(withdrawn.status, 303);
    assert_eq!(accept(&app, &third, &form).await.status, 410);

    let fourth = link_in(&invite(&app, &session, SANNE, "member").await);
    app.suspend("acme").await;
    assert_eq!(app.get(&fourth).send().await.status, 410);
    let cli = app.store.as_cli();
    let tenants = app.store.tenants(&cli);
    tenants.resume("acme", clock::now()).await.unwrap();
    assert_eq!(accept(&app, &fourth, &form).await.status, 410);
    let unknown = format!("/invitation/{}", "A".repeat(43));
    assert_eq!(app.get(&unknown).send().await.status, 404);
    assert_eq!(accept(&app, &unknown, &form).await.status, 404);
}

#[tokio::test]
async fn p08_p09_a_sign_in_link_opens_a_new_session_once() {
    let app = TestApp::start().await.with_super_user().await;
    let cli = app.store.as_cli();
    let users = app.store.users(&cli);
    let otis = SUPER_USER.parse().unwrap();
    let link = users.sign_in_link(&otis, clock::now()).await.unwrap();
    let path = format!("/sign-in-link/{}", link.token.expose());
    // Not an invitation.
    let other = format!("/invitation/{}", link.token.expose());
    assert_eq!(app.get(&other).send().await.status, 404);
    for _ in 0..2 {
        let page = app.get(&path).send().await;
        assert_eq!(page.status, 200);
        assert!(page.headers.get("set-cookie").is_none());
        assert!(page.text().contains(SUPER_USER), "{}", page.text());
    }
    let planted = format!("latchkey_session={}", "a".repeat(64));
    let request = app.post(&path).same_origin().cookie(&planted);
    let signed_in = request.form(&[]).send().await;
    assert_eq!(signed_in.status, 303, "{}", signed_in.text());
    let session = signed_in.set_cookie("latchkey_session");
    assert_ne!(session, planted);
    assert!(app.is_signed_in(&session).await);
    assert!(!app.is_signed_in(&planted).await);
    let again = app.post(&path).same_origin().form(&[]).send().await;
    assert_eq!(again.status, 410);
    assert!(again.headers.get("set-cookie").is_none());
}

#[tokio::test]
async fn the_list_of_users_shows_long_addresses_and_hostile_names_as_text() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let long = format!("{}@{}.example", "l".repeat(120), "d".repeat(60));
    link_in(&invite(&app, &session, &long, "member").await);
    let link = link_in(&invite(&app, &session, SANNE, "member").await);
    let form = [("name", "<b>Sanne</b>"), ("password", NEW_PASSWORD)];
    assert_eq!(accept(&app, &link, &form).await.status, 200);
    let list = app.get("/users?q=sanne").cookie(&session).send().await;
    let text = list.text();
    assert!(text.contains("&lt;b&gt;Sanne&lt;/b&gt;") && !text.contains("<b>Sanne"));
    assert!(!text.contains(&long), "the search leaves it out");
    let list = app.get("/users").cookie(&session).send().await;
    assert!(list.text().contains(&long));
    assert!(
        list.text().contains("2 users, 1 enabled administrator"),
        "{}",
        list.text()
    );
}
