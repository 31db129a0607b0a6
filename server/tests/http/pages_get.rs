//! `GET` of pages, by role.

use domain::user::Role;

use super::test_app::{ADMIN, KeySpec, MEMBER, SUPER_USER, TestApp, day};

#[tokio::test]
async fn the_root_redirects_to_the_keys_and_keeps_the_tenant() {
    let app = TestApp::start().await;
    for (path, target) in [
        ("/", "/tenant-api-keys"),
        ("/?tenant=acme", "/tenant-api-keys?tenant=acme"),
        (
            "/?x=//evil.example&tenant=a%0d%0ab",
            "/tenant-api-keys?tenant=a%0D%0Ab",
        ),
    ] {
        let response = app.get(path).send().await;
        assert_eq!(
            (response.status.as_u16(), response.header("location")),
            (303, target)
        );
    }
}

#[tokio::test]
async fn a_search_for_a_whole_secret_is_redirected_to_its_last_four_characters() {
    let app = TestApp::start().await.with_admin().await;
    let issued = app.issue(KeySpec::default()).await;
    let secret = issued.secret.expose().to_owned();
    let end = &secret[secret.len() - 4..];
    let session = app.sign_in(ADMIN).await;
    for path in ["/tenant-api-keys", "/audit-log"] {
        let url = format!("{path}?status=active&q=%20{secret}&sort=name");
        let response = app.get(&url).cookie(&session).send().await;
        assert_eq!(response.status, 303, "{path}");
        let target = response.header("location").to_owned();
        assert_eq!(target, format!("{path}?status=active&q={end}&sort=name"));
        assert!(!response.text().contains(&secret));
        let page = app.get(&target).cookie(&session).send().await;
        assert_eq!(page.status, 200);
        assert!(page.text().contains(issued.key.name.as_str()), "{path}");
    }
}

#[tokio::test]
async fn p17_the_first_page_shows_the_command_that_creates_the_first_user() {
    let app = TestApp::start().await;
    let first = app.get("/sign-in").send().await;
    assert_eq!(first.status, 200);
    assert!(
        first.text().contains("latchkey user create"),
        "{}",
        first.text()
    );
    // There is no default account.
    for (email, password) in [("admin@example.com", "admin"), ("admin", "admin"), ("", "")] {
        let response = app
            .post("/sign-in")
            .form(&[("email", email), ("password", password)])
            .send()
            .await;
        assert_eq!(response.status, 422);
        assert!(response.headers.get("set-cookie").is_none());
    }
    let app = app.with_admin().await;
    let later = app.get("/sign-in").send().await;
    assert!(!later.text().contains("latchkey user create"));
}

#[tokio::test]
async fn without_a_session_a_page_redirects_to_sign_in_and_back() {
    let app = TestApp::start().await.with_admin().await;
    for (path, return_to) in [
        ("/tenant-api-keys", "%2Ftenant-api-keys"),
        ("/tenant-api-keys/new", "%2Ftenant-api-keys%2Fnew"),
        (
            "/tenant-api-keys?status=active&q=a%20b",
            "%2Ftenant-api-keys%3Fstatus%3Dactive%26q%3Da%2520b",
        ),
        ("/account", "%2Faccount"),
    ] {
        let response = app.get(path).header("accept", "text/html").send().await;
        assert_eq!(response.status, 303, "{path}: {}", response.text());
        assert_eq!(
            response.header("location"),
            format!("/sign-in?return_to={return_to}")
        );
        assert!(!response.text().contains(ADMIN));
    }
}

#[tokio::test]
async fn a_member_sees_403_and_only_the_account_page() {
    let app = TestApp::start().await.with_member().await;
    let key = app
        .issue(KeySpec {
            name: "Hidden from members".to_owned(),
            ..KeySpec::default()
        })
        .await;
    let session = app.sign_in(MEMBER).await;
    for path in [
        "/tenant-api-keys",
        "/tenant-api-keys/new",
        "/tenant-api-keys?tenant=acme",
    ] {
        let response = app.get(path).cookie(&session).send().await;
        assert_eq!(response.status, 403, "{path}");
        assert!(!response.text().contains(key.key.name.as_str()));
    }
    assert_eq!(
        app.get("/account").cookie(&session).send().await.status,
        200
    );
}

#[tokio::test]
async fn an_administrator_sees_their_own_tenant_and_names_none() {
    let app = TestApp::start().await.with_admin().await;
    app.add_tenant("globex", "Globex").await;
    app.issue(KeySpec {
        name: "Globex ERP".to_owned(),
        tenant: "globex",
        ..KeySpec::default()
    })
    .await;
    app.issue(KeySpec {
        name: "Acme ERP".to_owned(),
        ..KeySpec::default()
    })
    .await;
    let session = app.sign_in(ADMIN).await;
    let own = app.get("/tenant-api-keys").cookie(&session).send().await;
    assert_eq!(own.status, 200);
    assert!(own.text().contains("Acme ERP") && own.text().contains("1/100 keys"));
    assert!(!own.text().contains("Globex ERP"));
    for slug in ["globex", "acme", "nothing"] {
        let response = app
            .get(&format!("/tenant-api-keys?tenant={slug}"))
            .cookie(&session)
            .send()
            .await;
        assert_eq!(response.status, 403, "{slug}");
        assert!(!response.text().contains("Globex ERP"));
    }
}

#[tokio::test]
async fn a_super_user_sees_the_tenant_of_the_url() {
    let app = TestApp::start().await.with_super_user().await;
    app.add_tenant("globex", "Globex").await;
    app.issue(KeySpec {
        name: "Globex ERP".to_owned(),
        tenant: "globex",
        ..KeySpec::default()
    })
    .await;
    app.issue(KeySpec {
        name: "Acme ERP".to_owned(),
        ..KeySpec::default()
    })
    .await;
    let session = app.sign_in(SUPER_USER).await;
    let page = |path: &'static str| app.get(path).cookie(&session).send();
    let choice = page("/tenant-api-keys").await;
    assert_eq!(
        (choice.status.as_u16(), choice.header("location")),
        (303, "/tenants")
    );
    let list = page("/tenants").await;
    assert_eq!(list.status, 200);
    assert!(list.text().contains("tenant=globex") && list.text().contains("tenant=acme"));
    assert!(!list.text().contains("Globex ERP"));
    let globex = page("/tenant-api-keys?tenant=globex").await.text();
    assert!(globex.contains("Globex ERP") && !globex.contains("Acme ERP"));
    assert_eq!(page("/tenant-api-keys?tenant=nothing").await.status, 404);
}

#[tokio::test]
async fn p57_a_name_is_shown_as_text() {
    let app = TestApp::start().await.with_admin().await;
    let name = "<img src=x onerror=alert(1)>\"'&</script><script>alert(2)</script>";
    let key = app
        .issue(KeySpec {
            name: name.to_owned(),
            ..KeySpec::default()
        })
        .await;
    let session = app.sign_in(ADMIN).await;
    let id = key.key.id;
    for path in [
        "/tenant-api-keys".to_owned(),
        format!("/tenant-api-keys/{id}/rotate"),
        format!("/tenant-api-keys/{id}/revoke"),
    ] {
        let response = app.get(&path).cookie(&session).send().await;
        assert_eq!(response.status, 200, "{path}");
        let html = response.text();
        assert!(html.contains("onerror"), "the name is on {path}");
        assert!(!html.contains("<img"), "{path}");
        assert!(!html.contains("<script>alert"), "{path}");
        assert!(!html.contains("</script><script>"), "{path}");
    }
}

#[tokio::test]
async fn unknown_pages_and_keys_are_not_found_for_every_role() {
    let app = TestApp::start().await.with_admin().await;
    app.add_tenant("globex", "Globex").await;
    let foreign = app
        .issue(KeySpec {
            tenant: "globex",
            ..KeySpec::default()
        })
        .await;
    let session = app.sign_in(ADMIN).await;
    let paths = [
        "/nothing".to_owned(),
        "/tenant-api-keys/nothing".to_owned(),
        "/tenant-api-keys/".to_owned(),
        "/..%2f..%2fetc/passwd".to_owned(),
        "/api/pages".to_owned(),
        "/api/pages/nothing".to_owned(),
        format!("/tenant-api-keys/{}/rotate", foreign.key.id),
        "/tenant-api-keys/01890a5d-ac96-774b-bcce-b302099a8057/revoke".to_owned(),
        "/tenant-api-keys/not-an-id/revoke".to_owned(),
    ];
    for path in paths {
        let response = app.get(&path).cookie(&session).send().await;
        assert_eq!(response.status, 404, "{path}");
    }
    for path in ["/nothing", "/api/pages/nothing"] {
        let response = app.post(path).same_origin().cookie(&session).send().await;
        assert_eq!(response.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_suspension_ends_the_sessions_of_the_tenant() {
    let app = TestApp::start().await.with_admin().await;
    app.add_user("iris@acme.example", Role::TenantAdmin, Some("acme"))
        .await;
    let session = app.sign_in(ADMIN).await;
    assert!(app.is_signed_in(&session).await);
    app.suspend("acme").await;
    assert!(!app.is_signed_in(&session).await);
}

/// The request id in `text`, which contains it once.
fn request_id_in(text: &str) -> &str {
    let (_, rest) = text
        .split_once("Give your operator the request id ")
        .unwrap_or_else(|| panic!("no request id in {text}"));
    rest.split('.').next().unwrap()
}

#[tokio::test]
async fn an_internal_error_names_the_request_id_in_pages_and_server_functions() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    app.execute("ALTER TABLE authorization_groups RENAME TO authorization_groups_lost");

    let page = app.get("/tenant-api-keys").cookie(&session).send().await;
    assert_eq!(page.status, 500);
    let text = page.text();
    assert!(text.contains("<h1>Internal error<"), "{text}");
    assert_eq!(
        request_id_in(text.split("<h1>").nth(1).unwrap()),
        page.header("x-request-id")
    );

    let function = app
        .post("/api/pages/open_key_form")
        .cookie(&session)
        .same_origin()
        .json(&serde_json::json!({ "tenant": null }))
        .send()
        .await;
    assert_eq!(function.status, 500);
    let error: serde_json::Value = serde_json::from_str(&function.text()).unwrap();
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("Internal error. "), "{message}");
    assert_eq!(request_id_in(message), function.header("x-request-id"));
}

#[tokio::test]
async fn the_key_form_of_a_tenant_without_a_group_links_to_the_form_of_a_group() {
    let app = TestApp::start()
        .await
        .with_admin()
        .await
        .with_super_user()
        .await;
    for (user, path, link) in [
        (ADMIN, "/tenant-api-keys/new", "/authorization-groups/new"),
        (
            SUPER_USER,
            "/tenant-api-keys/new?tenant=acme",
            "/authorization-groups/new?tenant=acme",
        ),
    ] {
        let session = app.sign_in(user).await;
        let page = app.get(path).cookie(&session).send().await.text();
        for part in [
            "This tenant has no authorization group for keys yet.",
            &format!("href=\"{link}\" rel=\"external\""),
            "type=\"button\" aria-disabled=\"true\" aria-describedby=\"generate-blocked\"",
        ] {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
    }
    app.group("acme", &["orders:read"]).await;
    let session = app.sign_in(ADMIN).await;
    let page = app.get("/tenant-api-keys/new").cookie(&session);
    assert!(!page.send().await.text().contains("generate-blocked"));
}

#[tokio::test]
async fn without_a_script_the_date_is_in_words_and_the_dates_of_the_presets_are_listed() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let key = app
        .issue(KeySpec {
            expires_on: Some(day(90)),
            ..KeySpec::default()
        })
        .await;
    let page = async |path: &str| app.get(path).cookie(&session).send().await.text();
    let rotate = page(&format!("/tenant-api-keys/{}/rotate", key.key.id)).await;
    assert!(rotate.contains("Works until "), "{rotate}");
    assert!(rotate.contains("23:59 UTC (in 90 days)."), "{rotate}");
    let form = page("/tenant-api-keys/new").await;
    assert!(form.contains("Never expires."), "{form}");
    for preset in ["In 30 days: ", "In 90 days: ", "In 365 days: "] {
        assert!(form.contains(preset) && rotate.contains(preset), "{preset}");
    }
    let edit = page(&format!("/tenant-api-keys/{}/edit", key.key.id)).await;
    assert!(
        edit.contains("Expires ") && edit.contains(" to change it."),
        "{edit}"
    );
}
