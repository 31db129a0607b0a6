//! `POST /authorization-groups/…`: the forms of authorization groups.

use domain::{group::AuthorizationGroup, store::groups::GroupChanges};
use server::clock;

use super::{
    request::TestResponse,
    test_app::{ADMIN, KeySpec, MEMBER, SUPER_USER, TestApp},
};

const NEW: &str = "/authorization-groups/new";

async fn admin() -> (TestApp, String) {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    (app, session)
}

async fn send(app: &TestApp, session: &str, path: &str, fields: &[(&str, &str)]) -> TestResponse {
    let request = app.post(path).same_origin().cookie(session);
    request.form(fields).send().await
}

async fn groups(app: &TestApp, tenant: &str) -> Vec<AuthorizationGroup> {
    let cli = app.store.as_cli();
    let scope = app.store.tenants(&cli).scope(tenant).await.unwrap();
    app.store.groups(&scope).list().await.unwrap()
}

/// The names and permissions of a tenant's groups.
async fn stored(app: &TestApp, tenant: &str) -> Vec<(String, String)> {
    let groups = groups(app, tenant).await.into_iter();
    let text = |group: &AuthorizationGroup| {
        let words: Vec<_> = group.permissions.iter().map(ToString::to_string).collect();
        words.join(" ")
    };
    groups
        .map(|group| (group.name.clone(), text(&group)))
        .collect()
}

fn pair(name: &str, permissions: &str) -> (String, String) {
    (name.to_owned(), permissions.to_owned())
}

#[tokio::test]
async fn a_group_is_created_and_the_list_shows_a_notice() {
    let (app, session) = admin().await;
    let fields = [
        ("name", "Orders"),
        (
            "permissions",
            "orders:write\r\norders:read\r\n\r\norders:read",
        ),
        ("action", "save"),
    ];
    let response = send(&app, &session, NEW, &fields).await;
    assert_eq!(response.status, 303, "{}", response.text());
    let list = response.header("location").to_owned();
    let group = groups(&app, "acme").await.remove(0);
    assert_eq!(list, "/authorization-groups");
    let done = response.set_cookie("latchkey_done");
    assert_eq!(done, format!("latchkey_done=group-created.{}", group.id));
    assert_eq!(
        stored(&app, "acme").await,
        [pair("Orders", "orders:read orders:write")]
    );
    let page = app
        .get(&list)
        .cookie(&format!("{session}; {done}"))
        .send()
        .await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("Created Orders."), "{}", page.text());
    assert!(page.text().contains("is-new"), "{}", page.text());
    assert_eq!(page.set_cookie("latchkey_done"), "latchkey_done=");
    let reloaded = app.get(&list).cookie(&session).send().await;
    assert!(!reloaded.text().contains("Created Orders."));

    // A repeat changes nothing.
    let again = send(&app, &session, NEW, &fields).await;
    assert_eq!(again.status, 409);
    assert!(
        again
            .text()
            .contains("This tenant has a group named “Orders” already"),
        "{}",
        again.text()
    );
    assert_eq!(groups(&app, "acme").await.len(), 1);
}

#[tokio::test]
async fn a_refused_form_names_each_error_and_keeps_what_was_typed() {
    let (app, session) = admin().await;
    let fields = [
        ("name", " "),
        ("permissions", "orders:read\nOrders:<b>\nstock"),
        ("action", "save"),
    ];
    let response = send(&app, &session, NEW, &fields).await;
    assert_eq!(response.status, 422);
    let page = response.text();
    for text in [
        "Must be 1–200 characters",
        "'Orders:&lt;b&gt;' is not a permission",
        "'stock' is not a permission",
        "orders:read\nOrders:&lt;b&gt;\nstock</textarea>",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(groups(&app, "acme").await.is_empty());
    // Missing and additional fields are refused.
    for fields in [
        &[("name", "Orders")][..],
        &[("name", "Orders"), ("permissions", ""), ("type", "user")],
    ] {
        let response = send(&app, &session, NEW, fields).await;
        assert_eq!(response.status, 422, "{fields:?}");
    }
    assert!(groups(&app, "acme").await.is_empty());
}

#[tokio::test]
async fn a_check_states_what_keys_gain_and_lose_and_changes_nothing() {
    let (app, session) = admin().await;
    let group = app.group("acme", &["orders:read", "invoices:read"]).await;
    for name in ["Delta", "Alpha", "Charlie", "Bravo"] {
        let spec = KeySpec {
            name: name.to_owned(),
            permissions: &["orders:read", "invoices:read"],
            ..KeySpec::default()
        };
        app.issue(spec).await;
    }
    let path = format!("/authorization-groups/{}", group.id);
    let opened = app.get(&path).cookie(&session).send().await.text();
    let sentence = "4 keys have this group; 0 of them were used in the last 7 days.";
    assert!(opened.contains(sentence), "{opened}");
    for named in ["Alpha", "Bravo", "Charlie", " and 1 more"] {
        assert!(opened.contains(named), "{named}: {opened}");
    }
    assert!(!opened.contains("Delta") && !opened.contains("They gain"));

    let version = group.version.to_string();
    let fields = [
        ("version", version.as_str()),
        ("name", "Renamed"),
        ("permissions", "orders:read\nshipments:read"),
        ("action", "check"),
    ];
    let before = app.audited("acme").await;
    let checked = send(&app, &session, &path, &fields).await;
    assert_eq!(checked.status, 200);
    let page = checked.text();
    for text in [
        sentence,
        "They gain <!>",
        "They lose <!>",
        "shipments:read",
        "invoices:read",
        "missing_permission",
        "value=\"Renamed\"",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(app.audited("acme").await, before);
    let [same] = &groups(&app, "acme").await[..] else {
        panic!("one group")
    };
    assert_eq!(*same, group);

    // An invalid permission is reported, with the status of a page that changed nothing.
    let fields = [fields[0], fields[1], ("permissions", "orders"), fields[3]];
    let checked = send(&app, &session, &path, &fields).await;
    assert_eq!(checked.status, 200);
    assert!(checked.text().contains("'orders' is not a permission"));
}

#[tokio::test]
async fn saving_changes_what_the_keys_may_do() {
    let (app, session) = admin().await;
    let key = app
        .issue(KeySpec {
            permissions: &["api-keys:read"],
            ..KeySpec::default()
        })
        .await;
    let group = app.group("acme", &["api-keys:read"]).await;
    let path = format!("/authorization-groups/{}", group.id);
    let version = group.version.to_string();
    let list = || app.get("/api/v1/api-keys").key(key.secret.expose());
    assert_eq!(list().send().await.status, 200);
    let fields = [
        ("version", version.as_str()),
        ("name", "Stock"),
        ("permissions", "stock:read"),
        ("action", "save"),
    ];
    let response = send(&app, &session, &path, &fields).await;
    assert_eq!(response.status, 303, "{}", response.text());
    assert_eq!(response.header("location"), "/authorization-groups");
    assert_eq!(
        response.set_cookie("latchkey_done"),
        format!("latchkey_done=group-saved.{}", group.id)
    );
    assert_eq!(stored(&app, "acme").await, [pair("Stock", "stock:read")]);
    list()
        .send()
        .await
        .assert_problem(403, "missing_permission");
}

#[tokio::test]
async fn a_save_of_an_old_version_changes_nothing_and_keeps_what_was_typed() {
    let (app, session) = admin().await;
    let group = app.group("acme", &["orders:read"]).await;
    let cli = app.store.as_cli();
    let scope = app.store.tenants(&cli).scope("acme").await.unwrap();
    let changes = GroupChanges {
        name: Some("Theirs".to_owned()),
        ..GroupChanges::default()
    };
    let theirs = app.store.groups(&scope);
    let theirs = theirs
        .edit(group.id, changes, None, clock::now())
        .await
        .unwrap()
        .value;
    let path = format!("/authorization-groups/{}", group.id);
    let old = group.version.to_string();
    let fields = [
        ("version", old.as_str()),
        ("name", "Mine"),
        ("permissions", "stock:read"),
        ("action", "save"),
    ];
    let response = send(&app, &session, &path, &fields).await;
    assert_eq!(response.status, 409);
    let page = response.text();
    let new = format!("name=\"version\" value=\"{}\"", theirs.version);
    for text in [
        "This group was changed since you opened it.",
        "Theirs",
        "value=\"Mine\"",
        "stock:read</textarea>",
        &new,
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(stored(&app, "acme").await, [pair("Theirs", "orders:read")]);
    // The form that is shown can be saved.
    let version = theirs.version.to_string();
    let fields = [
        ("version", version.as_str()),
        fields[1],
        fields[2],
        fields[3],
    ];
    assert_eq!(send(&app, &session, &path, &fields).await.status, 303);
    assert_eq!(stored(&app, "acme").await, [pair("Mine", "stock:read")]);
}

#[tokio::test]
async fn a_group_that_keys_have_is_not_deleted_and_ten_of_them_are_named() {
    let (app, session) = admin().await;
    let group = app.group("acme", &["orders:read"]).await;
    let mut keys = Vec::new();
    for number in 10..24 {
        let spec = KeySpec {
            name: format!("Key {number}"),
            permissions: &["orders:read"],
            ..KeySpec::default()
        };
        keys.push(app.issue(spec).await);
    }
    let path = format!("/authorization-groups/{}/delete", group.id);
    let version = group.version.to_string();
    let fields = [("version", version.as_str())];
    let shown = app.get(&path).cookie(&session).send().await;
    assert_eq!(shown.status, 200);
    let refused = send(&app, &session, &path, &fields).await;
    assert_eq!(refused.status, 409);
    for page in [shown.text(), refused.text()] {
        for text in ["14 keys have it", "Key 10", "Key 19", " and 4 more"] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("Key 20"), "{page}");
    }
    assert_eq!(groups(&app, "acme").await.len(), 1);

    for key in &keys {
        app.revoke("acme", key).await;
    }
    let stale = send(&app, &session, &path, &[("version", "99")]).await;
    assert_eq!(stale.status, 409);
    assert!(
        stale.text().contains("Nothing was deleted"),
        "{}",
        stale.text()
    );
    let deleted = send(&app, &session, &path, &fields).await;
    assert_eq!(deleted.status, 303, "{}", deleted.text());
    assert_eq!(deleted.header("location"), "/authorization-groups");
    assert_eq!(
        deleted.set_cookie("latchkey_done"),
        "latchkey_done=group-deleted."
    );
    assert!(groups(&app, "acme").await.is_empty());
    // A repeat finds no group.
    assert_eq!(send(&app, &session, &path, &fields).await.status, 404);
}

#[tokio::test]
async fn only_administrators_of_the_tenant_and_super_users_change_groups() {
    let app = TestApp::start().await;
    let app = app.with_admin().await.with_member().await;
    let app = app.with_super_user().await;
    app.add_tenant("globex", "Globex").await;
    let own = app.group("acme", &["orders:read"]).await;
    let foreign = app.group("globex", &["orders:read"]).await;
    let before = (stored(&app, "acme").await, stored(&app, "globex").await);
    let fields: [&[(&str, &str)]; 3] = [
        &[("name", "New"), ("permissions", "")],
        &[
            ("version", "1"),
            ("name", "Changed"),
            ("permissions", ""),
            ("action", "save"),
        ],
        &[("version", "1")],
    ];
    let paths = |group: &AuthorizationGroup| {
        [
            NEW.to_owned(),
            format!("/authorization-groups/{}", group.id),
            format!("/authorization-groups/{}/delete", group.id),
        ]
    };
    let (member, administrator, operator) = (
        app.sign_in(MEMBER).await,
        app.sign_in(ADMIN).await,
        app.sign_in(SUPER_USER).await,
    );
    for (path, fields) in paths(&own).iter().zip(fields) {
        let stranger = app.post(path).same_origin().form(fields).send().await;
        assert_eq!(stranger.status, 303, "{path}");
        assert!(stranger.header("location").starts_with("/sign-in?"));
        assert_eq!(
            send(&app, &member, path, fields).await.status,
            403,
            "{path}"
        );
        let named = format!("{path}?tenant=acme");
        let response = send(&app, &administrator, &named, fields).await;
        assert_eq!(response.status, 403, "{path}");
        let response = send(&app, &operator, path, fields).await;
        assert_eq!(response.status, 422, "{path}: no tenant");
        let response = app
            .post(path)
            .cookie(&administrator)
            .header("sec-fetch-site", "cross-site")
            .form(fields)
            .send()
            .await;
        assert_eq!(response.status, 403, "{path}: another site");
    }
    for (path, fields) in paths(&foreign).iter().zip(fields).skip(1) {
        let response = send(&app, &administrator, path, fields).await;
        assert_eq!(response.status, 404, "{path}: another tenant's group");
        let elsewhere = format!("{path}?tenant=acme");
        let response = send(&app, &operator, &elsewhere, fields).await;
        assert_eq!(response.status, 404, "{path}: another tenant's group");
    }
    let after = (stored(&app, "acme").await, stored(&app, "globex").await);
    assert_eq!(after, before);
    // A super user acts in the tenant of the URL, and is redirected within it.
    let path = format!("{NEW}?tenant=globex");
    let response = send(&app, &operator, &path, fields[0]).await;
    assert_eq!(response.status, 303);
    let list = response.header("location");
    assert_eq!(list, "/authorization-groups?tenant=globex");
    assert_eq!(groups(&app, "globex").await.len(), 2);
}
