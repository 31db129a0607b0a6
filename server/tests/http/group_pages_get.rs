//! `GET /authorization-groups…`: the pages of authorization groups, by role.

use app::groups::known_permissions::OWN_PERMISSIONS;
use server::router::permissions;

use super::test_app::{ADMIN, KeySpec, MEMBER, SUPER_USER, TestApp};

#[test]
fn the_form_offers_each_permission_of_the_route_table() {
    let offered: Vec<_> = OWN_PERMISSIONS.iter().map(|(name, _)| *name).collect();
    let required: Vec<_> = permissions().into_iter().collect();
    assert_eq!(offered, required);
}

#[tokio::test]
async fn the_list_shows_three_permissions_and_the_number_of_keys() {
    let app = TestApp::start().await.with_admin().await;
    let permissions = &["a:a", "b:b", "c:c", "d:d", "e:e", "f:f", "g:g"];
    app.issue(KeySpec {
        permissions,
        ..KeySpec::default()
    })
    .await;
    let session = app.sign_in(ADMIN).await;
    let page = app.get("/authorization-groups").cookie(&session).send();
    let page = page.await.text();
    for text in [
        "a:a",
        "c:c",
        "+4",
        "1 key",
        "0 used in 7 days",
        "For API keys",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let group = app.group("acme", permissions).await;
    let named = format!("/authorization-groups/{}#effect", group.id);
    assert!(
        page.contains(&named),
        "the number of keys links to their names: {page}"
    );
    // The name of the group contains the permissions, separated by spaces; the cells do not.
    assert!(page.contains(">c:c<") && !page.contains(">d:d<"), "{page}");
}

#[tokio::test]
async fn the_list_has_25_groups_a_page() {
    let app = TestApp::start().await.with_admin().await;
    for number in 100..127 {
        app.group("acme", &[&format!("orders:n{number}")]).await;
    }
    let session = app.sign_in(ADMIN).await;
    let first = app.get("/authorization-groups").cookie(&session).send();
    let first = first.await.text();
    assert_eq!(first.matches("class=\"key-name\"").count(), 25);
    let (_, after) = first.split_once("/authorization-groups?cursor=").unwrap();
    let cursor = after.split('"').next().unwrap();
    let path = format!("/authorization-groups?cursor={cursor}");
    let second = app.get(&path).cookie(&session).send().await.text();
    assert_eq!(second.matches("class=\"key-name\"").count(), 2);
    assert!(second.contains("n125") && second.contains("n126"));
    // From the second page a link leads back to the first.
    let links = second.split("/authorization-groups?cursor=").skip(1);
    let back: Vec<_> = links.filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(back.len(), 1, "{second}");
    let path = format!("/authorization-groups?cursor={}", back[0]);
    let again = app.get(&path).cookie(&session).send().await.text();
    assert_eq!(again.matches("class=\"key-name\"").count(), 25);
    assert!(again.contains("n100") && !again.contains("n126"));
    let found = app.get("/authorization-groups?q=N12&type=tenant_api_key");
    let found = found.cookie(&session).send().await.text();
    assert_eq!(found.matches("class=\"key-name\"").count(), 7);
    let none = app.get("/authorization-groups?q=n12&type=user");
    let none = none.cookie(&session).send().await.text();
    assert!(none.contains("No group matches these filters"), "{none}");
    let unknown = app.get("/authorization-groups?cursor=x").cookie(&session);
    assert_eq!(unknown.send().await.status, 404);
}

#[tokio::test]
async fn the_pages_open_for_administrators_and_super_users_of_the_tenant() {
    let app = TestApp::start().await;
    let app = app.with_admin().await.with_member().await;
    let app = app.with_super_user().await;
    app.add_tenant("globex", "Globex").await;
    let own = app.group("acme", &["orders:read"]).await;
    let foreign = app.group("globex", &["secret:read"]).await;
    let (member, administrator, operator) = (
        app.sign_in(MEMBER).await,
        app.sign_in(ADMIN).await,
        app.sign_in(SUPER_USER).await,
    );
    let status = async |session: &str, path: &str| {
        let response = app.get(path).cookie(session).send().await;
        let page = response.text();
        assert!(!page.contains("secret:read"), "{path}: {page}");
        response.status.as_u16()
    };
    for path in [
        "/authorization-groups".to_owned(),
        "/authorization-groups/new".to_owned(),
        format!("/authorization-groups/{}", own.id),
        format!("/authorization-groups/{}/delete", own.id),
    ] {
        let stranger = app.get(&path).header("accept", "text/html").send().await;
        assert_eq!(stranger.status, 303, "{path}");
        assert_eq!(status(&member, &path).await, 403, "{path}");
        assert_eq!(status(&administrator, &path).await, 200, "{path}");
        let named = format!("{path}?tenant=acme");
        assert_eq!(status(&administrator, &named).await, 403, "{path}");
        assert_eq!(status(&operator, &named).await, 200, "{path}");
        let choice = app.get(&path).cookie(&operator).send().await;
        assert_eq!(choice.status, 303, "{path}");
        let tenants = app.get(choice.header("location"));
        let tenants = tenants.cookie(&operator).send().await;
        assert_eq!(tenants.status, 200, "{path}");
        // A group belongs to one tenant: the link of another tenant opens its list of groups.
        let page = match path.strip_prefix("/authorization-groups") {
            Some("/new") => "/authorization-groups/new",
            _ => "/authorization-groups",
        };
        let link = format!("{page}?tenant=globex\"");
        assert!(tenants.text().contains(&link), "{path}: {}", tenants.text());
    }
    for path in [
        format!("/authorization-groups/{}", foreign.id),
        format!("/authorization-groups/{}/delete", foreign.id),
        "/authorization-groups/nothing".to_owned(),
        "/authorization-groups/nothing/delete".to_owned(),
    ] {
        assert_eq!(status(&administrator, &path).await, 404, "{path}");
        let named = format!("{path}?tenant=acme");
        assert_eq!(status(&operator, &named).await, 404, "{path}");
    }
}
