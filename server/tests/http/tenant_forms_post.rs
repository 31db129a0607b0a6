//! `POST /tenants/…`: the forms of tenants.

use domain::tenant::Tenant;

use super::{
    request::TestResponse,
    test_app::{ADMIN, KeySpec, MEMBER, SUPER_USER, TestApp},
};

async fn super_user() -> (TestApp, String) {
    let app = TestApp::start().await.with_super_user().await;
    let session = app.sign_in(SUPER_USER).await;
    (app, session)
}

async fn send(app: &TestApp, session: &str, path: &str, fields: &[(&str, &str)]) -> TestResponse {
    let request = app.post(path).same_origin().cookie(session);
    request.form(fields).send().await
}

async fn stored(app: &TestApp, slug: &str) -> Tenant {
    let cli = app.store.as_cli();
    app.store.tenants(&cli).find(slug).await.unwrap()
}

/// The list of tenants after a change.
async fn list_after(app: &TestApp, session: &str, changed: &TestResponse) -> String {
    assert_eq!(changed.status, 303, "{}", changed.text());
    assert_eq!(changed.header("location"), "/tenants");
    let done = changed.set_cookie("latchkey_done");
    let list = app.get("/tenants").cookie(&format!("{session}; {done}"));
    list.send().await.text().replace("<!>", "")
}

#[tokio::test]
async fn a_tenant_is_created_and_the_list_shows_a_notice() {
    let (app, session) = super_user().await;
    let fields = [
        ("name", " Südfracht Nürnberg "),
        ("slug", ""),
        ("key_limit", ""),
    ];
    let created = send(&app, &session, "/tenants/new", &fields).await;
    let list = list_after(&app, &session, &created).await;
    assert!(list.contains("Created Südfracht Nürnberg."), "{list}");
    assert_eq!(list.matches("class=\"is-new\"").count(), 1, "{list}");
    let tenant = stored(&app, "sudfracht-nurnberg").await;
    assert_eq!(
        (tenant.name.as_str(), tenant.key_limit),
        ("Südfracht Nürnberg", 100)
    );
    // A repeat creates no second tenant.
    let again = send(&app, &session, "/tenants/new", &fields).await;
    assert_eq!(again.status, 409);
    assert!(
        again
            .text()
            .contains("There is a tenant with the slug “sudfracht-nurnberg” already")
    );
    let fields = [("name", "Other"), ("slug", "other-1"), ("key_limit", "7")];
    assert_eq!(
        send(&app, &session, "/tenants/new", &fields).await.status,
        303
    );
    assert_eq!(stored(&app, "other-1").await.key_limit, 7);
}

#[tokio::test]
async fn a_refused_form_names_each_error_and_keeps_what_was_typed() {
    let (app, session) = super_user().await;
    let fields = [("name", " "), ("slug", "<b>"), ("key_limit", "-1")];
    let refused = send(&app, &session, "/tenants/new", &fields).await;
    assert_eq!(refused.status, 422);
    let page = refused.text();
    for text in [
        "Must be 1–200 characters",
        "Must be 1–63 of a–z, 0–9 and -",
        "Must be a whole number from 0 to 1,000,000",
        "value=\"&lt;b&gt;\"",
        "value=\"-1\"",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let fields = [("version", "1"), ("name", "Acme"), ("key_limit", "")];
    let refused = send(&app, &session, "/tenants/acme/edit", &fields).await;
    assert_eq!(refused.status, 422);
    assert_eq!(stored(&app, "acme").await.version, 1);
}

#[tokio::test]
async fn p48_name_and_limit_are_edited_once_for_each_version() {
    let (app, session) = super_user().await;
    let edit = async |version: &str, name: &str, limit: &str| {
        let fields = [("version", version), ("name", name), ("key_limit", limit)];
        send(&app, &session, "/tenants/acme/edit", &fields).await
    };
    let edited = edit("1", "Acme Freight", "3").await;
    let list = list_after(&app, &session, &edited).await;
    assert!(
        list.contains("Saved Acme Freight.") && list.contains("0/3 keys"),
        "{list}"
    );
    let stale = edit("1", "Other", "4").await;
    assert_eq!(stale.status, 409);
    let page = stale.text().replace("<!>", "");
    assert!(
        page.contains("This tenant was changed since you opened it."),
        "{page}"
    );
    assert!(
        page.contains(
            "Its name is now <strong dir=\"auto\">Acme Freight</strong>, its key limit 3."
        ),
        "{page}"
    );
    assert!(
        page.contains("value=\"Other\"") && page.contains("name=\"version\" value=\"2\""),
        "{page}"
    );
    assert_eq!(edit("2", "Acme Freight", "3").await.status, 303);
    let tenant = stored(&app, "acme").await;
    assert_eq!(
        (tenant.name.as_str(), tenant.key_limit, tenant.version),
        ("Acme Freight", 3, 2)
    );
    // One event for each changed field, with the super user and the tenant.
    let events = app.audited("acme").await;
    let changes: Vec<_> = events
        .iter()
        .filter(|event| event.target.kind == "tenant" && event.actor.name == "otis")
        .map(|event| event.action.as_str())
        .collect();
    assert_eq!(changes, ["tenant.limit_changed", "tenant.renamed"]);
    let missing = send(
        &app,
        &session,
        "/tenants/nowhere/edit",
        &[("version", "1"), ("name", "X"), ("key_limit", "1")],
    );
    assert_eq!(missing.await.status, 404);
}

#[tokio::test]
async fn p29_a_suspension_is_confirmed_and_in_effect_until_it_is_resumed() {
    let (app, session) = super_user().await;
    let app = app.with_admin().await;
    let key = app.issue(KeySpec::default()).await;
    let admin = app.sign_in(ADMIN).await;
    let page = app
        .get("/tenants/acme/suspend")
        .cookie(&session)
        .send()
        .await;
    let page = page.text().replace("<!>", "");
    assert!(page.contains("1 key and 1 user stop at once."), "{page}");
    let suspended = send(&app, &session, "/tenants/acme/suspend", &[]).await;
    let list = list_after(&app, &session, &suspended).await;
    assert!(
        list.contains("Suspended Acme. Its keys and sessions are refused."),
        "{list}"
    );
    assert!(list.contains("href=\"/tenants/acme/resume\""), "{list}");
    let refused = app
        .get("/api/v1/whoami")
        .key(key.secret.expose())
        .send()
        .await;
    refused.assert_problem(403, "tenant_suspended");
    assert!(!app.is_signed_in(&admin).await);
    let again = app
        .get("/tenants/acme/suspend")
        .cookie(&session)
        .send()
        .await;
    assert!(
        again
            .text()
            .replace("<!>", "")
            .contains("is suspended already.")
    );
    let resumed = send(&app, &session, "/tenants/acme/resume", &[]).await;
    let list = list_after(&app, &session, &resumed).await;
    assert!(
        list.contains("Resumed Acme. Its keys work again."),
        "{list}"
    );
    assert_eq!(
        app.get("/api/v1/whoami")
            .key(key.secret.expose())
            .send()
            .await
            .status,
        200
    );
    let events = app.audited("acme").await;
    let event = events
        .iter()
        .find(|event| event.action.as_str() == "tenant.suspended")
        .unwrap();
    assert_eq!(
        (event.actor.name.as_str(), event.target.name.as_str()),
        ("otis", "Acme")
    );
    assert_eq!(
        send(&app, &session, "/tenants/nowhere/suspend", &[])
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn p24_only_super_users_change_tenants() {
    let app = TestApp::start()
        .await
        .with_admin()
        .await
        .with_member()
        .await;
    for user in [ADMIN, MEMBER] {
        let session = app.sign_in(user).await;
        let new = [("name", "Mine"), ("slug", "mine"), ("key_limit", "1000000")];
        assert_eq!(
            send(&app, &session, "/tenants/new", &new).await.status,
            403,
            "{user}"
        );
        let edit = [("version", "1"), ("name", "Acme"), ("key_limit", "1000000")];
        assert_eq!(
            send(&app, &session, "/tenants/acme/edit", &edit)
                .await
                .status,
            403,
            "{user}"
        );
        for form in ["suspend", "resume"] {
            let path = format!("/tenants/acme/{form}");
            assert_eq!(send(&app, &session, &path, &[]).await.status, 403, "{user}");
        }
    }
    let tenant = stored(&app, "acme").await;
    assert_eq!((tenant.version, tenant.suspended_at), (1, None));
}
