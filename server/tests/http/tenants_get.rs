//! `GET /tenants` and what a super user's pages name of their tenant.

use domain::store::tenants::NewTenant;
use server::clock;

use super::{
    request::TestResponse,
    test_app::{ADMIN, KeySpec, MEMBER, SUPER_USER, TestApp},
};

async fn add_tenants(app: &TestApp, number: usize) {
    let cli = app.store.as_cli();
    let tenants = app.store.tenants(&cli);
    for index in 0..number {
        let new = NewTenant {
            name: format!("Customer {index:03}"),
            slug: Some(format!("customer-{index:03}").parse().unwrap()),
            key_limit: Some(10),
        };
        tenants.create(new, clock::now()).await.unwrap();
    }
}

/// The slugs of the rows in their order.
fn slugs(page: &str) -> Vec<String> {
    page.split("<span class=\"key-about\"><code>")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect()
}

/// The path of a link with this text.
fn link(page: &str, text: &str) -> Option<String> {
    let end = page.find(&format!(">{text}</a>"))?;
    let start = page[..end].rfind("href=\"")? + 6;
    let href = page[start..end].split('"').next()?;
    Some(href.replace("&amp;", "&"))
}

/// The document without the markers between nodes.
fn text(response: &TestResponse) -> String {
    response.text().replace("<!>", "")
}

fn location(response: &TestResponse) -> (u16, &str) {
    (response.status.as_u16(), response.header("location"))
}

#[tokio::test]
async fn the_list_of_tenants_is_paged_in_both_directions_and_searched() {
    let app = TestApp::start().await.with_super_user().await;
    add_tenants(&app, 60).await;
    let session = app.sign_in(SUPER_USER).await;
    let page = async |path: &str| {
        let response = app.get(path).cookie(&session).send().await;
        assert_eq!(response.status, 200, "{path}");
        text(&response)
    };
    let first = page("/tenants").await;
    assert_eq!(slugs(&first).len(), 25);
    assert_eq!(slugs(&first)[..2], ["acme", "customer-000"]);
    assert!(link(&first, "Previous").is_none());
    let second = page(&link(&first, "Next").unwrap()).await;
    let third = page(&link(&second, "Next").unwrap()).await;
    let walked = [slugs(&first), slugs(&second), slugs(&third)].concat();
    assert_eq!(walked.len(), 61);
    assert!(walked.is_sorted(), "{walked:?}");
    assert!(link(&third, "Next").is_none());
    let back = page(&link(&third, "Previous").unwrap()).await;
    assert_eq!(slugs(&back), slugs(&second));
    assert!(link(&back, "Next").is_some());
    let start = page(&link(&back, "Previous").unwrap()).await;
    assert_eq!(slugs(&start), slugs(&first));
    assert!(link(&start, "Previous").is_none());

    assert_eq!(
        slugs(&page("/tenants?q=MER+01").await),
        (10..20)
            .map(|index| format!("customer-{index:03}"))
            .collect::<Vec<_>>()
    );
    let searched = page("/tenants?q=customer").await;
    let next = link(&searched, "Next").unwrap();
    assert!(next.contains("q=customer"), "{next}");
    assert_eq!(slugs(&page(&next).await).len(), 25);
    let none = page("/tenants?q=%25&page=/audit-log").await;
    assert!(none.contains("No tenant matches this search"), "{none}");
    assert_eq!(
        link(&none, "Clear search").unwrap(),
        "/tenants?page=%2Faudit-log"
    );
    let wrong = app.get("/tenants?cursor=x").cookie(&session).send().await;
    assert_eq!(wrong.status, 404);
}

#[tokio::test]
async fn a_row_shows_state_quota_and_a_link_that_opens_the_requested_page() {
    let app = TestApp::start().await.with_super_user().await;
    app.add_tenant("halden", "Halden <Marine>").await;
    app.suspend("halden").await;
    app.issue(KeySpec::default()).await;
    let session = app.sign_in(SUPER_USER).await;
    let page = async |path: &str| text(&app.get(path).cookie(&session).send().await);
    let list = page("/tenants").await;
    assert!(
        list.contains("1/100 keys") && list.contains("0/100 keys"),
        "{list}"
    );
    assert_eq!(list.matches("</use></svg>Active").count(), 1, "{list}");
    assert_eq!(list.matches("</use></svg>Suspended").count(), 1, "{list}");
    assert!(list.contains("Halden &lt;Marine&gt;") && !list.contains("<Marine>"));
    assert_eq!(link(&list, "Open").unwrap(), "/tenant-api-keys?tenant=acme");
    let list = page("/tenants?page=/audit-log").await;
    assert_eq!(link(&list, "Open").unwrap(), "/audit-log?tenant=acme");
    for elsewhere in [
        "//evil.example",
        "https://evil.example",
        "/%5Cevil.example",
        "/account?tenant=globex",
        "/tenants",
    ] {
        let list = page(&format!("/tenants?page={elsewhere}")).await;
        let open = link(&list, "Open").unwrap();
        assert_eq!(open, "/tenant-api-keys?tenant=acme", "{elsewhere}");
    }
}

#[tokio::test]
async fn only_super_users_open_the_list_of_tenants() {
    let app = TestApp::start()
        .await
        .with_admin()
        .await
        .with_member()
        .await;
    for user in [ADMIN, MEMBER] {
        let session = app.sign_in(user).await;
        let response = app.get("/tenants").cookie(&session).send().await;
        assert_eq!(response.status, 403, "{user}");
        assert!(!response.text().contains("key-about"), "{user}");
    }
    let stranger = app
        .get("/tenants")
        .header("accept", "text/html")
        .send()
        .await;
    assert_eq!(location(&stranger), (303, "/sign-in?return_to=%2Ftenants"));
}

#[tokio::test]
async fn without_a_tenant_a_super_user_gets_the_list_of_tenants() {
    let app = TestApp::start().await.with_super_user().await;
    let session = app.sign_in(SUPER_USER).await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    for (path, target) in [
        ("/tenant-api-keys".to_owned(), "/tenants"),
        ("/tenant-api-keys?tenant=".to_owned(), "/tenants"),
        (format!("/tenant-api-keys/{id}/rotate"), "/tenants"),
        (
            "/tenant-api-keys/new".to_owned(),
            "/tenants?page=%2Ftenant-api-keys%2Fnew",
        ),
        (
            "/audit-log?action=key.created".to_owned(),
            "/tenants?page=%2Faudit-log",
        ),
        (
            format!("/authorization-groups/{id}"),
            "/tenants?page=%2Fauthorization-groups",
        ),
    ] {
        let response = app.get(&path).cookie(&session).send().await;
        assert_eq!(location(&response), (303, target), "{path}");
    }
}

#[tokio::test]
async fn an_unknown_tenant_is_named_with_a_search_below() {
    let app = TestApp::start().await.with_super_user().await;
    let session = app.sign_in(SUPER_USER).await;
    for path in [
        "/tenant-api-keys",
        "/tenant-api-keys/new",
        "/audit-log",
        "/authorization-groups",
        "/authorization-groups/new",
    ] {
        let path = format!("{path}?tenant=nope");
        let response = app.get(&path).cookie(&session).send().await;
        assert_eq!(response.status, 404, "{path}");
        let page = text(&response);
        assert!(
            page.contains("There is no tenant 'nope'</h1>"),
            "{path}: {page}"
        );
        assert!(page.contains("action=\"/tenants\""), "{path}: {page}");
    }
    let long = format!("/tenant-api-keys?tenant={}", "a".repeat(64));
    for path in [
        long.as_str(),
        "/tenant-api-keys?tenant=%E2%80%AEnope",
        "/audit-log?tenant=%00",
    ] {
        let page = app.get(path).cookie(&session).send().await;
        assert_eq!(page.status, 404, "{path}");
        assert!(text(&page).contains("There is no such tenant."), "{path}");
    }
}

#[tokio::test]
async fn pages_of_a_super_user_name_their_tenant_and_its_suspension() {
    let app = TestApp::start()
        .await
        .with_super_user()
        .await
        .with_admin()
        .await;
    let key = app.issue(KeySpec::default()).await.key;
    let group = app.group("acme", &[]).await;
    let session = app.sign_in(SUPER_USER).await;
    let key_page = format!("/tenant-api-keys/{}", key.id);
    let pages = [
        ("/tenant-api-keys".to_owned(), false),
        ("/tenant-api-keys/new".to_owned(), false),
        (key_page.clone(), false),
        (format!("{key_page}/edit"), true),
        (format!("{key_page}/rotate"), true),
        (format!("{key_page}/revoke"), true),
        (format!("/tenant-api-keys/revoke?ids={}", key.id), true),
        ("/audit-log".to_owned(), false),
        ("/authorization-groups".to_owned(), false),
        (format!("/authorization-groups/{}/delete", group.id), true),
    ];
    let in_acme = |path: &str| {
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{path}{separator}tenant=acme")
    };
    let of_tenant = " of <strong dir=\"auto\">Acme</strong>";
    let banner = "You are acting in <strong dir=\"auto\">Acme</strong>";
    let read = async |session: &str, path: &str| {
        let response = app.get(path).cookie(session).send().await;
        assert_eq!(response.status, 200, "{path}");
        text(&response)
    };
    for (path, is_confirmation) in &pages {
        let page = read(&session, &in_acme(path)).await;
        assert!(page.contains("<title>Acme · "), "{path}: {page}");
        assert!(
            page.contains("<li><strong dir=\"auto\">Acme</strong>"),
            "{path}"
        );
        assert!(page.contains(banner), "{path}: {page}");
        assert_eq!(page.contains(of_tenant), *is_confirmation, "{path}: {page}");
        assert!(!page.contains("Suspended since"), "{path}");
    }
    for path in ["/tenants", "/installation-log", "/account"] {
        let page = read(&session, path).await;
        assert!(
            !page.contains("You are acting in") && !page.contains("Acme ·"),
            "{path}"
        );
    }
    let administrator = app.sign_in(ADMIN).await;
    for (path, _) in &pages {
        let page = read(&administrator, path).await;
        assert!(
            !page.contains("You are acting in") && !page.contains(of_tenant),
            "{path}"
        );
        assert!(!page.contains("Acme ·"), "{path}");
    }
    app.suspend("acme").await;
    let cli = app.store.as_cli();
    let suspended_at = app.store.tenants(&cli).find("acme").await.unwrap();
    let suspended_at = suspended_at.suspended_at.unwrap();
    let since = app::words::date(suspended_at.date_naive());
    for (path, _) in &pages {
        let page = read(&session, &in_acme(path)).await;
        assert!(
            page.contains(&format!("Suspended since {since}: ")),
            "{path}: {page}"
        );
        assert!(
            page.contains("every key of this tenant is refused."),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_menu_offers_the_five_tenants_that_were_opened_last() {
    let app = TestApp::start().await.with_super_user().await;
    add_tenants(&app, 7).await;
    let session = app.sign_in(SUPER_USER).await;
    let mut cookies = session.clone();
    for index in [0, 1, 2, 3, 4, 5, 6, 2] {
        let path = format!("/audit-log?tenant=customer-{index:03}");
        let response = app.get(&path).cookie(&cookies).send().await;
        assert_eq!(response.status, 200);
        let recent = response.set_cookie("latchkey_recent_tenants");
        let line = response
            .headers
            .get("set-cookie")
            .unwrap()
            .to_str()
            .unwrap();
        assert!(line.contains("HttpOnly; Path=/; SameSite=Lax"), "{line}");
        assert!(
            !line.contains("customer"),
            "the cookie names no customer: {line}"
        );
        cookies = format!("{session}; {recent}");
    }
    let page = app.get("/tenants").cookie(&cookies).send().await;
    // Only opening a tenant changes the cookie.
    assert!(page.headers.get("set-cookie").is_none());
    let page = page.text();
    let menu = &page[page.find("id=\"tenants\"").unwrap()..];
    let menu = &menu[..menu.find("All tenants").unwrap()];
    let opened: Vec<_> = menu
        .split("?tenant=customer-00")
        .skip(1)
        .map(|rest| rest[..1].parse::<u8>().unwrap())
        .collect();
    assert_eq!(opened, [2, 6, 5, 4, 3]);
    assert!(
        !menu.contains("acme"),
        "the menu does not list every tenant: {menu}"
    );
    // Foreign text in the cookie is ignored.
    for text in ["", "x", "....", &"9".repeat(3_000)] {
        let cookies = format!("{session}; latchkey_recent_tenants={text}");
        let page = app.get("/tenants").cookie(&cookies).send().await;
        assert_eq!(page.status, 200, "{text}");
    }
}

#[tokio::test]
async fn members_land_on_their_account() {
    let app = TestApp::start()
        .await
        .with_admin()
        .await
        .with_member()
        .await;
    for (user, first) in [(MEMBER, "/account"), (ADMIN, "/tenant-api-keys")] {
        let session = app.sign_in(user).await;
        for path in ["/", "/sign-in", "/sign-in?return_to=%2Ftenant-api-keys"] {
            let response = app.get(path).cookie(&session).send().await;
            assert_eq!(location(&response), (303, first), "{user} {path}");
        }
        for (return_to, target) in [
            ("", first),
            ("/tenant-api-keys", first),
            ("/audit-log?cursor=x", "/audit-log?cursor=x"),
        ] {
            let form = [
                ("email", user),
                ("password", super::test_app::PASSWORD),
                ("return_to", return_to),
            ];
            let response = app.post("/sign-in").same_origin().form(&form).send().await;
            assert_eq!(location(&response), (303, target), "{user} {return_to}");
        }
    }
}
