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
        let tenants = app.get(&path).cookie(&operator).send().await;
        assert_eq!(tenants.status, 200, "{path}");
        assert!(
            tenants.text().contains("Globex"),
            "{path}: lists the tenants"
        );
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
