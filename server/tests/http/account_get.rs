//! `GET /account`: the sections, the sessions and the theme.

use chrono::TimeDelta;
use domain::{
    client_address::ClientAddress, session::SessionToken, store::sign_in::SignInOutcome,
    user_agent::Browser,
};
use server::clock;

use super::{
    request::TestResponse,
    test_app::{ADMIN, MEMBER, PASSWORD, SUPER_USER, TestApp},
};

const FIREFOX: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0";
const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 \
     (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1";

/// Signs in with this browser from this address, and returns the session cookie.
pub(crate) async fn sign_in_with(app: &TestApp, user_agent: &str, address: &str) -> String {
    let response = app
        .post("/sign-in")
        .same_origin()
        .from(address)
        .header("user-agent", user_agent)
        .form(&[("email", ADMIN), ("password", PASSWORD)])
        .send()
        .await;
    response.set_cookie("latchkey_session")
}

async fn account(app: &TestApp, session: &str) -> TestResponse {
    app.get("/account").cookie(session).send().await
}

#[tokio::test]
async fn the_account_page_is_for_every_role_and_needs_no_script() {
    let app = TestApp::start().await.with_admin().await;
    let app = app.with_member().await.with_super_user().await;
    for (email, about) in [
        (ADMIN, "tenant administrator of Acme"),
        (MEMBER, "member of Acme"),
        (SUPER_USER, "super user"),
    ] {
        let session = app.sign_in(email).await;
        let page = account(&app, &session).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let text = page.text();
        assert!(text.contains(&format!("{email}, {about}")), "{text}");
        for section in ["Name", "Password", "Sessions", "Theme"] {
            assert!(text.contains(&format!(">{section}</h2>")), "{section}");
        }
        assert!(!text.contains("import("), "no bundle is loaded");
    }
}

#[tokio::test]
async fn sessions_are_listed_with_browser_system_and_address() {
    let app = TestApp::start().await.with_admin().await;
    let here = sign_in_with(&app, FIREFOX, "198.51.100.7").await;
    sign_in_with(&app, SAFARI, "2001:db8:40::c1").await;
    sign_in_with(&app, "<script>alert(1)</script>", "192.0.2.61").await;
    let page = app
        .get("/account")
        .from("198.51.100.7")
        .cookie(&here)
        .send()
        .await
        .text();
    let list = page.split("<ul class=\"sessions\">").nth(1).unwrap();
    let items: Vec<&str> = list.split("<li>").skip(1).collect();
    assert_eq!(items.len(), 3, "{list}");
    assert!(items[0].contains("Firefox on Windows"), "{list}");
    assert!(items[0].contains("This session"));
    assert!(items[0].contains("198.51.100.7"));
    assert!(!items[0].contains("name=\"session\""), "no button here");
    assert!(list.contains("Safari on iPhone") && list.contains("2001:db8:40::c1"));
    assert!(list.contains("Unknown browser") && !list.contains("alert(1)"));
    assert_eq!(list.matches("name=\"session\"").count(), 2);
    assert_eq!(list.matches("Sign out elsewhere").count(), 1);
}

/// The last use is written at most once a minute: a page view within the minute writes nothing.
#[tokio::test]
async fn the_last_use_and_its_address_are_written_at_most_once_a_minute() {
    let app = TestApp::start().await.with_admin().await;
    let now = clock::now();
    let attempt = domain::store::sign_in::Attempt {
        email: ADMIN,
        password: PASSWORD,
        client: ClientAddress::known("198.51.100.7".parse().unwrap()),
        browser: Browser::of(FIREFOX),
        device: None,
        previous: None,
    };
    let outcome = app.store.sign_in().attempt(attempt, now).await.unwrap();
    let SignInOutcome::SignedIn { session, .. } = outcome else {
        panic!("signed in");
    };
    let seen = async |session: &SessionToken, address: &str, at| {
        let client = ClientAddress::known(address.parse().unwrap());
        let sessions = app.store.sessions();
        let user = sessions.authenticate(session, client, at).await.unwrap();
        let own = user.unwrap();
        let own = app.store.own_account(&own).sessions(at).await.unwrap();
        (own.listed[0].address.clone(), own.listed[0].last_seen_at)
    };
    let soon = now + TimeDelta::seconds(59);
    let (address, first) = seen(&session, "192.0.2.61", soon).await;
    assert_eq!(address.as_deref(), Some("198.51.100.7"));
    let later = now + TimeDelta::seconds(60);
    let (address, second) = seen(&session, "192.0.2.61", later).await;
    assert_eq!(address.as_deref(), Some("192.0.2.61"));
    assert!(second > first);
}

#[tokio::test]
async fn the_theme_is_chosen_by_cookie_and_rendered_by_the_server() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    for (cookie, marked) in [
        ("", None),
        ("; latchkey_theme=dark", Some("dark")),
        ("; latchkey_theme=light", Some("light")),
        ("; latchkey_theme=pink", None),
        ("; latchkey_theme=dark; latchkey_theme=light", None),
    ] {
        for path in ["/account", "/tenant-api-keys", "/help", "/nowhere"] {
            let request = app.get(path).cookie(&format!("{session}{cookie}"));
            let page = request.send().await.text();
            let root = page.split('>').nth(1).unwrap();
            match marked {
                Some(theme) => {
                    assert!(root.contains(&format!("data-theme=\"{theme}\"")), "{root}");
                }
                None => assert!(!root.contains("data-theme"), "{root}"),
            }
        }
    }
}
