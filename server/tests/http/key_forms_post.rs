//! `POST /tenant-api-keys/…`: forms of a browser without a script.

use uuid::Uuid;

use super::{
    request::TestResponse,
    test_app::{ADMIN, KeySpec, SUPER_USER, TestApp, day},
};

const GENERATE: &str = "/tenant-api-keys/new";

/// A form that creates a key, with the idempotency key `form_id` and the `changed` fields.
async fn generate(
    app: &TestApp,
    session: &str,
    form_id: &str,
    changed: &[(&str, &str)],
) -> TestResponse {
    let group = app.group("acme", &["orders:read"]).await.id.to_string();
    let mut fields = vec![
        ("form_id", form_id),
        ("name", "ERP nightly sync"),
        ("description", "Two\r\nlines"),
        ("authorization_group_id", group.as_str()),
        ("expires_on", ""),
        ("ip_allowlist", "127.0.0.1\r\n10.1.2.3/8\r\n"),
    ];
    for (name, value) in changed {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    app.post(GENERATE)
        .same_origin()
        .cookie(session)
        .form(&fields)
        .send()
        .await
}

fn form_id() -> String {
    Uuid::now_v7().to_string()
}

/// The only secret in a page.
fn secret_in(page: &str) -> String {
    let mut found: Vec<&str> = page
        .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|word| word.starts_with("lk_") && word.len() == 41)
        .collect();
    found.dedup();
    assert_eq!(found.len(), 1, "one secret, shown and in the curl line");
    found[0].to_owned()
}

async fn admin() -> (TestApp, String) {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    (app, session)
}

#[tokio::test]
async fn p31_the_response_with_the_secret_is_not_cached_and_has_no_script() {
    let (app, session) = admin().await;
    let response = generate(&app, &session, &form_id(), &[]).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("cache-control"), "no-store, no-transform");
    let policy = response.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none';") && !policy.contains("script-src"),
        "{policy}"
    );
    let page = response.text();
    assert!(!page.contains("<script") && !page.contains("modulepreload"));
    assert!(page.contains("This secret will not be shown again."));
    let secret = secret_in(&page);
    let known = app
        .get("/api/v1/whoami")
        .key(&secret)
        .from("127.0.0.1")
        .send()
        .await;
    assert_eq!(known.status, 200);
    let known = known.json();
    assert_eq!(known["description"], "Two\nlines");
    assert_eq!(
        known["ip_allowlist"],
        serde_json::json!(["127.0.0.1/32", "10.0.0.0/8"])
    );
    let list = app
        .get("/tenant-api-keys")
        .cookie(&session)
        .send()
        .await
        .text();
    assert!(list.contains("ERP nightly sync") && !list.contains(&secret));
}

#[tokio::test]
async fn a_form_that_is_sent_twice_is_applied_once() {
    let (app, session) = admin().await;
    let id = form_id();
    assert_eq!(generate(&app, &session, &id, &[]).await.status, 200);
    let again = generate(&app, &session, &id, &[]).await;
    assert_eq!(again.status, 409);
    let page = again.text();
    assert!(page.contains("This secret was already shown"), "{page}");
    assert!(!page.contains("lk_"));
    assert_eq!(app.used_keys().await, 1);

    let key = app.issue(KeySpec::default()).await;
    let path = format!("/tenant-api-keys/{}/rotate", key.key.id);
    let id = form_id();
    let rotate = || {
        app.post(&path)
            .same_origin()
            .cookie(&session)
            .form(&[("form_id", &id), ("expires_on", "")])
    };
    let secret = secret_in(&rotate().send().await.text());
    let again = rotate().send().await;
    assert_eq!(again.status, 409);
    assert!(again.text().contains("This secret was already shown"));
    let works = app.get("/api/v1/whoami").key(&secret).send().await;
    assert_eq!(works.status, 200, "the repetition rotated nothing");
}

#[tokio::test]
async fn a_refused_form_keeps_the_input_and_shows_every_message() {
    let (app, session) = admin().await;
    let yesterday = day(-1).to_string();
    let changed = [
        ("name", "E"),
        ("authorization_group_id", ""),
        ("expires_on", yesterday.as_str()),
        (
            "ip_allowlist",
            "10.0.0.0/8\r\n</textarea><b>\r\n10.0.0.0/33",
        ),
    ];
    let response = generate(&app, &session, &form_id(), &changed).await;
    assert_eq!(response.status, 422);
    let page = response.text();
    for message in [
        "Must be 2–200 characters",
        "Choose an authorization group",
        "Must be a future date",
        "Line 3: '10.0.0.0/33' is not an IP address or CIDR range",
    ] {
        assert!(page.contains(message), "{message}");
    }
    assert!(page.contains("value=\"E\""));
    assert!(page.contains(&format!("value=\"{yesterday}\"")));
    assert!(page.contains("\n10.0.0.0/8\n&lt;/textarea&gt;&lt;b&gt;\n10.0.0.0/33</textarea>"));
    assert_eq!(app.used_keys().await, 0);
}

#[tokio::test]
async fn p23_an_unknown_form_field_is_refused() {
    let (app, session) = admin().await;
    for field in ["tenant_id", "secret", "created_by", "revoked_at", "id"] {
        let response = generate(&app, &session, &form_id(), &[(field, "x")]).await;
        assert_eq!(response.status, 422, "{field}");
    }
    assert_eq!(app.used_keys().await, 0);
}

#[tokio::test]
async fn p48_the_second_of_two_editors_sees_the_conflict_and_keeps_the_input() {
    let (app, session) = admin().await;
    let key = app.issue(KeySpec::default()).await.key;
    let path = format!("/tenant-api-keys/{}/edit", key.id);
    let save = |version: i64, name: &'static str| {
        let group = key.authorization_group.id.to_string();
        app.post(&path).same_origin().cookie(&session).form(&[
            ("version", &version.to_string()),
            ("name", name),
            ("description", ""),
            ("authorization_group_id", &group),
            ("ip_allowlist", ""),
        ])
    };
    let first = save(key.version, "ERP, first").send().await;
    assert_eq!(first.status, 303);
    assert_eq!(first.header("location"), "/tenant-api-keys");
    // The same form again causes no conflict, because the key already has these values.
    assert_eq!(save(key.version, "ERP, first").send().await.status, 303);
    let second = save(key.version, "ERP, second").send().await;
    assert_eq!(second.status, 409);
    let page = second.text();
    assert!(page.contains("changed this key while you were editing."));
    assert!(page.contains("What you typed is kept."));
    assert!(page.contains("value=\"ERP, second\""));
    assert!(page.contains("Key Name is now “ERP, first”."));
    assert!(page.contains("Save anyway"));
    let anyway = save(key.version + 1, "ERP, second").send().await;
    assert_eq!(anyway.status, 303);
    let list = app.get("/tenant-api-keys").cookie(&session).send().await;
    assert!(list.text().contains("ERP, second"));
}

#[tokio::test]
async fn a_dialog_of_the_page_of_a_key_leads_back_to_it_and_the_page_confirms() {
    let app = TestApp::start().await.with_super_user().await;
    let key = app.issue(KeySpec::default()).await.key;
    let session = app.sign_in(SUPER_USER).await;
    let page = format!("/tenant-api-keys/{}?tenant=acme", key.id);
    let shown = app.get(&page).cookie(&session).send().await;
    let group = key.authorization_group.id.to_string();
    let edit = [
        ("version", "1"),
        ("name", "ERP, renamed"),
        ("description", ""),
        ("authorization_group_id", &group),
        ("ip_allowlist", ""),
    ];
    for (dialog, fields, confirmation) in [
        ("edit", &edit[..], "Saved ERP, renamed."),
        ("revoke", &[][..], "Revoked ERP, renamed."),
    ] {
        let path = format!("/tenant-api-keys/{}/{dialog}?tenant=acme&from=key", key.id);
        let link = format!("href=\"{}\"", path.replace('&', "&amp;"));
        assert!(shown.text().contains(&link), "{link}");
        let opened = app.get(&path).cookie(&session).send().await;
        let back = format!("href=\"{page}\"");
        assert!(opened.text().contains(&back), "{dialog}: Cancel and Close");
        let sent = app.post(&path).same_origin().cookie(&session);
        let sent = sent.form(fields).send().await;
        assert_eq!(
            (sent.status.as_u16(), sent.header("location")),
            (303, page.as_str())
        );
        let done = sent.set_cookie("latchkey_done");
        let next = app
            .get(&page)
            .cookie(&format!("{session}; {done}"))
            .send()
            .await;
        // A super user's confirmation names the tenant. With replicas it goes on with their number.
        let text = next.text().replace("<!>", "");
        let toast = format!("<p><bdi>Acme</bdi>: {confirmation}");
        assert!(text.contains(&toast), "{toast}\n{text}");
    }
    // Other values of the parameter mean the list.
    let path = format!(
        "/tenant-api-keys/{}/revoke?tenant=acme&from=https%3A%2F%2Fevil.example",
        key.id
    );
    let sent = app
        .post(&path)
        .same_origin()
        .cookie(&session)
        .form(&[])
        .send()
        .await;
    assert_eq!(sent.header("location"), "/tenant-api-keys?tenant=acme");
}

#[tokio::test]
async fn the_form_selects_the_group_of_the_link_from_the_groups() {
    let (app, session) = admin().await;
    let group = app
        .named_group("acme", "Invoices", &["invoices:read"])
        .await;
    let group = group.id;
    let link = format!("/tenant-api-keys/new?group={group}");
    let list = app
        .get("/authorization-groups")
        .cookie(&session)
        .send()
        .await;
    assert!(
        list.text().contains(&format!("href=\"{link}\"")),
        "{}",
        list.text()
    );
    let edit = format!("/authorization-groups/{group}");
    let edit = app.get(&edit).cookie(&session).send().await;
    assert!(
        edit.text().contains(&format!("href=\"{link}\"")),
        "{}",
        edit.text()
    );
    let form = app.get(&link).cookie(&session).send().await.text();
    let option = form
        .split("<option")
        .find(|option| option.contains("Invoices"));
    assert!(option.unwrap().contains("selected"), "{option:?}");
    let unknown = "/tenant-api-keys/new?group=0198f000-0000-7000-8000-000000000001";
    let form = app.get(unknown).cookie(&session).send().await.text();
    let mut options = form.split("<option").skip(1);
    assert!(options.any(|option| option.contains("Invoices")));
    let group = form.split(&format!("value=\"{group}\"")).nth(1).unwrap();
    assert!(
        !group.split('>').next().unwrap().contains("selected"),
        "{group}"
    );
}

#[tokio::test]
async fn revoking_redirects_to_the_list_also_the_second_time() {
    let (app, session) = admin().await;
    let key = app.issue(KeySpec::default()).await;
    let path = format!("/tenant-api-keys/{}/revoke", key.key.id);
    for _ in 0..2 {
        let response = app
            .post(&path)
            .same_origin()
            .cookie(&session)
            .form(&[])
            .send()
            .await;
        assert_eq!(response.status, 303);
        assert_eq!(response.header("location"), "/tenant-api-keys");
    }
    let refused = app
        .get("/api/v1/whoami")
        .key(key.secret.expose())
        .send()
        .await;
    refused.assert_problem(401, "revoked_api_key");
}

#[tokio::test]
async fn without_a_session_a_form_redirects_to_sign_in_and_back() {
    let app = TestApp::start().await;
    let response = app
        .post("/tenant-api-keys/new?tenant=acme")
        .same_origin()
        .form(&[("name", "ERP nightly sync")])
        .send()
        .await;
    assert_eq!(response.status, 303);
    assert_eq!(
        response.header("location"),
        "/sign-in?return_to=%2Ftenant-api-keys%2Fnew%3Ftenant%3Dacme"
    );
}

#[tokio::test]
async fn p18_a_form_of_another_site_changes_nothing() {
    let (app, session) = admin().await;
    let key = app.issue(KeySpec::default()).await;
    for form in ["edit", "rotate", "revoke"] {
        let response = app
            .post(&format!("/tenant-api-keys/{}/{form}", key.key.id))
            .header("sec-fetch-site", "cross-site")
            .cookie(&session)
            .form(&[("form_id", &form_id()), ("expires_on", "")])
            .send()
            .await;
        assert_eq!(response.status, 403, "{form}");
    }
    let works = app.get("/api/v1/whoami").key(key.secret.expose());
    assert_eq!(works.send().await.status, 200);
}

#[tokio::test]
async fn a_revocation_keeps_its_reason_and_refuses_one_that_is_too_long() {
    let (app, session) = admin().await;
    let key = app.issue(KeySpec::default()).await;
    let path = format!("/tenant-api-keys/{}/revoke", key.key.id);
    let revoke = |reason: String| {
        app.post(&path)
            .same_origin()
            .cookie(&session)
            .form(&[("reason", reason.as_str())])
    };
    let refused = revoke("x".repeat(201)).send().await;
    assert_eq!(refused.status, 422);
    let page = refused.text();
    assert!(page.contains("Must be at most 200 characters") && page.contains(&"x".repeat(201)));
    let works = app.get("/api/v1/whoami").key(key.secret.expose());
    assert_eq!(works.send().await.status, 200);
    assert_eq!(revoke("Supplier left".to_owned()).send().await.status, 303);
    let newest = serde_json::to_value(&app.audited("acme").await[0]).unwrap();
    assert_eq!(
        newest["changes"]["revoked_reason"]["after"], "Supplier left",
        "{newest}"
    );
}

/// Sends the form that revokes the keys with these ids.
async fn revoke_many(
    app: &TestApp,
    session: &str,
    ids: &[String],
    form_id: &str,
    reason: &str,
) -> TestResponse {
    let ids: Vec<_> = ids.iter().map(|id| format!("ids={id}")).collect();
    app.post(&format!(
        "/tenant-api-keys/revoke?sort=name&{}",
        ids.join("&")
    ))
    .same_origin()
    .cookie(session)
    .form(&[("form_id", form_id), ("reason", reason)])
    .send()
    .await
}

#[tokio::test]
async fn keys_are_revoked_together_once_and_all_or_none() {
    let (app, session) = admin().await;
    let (first, second) = (
        app.issue(KeySpec::default()).await,
        app.issue(KeySpec::default()).await,
    );
    let works = async |secret: &str| {
        let response = app.get("/api/v1/whoami").key(secret).send().await;
        response.status == 200
    };
    app.add_tenant("globex", "Globex").await;
    let ids = vec![first.key.id.to_string(), second.key.id.to_string()];
    let foreign = app
        .issue(KeySpec {
            tenant: "globex",
            ..KeySpec::default()
        })
        .await;
    for wrong in [
        vec![ids[0].clone(), foreign.key.id.to_string()],
        vec![ids[0].clone(), Uuid::now_v7().to_string()],
        vec![ids[0].clone(), "no-id".to_owned()],
    ] {
        let refused = revoke_many(&app, &session, &wrong, &form_id(), "").await;
        assert_eq!(refused.status, 404);
    }
    let many: Vec<_> = (0..101).map(|_| Uuid::now_v7().to_string()).collect();
    let refused = revoke_many(&app, &session, &many, &form_id(), "").await;
    assert_eq!(refused.status, 422);
    assert!(
        refused
            .text()
            .contains("At most 100 keys can be revoked at once")
    );
    assert!(works(first.secret.expose()).await && works(second.secret.expose()).await);

    let id = form_id();
    for _ in 0..2 {
        let revoked = revoke_many(&app, &session, &ids, &id, "Supplier left").await;
        assert_eq!(revoked.status, 303);
        assert_eq!(revoked.header("location"), "/tenant-api-keys?sort=name");
    }
    assert!(!works(first.secret.expose()).await && !works(second.secret.expose()).await);
    let page = app
        .get(&format!("/tenant-api-keys/revoke?ids={}", ids[0]))
        .cookie(&session)
        .send()
        .await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("These keys are revoked."));
}
