//! `GET /help`: the guide for tenant administrators; and "Contact support".

use domain::{
    key::{
        expiry::ExpirationState,
        verdict::{AllowlistOf, Refusal},
    },
    permission::Permission,
};

use super::test_app::{ADMIN, KeySpec, MEMBER, SUPER_USER, TestApp};

const SUPPORT: &str = "https://support.example/latchkey?from=console&kind=limit";

/// The texts between `start` and the next quotation mark.
fn values<'a>(page: &'a str, start: &str) -> Vec<&'a str> {
    page.split(start)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

/// Every refusal; a new variant does not compile here until it is listed.
fn refusals() -> Vec<Refusal> {
    let permission: Permission = "orders:read".parse().unwrap();
    let all = vec![
        Refusal::MissingApiKey,
        Refusal::AmbiguousApiKey,
        Refusal::InvalidApiKey,
        Refusal::RevokedApiKey,
        Refusal::ExpiredApiKey,
        Refusal::TenantSuspended,
        Refusal::IpNotAllowed(AllowlistOf::Key),
        Refusal::WrongTenant,
        Refusal::MissingPermission(permission),
    ];
    for refusal in &all {
        match refusal {
            Refusal::MissingApiKey
            | Refusal::AmbiguousApiKey
            | Refusal::InvalidApiKey
            | Refusal::RevokedApiKey
            | Refusal::ExpiredApiKey
            | Refusal::TenantSuspended
            | Refusal::IpNotAllowed(AllowlistOf::Tenant | AllowlistOf::Key)
            | Refusal::WrongTenant
            | Refusal::MissingPermission(_) => {}
        }
    }
    all
}

#[tokio::test]
async fn the_guide_explains_every_refusal_and_every_expiration_state() {
    let app = TestApp::start().await;
    let response = app.get("/help").send().await;
    assert_eq!(response.status, 200);
    let page = response.text();
    let anchors = values(&page, " id=\"");
    let contents = values(&page, "<li><a href=\"#");
    let mut codes = Vec::new();
    for refusal in refusals() {
        let code = refusal.code();
        assert!(anchors.contains(&code), "{code}");
        assert!(contents.contains(&code), "{code} in the contents");
        codes.push(code);
    }
    // The section of the refusals is in the order of the checks and contains nothing else.
    let sections: Vec<_> = anchors
        .iter()
        .copied()
        .skip_while(|anchor| *anchor != "why-a-request-is-refused")
        .skip(1)
        .take(codes.len())
        .collect();
    assert_eq!(sections, codes);
    for state in [
        ExpirationState::Valid,
        ExpirationState::ExpiringSoon,
        ExpirationState::Expired,
    ] {
        let word = state.as_str();
        assert!(page.contains(&format!("<code>{word}</code>")), "{word}");
        assert!(anchors.contains(&word.replace('_', "-").as_str()), "{word}");
    }
    for anchor in contents {
        let number = anchors.iter().filter(|known| **known == anchor).count();
        assert_eq!(number, 1, "{anchor}");
    }
    assert!(
        !page.contains("type=\"module\""),
        "the guide needs no script"
    );
}

#[tokio::test]
async fn the_guide_and_unknown_paths_have_the_frame_of_the_reader() {
    let app = (TestApp::start().await.with_admin().await)
        .with_member()
        .await
        .with_super_user()
        .await;
    for (path, status) in [("/help", 200), ("/nothing/here", 404)] {
        let stranger = app.get(path).send().await;
        assert_eq!(stranger.status, status, "{path}");
        let page = stranger.text();
        assert!(page.contains("href=\"/sign-in\""), "{path}: a way in");
        assert!(!page.contains("id=\"sidebar\""), "{path}");
        for (person, is_manager) in [(ADMIN, true), (MEMBER, false), (SUPER_USER, true)] {
            let session = app.sign_in(person).await;
            // A super user without a tenant has the operator's pages only.
            let path = match person {
                SUPER_USER => format!("{path}?tenant=acme"),
                _ => path.to_owned(),
            };
            let response = app.get(&path).cookie(&session).send().await;
            assert_eq!(response.status, status, "{path} for {person}");
            let page = response.text();
            assert!(page.contains("id=\"sidebar\""), "{path} for {person}");
            assert!(page.contains(person), "{path} for {person}");
            let menu = page.split("id=\"account\"").next().unwrap();
            assert_eq!(menu.contains("href=\"/audit-log"), is_manager, "{person}");
            assert_eq!(menu.contains("href=\"/help"), is_manager, "{person}");
            assert!(page.contains("href=\"/help"), "{path} for {person}");
        }
    }
    let session = app.sign_in(SUPER_USER).await;
    let page = app.get("/help?tenant=acme").cookie(&session).send().await;
    assert!(
        page.text().contains("href=\"/audit-log?tenant=acme\""),
        "links stay in the tenant"
    );
}

#[tokio::test]
async fn contact_support_leads_to_the_setting() {
    let app = TestApp::start_with(&[("LATCHKEY_SUPPORT_URL", SUPPORT)])
        .await
        .with_admin()
        .await;
    app.execute("UPDATE tenants SET key_limit = 1");
    app.issue(KeySpec::default()).await;
    let session = app.sign_in(ADMIN).await;
    let href = format!("href=\"{}\"", SUPPORT.replace('&', "&amp;"));
    for path in ["/tenant-api-keys", "/tenant-api-keys/new", "/help"] {
        let page = app.get(path).cookie(&session).send().await.text();
        assert!(page.contains(&href), "{path}");
        assert!(page.contains(">Contact support<"), "{path}");
    }
    for path in ["/help", "/sign-in"] {
        let page = app.get(path).send().await.text();
        assert!(page.contains(&href), "{path} without a session");
    }
}

#[tokio::test]
async fn without_the_setting_contact_support_is_plain_text() {
    let app = TestApp::start().await.with_admin().await;
    app.execute("UPDATE tenants SET key_limit = 1");
    app.issue(KeySpec::default()).await;
    let session = app.sign_in(ADMIN).await;
    let page = app.get("/tenant-api-keys").cookie(&session).send().await;
    let page = page.text();
    assert!(page.contains("You have reached your limit of 1 key. Contact support to raise it."));
    assert!(!page.contains(">Contact support"));
}
