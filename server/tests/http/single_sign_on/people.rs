//! Which person is which user.

use domain::user::{Role, User};
use serde_json::{Value, json};

use super::{
    super::test_app::{ADMIN, MEMBER, PASSWORD, SUPER_USER, TestApp},
    CLAIMS, actions, app_with, assert_refused, assert_signed_in, installation_log, reasons,
    sign_in, start, users,
};
use crate::support::test_provider::TestProvider;

async fn user(app: &TestApp, email: &str) -> User {
    let cli = app.store.as_cli();
    let users = app.store.users(&cli).list().await.unwrap();
    let found = users
        .into_iter()
        .find(|(user, _)| user.email.as_str() == email);
    found.unwrap_or_else(|| panic!("no user {email}")).0
}

/// The claims of a person whom the provider gives a tenant and groups.
fn member_of(tenant: &str, groups: &[&str]) -> Value {
    json!({ "sub": "person-2", "email": "nova@partner.example", "name": "Nova Lind", "tenant": tenant, "groups": groups })
}

#[tokio::test]
async fn an_existing_user_is_linked_once_and_found_by_the_subject_then() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let session = assert_signed_in(&sign_in(&app, &provider, &json!({ "email": ADMIN })).await);
    assert!(app.is_signed_in(&session).await);
    let audited = app.audited("acme").await;
    assert_eq!(
        &actions(&audited)[..2],
        ["session.created", "user.sso_linked"]
    );
    assert_eq!(
        audited[0].changes["authentication"]["after"],
        "single_sign_on"
    );
    assert_eq!(audited[1].changes["subject"]["after"], "person-1");
    assert_eq!(audited[1].changes["issuer"]["after"], provider.issuer);
    assert_eq!(audited[1].target.name, ADMIN);
    // The person is the subject: another address, verified or not, changes nothing.
    for changes in [
        json!({ "email": "renamed@elsewhere.example" }),
        json!({ "email": ADMIN, "email_verified": false }),
        json!({ "email": null, "email_verified": null }),
    ] {
        assert_signed_in(&sign_in(&app, &provider, &changes).await);
    }
    assert_eq!(user(&app, ADMIN).await.role, Role::TenantAdmin);
    assert_eq!(users(&app).await, 1);
    let links = actions(&app.audited("acme").await)
        .into_iter()
        .filter(|action| *action == "user.sso_linked")
        .count();
    assert_eq!(links, 1);
    // The password still works.
    app.sign_in(ADMIN).await;
}

#[tokio::test]
async fn an_address_links_only_if_it_is_verified_and_its_domain_is_allowed() {
    let provider = TestProvider::start();
    let app = app_with(&provider.issuer, &[]).await.with_admin().await;
    assert_refused(
        &sign_in(&app, &provider, &json!({ "email": ADMIN })).await,
        "no-account",
    );
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    app.add_user("joe@sub.acme.example", Role::Member, Some("acme"))
        .await;
    for changes in [
        json!({ "email": ADMIN, "email_verified": false }),
        json!({ "email": ADMIN, "email_verified": null }),
        json!({ "email": "joe@sub.acme.example" }),
        json!({ "email": "MIRA@ACME.EXAMPLE.evil.example" }),
        json!({ "email": null }),
    ] {
        assert_refused(&sign_in(&app, &provider, &changes).await, "no-account");
    }
    let told = reasons(&app.audited("acme").await);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains("does not state that the address is verified"));
    assert!(told[0].contains("LATCHKEY_OIDC_ALLOWED_DOMAINS"));
    let told = reasons(&installation_log(&app).await);
    assert!(
        told[0].contains("the claim email names no e-mail address"),
        "{told:?}"
    );
    assert!(!actions(&app.audited("acme").await).contains(&"user.sso_linked"));
    // The case of the address and the form of its domain do not matter.
    assert_signed_in(&sign_in(&app, &provider, &json!({ "email": "Mira@ACME.example" })).await);
}

#[tokio::test]
async fn a_super_user_is_never_linked_by_an_address() {
    let provider = TestProvider::start();
    let domains = [("LATCHKEY_OIDC_ALLOWED_DOMAINS", "latchkey.example")];
    let app = app_with(&provider.issuer, &domains)
        .await
        .with_super_user()
        .await;
    let claims = json!({ "email": SUPER_USER });
    assert_refused(&sign_in(&app, &provider, &claims).await, "no-account");
    assert!(reasons(&installation_log(&app).await)[0].starts_with("a super user has"));
    // The command links one.
    let cli = app.store.as_cli();
    let email = SUPER_USER.parse().unwrap();
    let now = server::clock::now();
    app.store
        .single_sign_on()
        .link(&cli, &email, &provider.issuer, "person-1", now)
        .await
        .unwrap();
    let response = sign_in(&app, &provider, &claims).await;
    assert_signed_in(&response);
    assert_eq!(user(&app, SUPER_USER).await.role, Role::SuperUser);
    assert_eq!(
        &actions(&installation_log(&app).await)[..2],
        ["session.created", "user.sso_linked"]
    );
}

#[tokio::test]
async fn a_person_with_another_subject_does_not_get_a_linked_user() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    assert_signed_in(&sign_in(&app, &provider, &json!({ "email": ADMIN })).await);
    // The address of a person who left was given to another person.
    let other = json!({ "email": ADMIN, "sub": "person-9" });
    assert_refused(&sign_in(&app, &provider, &other).await, "no-account");
    assert!(reasons(&app.audited("acme").await)[0].contains("another subject"));
}

#[tokio::test]
async fn a_new_user_is_made_if_the_claims_name_tenant_and_role() {
    let (app, provider) = start().await;
    let response = sign_in(
        &app,
        &provider,
        &member_of("acme", &["x", "latchkey-admins"]),
    )
    .await;
    let session = assert_signed_in(&response);
    assert!(app.is_signed_in(&session).await);
    assert_eq!(response.header("location"), "/tenant-api-keys");
    let made = user(&app, "nova@partner.example").await;
    assert_eq!(
        (made.role, made.name.as_str()),
        (Role::TenantAdmin, "Nova Lind")
    );
    let audited = app.audited("acme").await;
    assert_eq!(&actions(&audited)[..2], ["session.created", "user.created"]);
    assert_eq!(audited[1].actor.id, Some(made.id.as_uuid()));
    assert_eq!(audited[1].changes["role"]["after"], "tenant_admin");
    // The user has no password, and none can be guessed.
    for password in [PASSWORD, "", " "] {
        let attempt = app.post("/sign-in").same_origin();
        let attempt = attempt.form(&[("email", "nova@partner.example"), ("password", password)]);
        assert_eq!(attempt.send().await.status, 422, "{password:?}");
    }
    assert_signed_in(&sign_in(&app, &provider, &member_of("acme", &["latchkey-admins"])).await);
    assert_eq!(users(&app).await, 1);
}

#[tokio::test]
async fn of_many_first_sign_ins_of_a_person_one_makes_the_user() {
    let (app, provider) = start().await;
    let mut begun = Vec::new();
    for _ in 0..10 {
        begun.push(super::Begun::new(&app).await);
    }
    let claims = member_of("acme", &["staff"]);
    let finished = begun.iter().map(async |begun| {
        let code = provider.code(&begun.nonce(), &claims);
        begun.finish(&app, &code).await
    });
    for response in futures_util::future::join_all(finished).await {
        assert_signed_in(&response);
    }
    assert_eq!(users(&app).await, 1);
    let made = actions(&app.audited("acme").await)
        .into_iter()
        .filter(|action| *action == "user.created")
        .count();
    assert_eq!(made, 1);
}

#[tokio::test]
async fn a_new_person_is_refused_with_what_the_claims_lack() {
    let (app, provider) = start().await;
    app.add_tenant("globex", "Globex").await;
    app.suspend("globex").await;
    let without = |member: &str| {
        let mut claims = member_of("acme", &["staff"]);
        claims.as_object_mut().unwrap().remove(member);
        claims
    };
    let with = |member: &str, value: Value| {
        let mut claims = member_of("acme", &["staff"]);
        claims[member] = value;
        claims
    };
    for (claims, lacking) in [
        (without("tenant"), "the claim tenant names no tenant"),
        (
            with("tenant", json!(["acme", "globex"])),
            "the claim tenant names no tenant",
        ),
        (
            with("tenant", json!("initech")),
            "the claim tenant names a tenant that does not exist",
        ),
        (
            without("groups"),
            "no value of the claim groups is in LATCHKEY_OIDC_ROLE_MAP",
        ),
        (
            with("groups", json!(["super_user"])),
            "no value of the claim groups",
        ),
        (
            with("email", json!(null)),
            "the claim email names no e-mail address",
        ),
        (
            with("email_verified", json!(false)),
            "the e-mail address is not verified",
        ),
    ] {
        assert_refused(&sign_in(&app, &provider, &claims).await, "no-account");
        let told = reasons(&installation_log(&app).await);
        assert!(
            told.iter().any(|reason| reason.contains(lacking)),
            "{lacking}: {told:?}"
        );
    }
    let all = json!({ "sub": "person-2", "email": null });
    assert_refused(&sign_in(&app, &provider, &all).await, "no-account");
    assert_eq!(
        reasons(&installation_log(&app).await)[0]
            .matches(';')
            .count(),
        2,
        "all that is missing is named"
    );
    let suspended = member_of("globex", &["staff"]);
    assert_refused(&sign_in(&app, &provider, &suspended).await, "suspended");
    assert_eq!(users(&app).await, 0);
}

#[tokio::test]
async fn without_claims_in_the_settings_no_user_is_made() {
    let provider = TestProvider::start();
    let app = app_with(&provider.issuer, &CLAIMS[..1]).await;
    let claims = member_of("acme", &["latchkey-admins"]);
    assert_refused(&sign_in(&app, &provider, &claims).await, "no-account");
    let told = &reasons(&installation_log(&app).await)[0];
    assert!(
        told.contains("LATCHKEY_OIDC_TENANT_CLAIM is not set"),
        "{told}"
    );
    assert!(
        told.contains("LATCHKEY_OIDC_ROLE_CLAIM is not set"),
        "{told}"
    );
    assert_eq!(users(&app).await, 0);
}

#[tokio::test]
async fn p12_disabled_users_and_suspended_tenants_are_refused() {
    let (app, provider) = start().await;
    let app = app.with_admin().await.with_member().await;
    let claims = json!({ "email": ADMIN });
    let session = assert_signed_in(&sign_in(&app, &provider, &claims).await);
    let cli = app.store.as_cli();
    let email = ADMIN.parse().unwrap();
    app.store
        .users(&cli)
        .disable(&email, server::clock::now())
        .await
        .unwrap();
    assert!(!app.is_signed_in(&session).await);
    assert_refused(&sign_in(&app, &provider, &claims).await, "disabled");
    let unlinked = json!({ "sub": "person-3", "email": MEMBER });
    let session = assert_signed_in(&sign_in(&app, &provider, &unlinked).await);
    app.suspend("acme").await;
    assert!(!app.is_signed_in(&session).await);
    assert_refused(&sign_in(&app, &provider, &unlinked).await, "suspended");
    let audited = app.audited("acme").await;
    assert!(reasons(&audited).contains(&"the user is disabled".to_owned()));
}

#[tokio::test]
async fn claims_set_the_role_at_each_sign_in() {
    let (app, provider) = start().await;
    let app = app.with_admin().await.with_member().await;
    let member = |groups: Value| json!({ "sub": "person-3", "email": MEMBER, "groups": groups });
    // Without the claim the role of the console stays.
    assert_signed_in(&sign_in(&app, &provider, &member(json!(["unrelated"]))).await);
    assert_eq!(user(&app, MEMBER).await.role, Role::Member);
    let raised = sign_in(
        &app,
        &provider,
        &member(json!(["staff", "latchkey-admins"])),
    )
    .await;
    let session = assert_signed_in(&raised);
    assert_eq!(user(&app, MEMBER).await.role, Role::TenantAdmin);
    assert_eq!(
        app.get("/tenant-api-keys")
            .cookie(&session)
            .send()
            .await
            .status,
        200
    );
    let audited = app.audited("acme").await;
    assert_eq!(
        &actions(&audited)[..2],
        ["session.created", "user.role_changed"]
    );
    assert_eq!(
        audited[1].changes["role"],
        json!({ "before": "member", "after": "tenant_admin" })
    );
    // A lower role is in effect for the earlier session too.
    assert_signed_in(&sign_in(&app, &provider, &member(json!("staff"))).await);
    assert_eq!(user(&app, MEMBER).await.role, Role::Member);
    assert_eq!(
        app.get("/tenant-api-keys")
            .cookie(&session)
            .send()
            .await
            .status,
        403
    );
    // Once claims have set the role, they must name one.
    for groups in [json!([]), json!(null), json!(["unrelated"])] {
        assert_refused(
            &sign_in(&app, &provider, &member(groups)).await,
            "no-account",
        );
    }
    assert!(reasons(&app.audited("acme").await)[0].contains("no value of the role claim"));
}

#[tokio::test]
async fn claims_never_take_the_last_administrator() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let claims = |groups: &str| json!({ "email": ADMIN, "groups": [groups] });
    assert_signed_in(&sign_in(&app, &provider, &claims("latchkey-admins")).await);
    assert_refused(
        &sign_in(&app, &provider, &claims("staff")).await,
        "last-administrator",
    );
    assert_eq!(user(&app, ADMIN).await.role, Role::TenantAdmin);
    assert!(reasons(&app.audited("acme").await)[0].contains("last enabled administrator"));
    app.add_user("joe@acme.example", Role::TenantAdmin, Some("acme"))
        .await;
    assert_signed_in(&sign_in(&app, &provider, &claims("staff")).await);
    assert_eq!(user(&app, ADMIN).await.role, Role::Member);
}

#[tokio::test]
async fn of_two_administrators_whose_claims_change_at_once_one_stays() {
    let (app, provider) = start().await;
    let emails = ["ann@acme.example", "ben@acme.example"];
    let mut begun = Vec::new();
    for email in emails {
        app.add_user(email, Role::TenantAdmin, Some("acme")).await;
        begun.push((email, super::Begun::new(&app).await));
    }
    let finished = begun.iter().map(async |(email, begun)| {
        let claims = json!({ "sub": email, "email": email, "groups": ["staff"] });
        let code = provider.code(&begun.nonce(), &claims);
        begun.finish(&app, &code).await
    });
    let responses = futures_util::future::join_all(finished).await;
    let mut locations: Vec<_> = responses
        .iter()
        .map(|response| response.header("location"))
        .collect();
    locations.sort_unstable();
    assert_eq!(locations, ["/account", "/sign-in?sso=last-administrator"]);
}

#[tokio::test]
async fn p25_claims_of_another_tenant_do_not_open_the_own_one() {
    let (app, provider) = start().await;
    app.add_tenant("globex", "Globex").await;
    let app = app.with_admin().await;
    let other = json!({ "email": ADMIN, "tenant": "globex", "groups": ["latchkey-admins"] });
    assert_refused(&sign_in(&app, &provider, &other).await, "no-account");
    let own = json!({ "email": ADMIN, "tenant": "acme", "groups": ["latchkey-admins"] });
    assert_signed_in(&sign_in(&app, &provider, &own).await);
    assert_refused(&sign_in(&app, &provider, &other).await, "no-account");
    let cli = app.store.as_cli();
    let globex = app.store.tenants(&cli).scope("globex").await.unwrap();
    assert!(
        app.store
            .tenant_users(&globex)
            .list(10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn claims_of_the_userinfo_endpoint_complete_those_of_the_token() {
    let (app, provider) = start().await;
    let bare = json!({ "sub": "person-2", "email": null, "email_verified": null, "name": null });
    let mut info = member_of("acme", &["staff"]);
    info["email_verified"] = json!(true);
    provider.behaviour().user_info = Some(info.clone());
    assert_signed_in(&sign_in(&app, &provider, &bare).await);
    assert_eq!(user(&app, "nova@partner.example").await.role, Role::Member);
    // Of another person
    info["sub"] = json!("person-1");
    provider.behaviour().user_info = Some(info.clone());
    assert_refused(&sign_in(&app, &provider, &bare).await, "refused");
    // An address of the token stays unverified, whatever the endpoint states.
    let app = app.with_admin().await;
    info["sub"] = json!("person-7");
    info["email"] = json!(ADMIN);
    provider.behaviour().user_info = Some(info);
    let unverified =
        json!({ "sub": "person-7", "email": ADMIN, "email_verified": null, "name": null });
    assert_refused(&sign_in(&app, &provider, &unverified).await, "no-account");
}
