//! Users: creation rules, password changes and disabling.

use domain::{
    Error,
    audit::AuditAction,
    store::{password, users::NewUser},
    user::{Email, Role, User},
};
use sea_orm::{ConnectionTrait, Statement};
use std::time::Instant;
use tokio::task::JoinSet;

use crate::{
    sign_in::{sign_in, try_password},
    test_store::{TestStore, on_every_database},
};

/// An accepted password.
pub(crate) const PASSWORD: &str = "copper walrus thirteen violins";
/// A second accepted password.
pub(crate) const OTHER_PASSWORD: &str = "kestrel harbour 47 tundra";

pub(crate) fn email(text: &str) -> Email {
    text.parse().expect("an email")
}

fn new_user(address: &str, role: Role, tenant: Option<&str>) -> NewUser {
    NewUser {
        email: email(address),
        name: None,
        role,
        tenant: tenant.map(str::to_owned),
    }
}

/// Creates a user whose password is [`PASSWORD`].
pub(crate) async fn add_user(
    fixture: &TestStore,
    address: &str,
    role: Role,
    tenant: Option<&str>,
) -> User {
    fixture
        .store
        .users(&fixture.store.as_cli())
        .create(new_user(address, role, tenant), PASSWORD, fixture.now)
        .await
        .expect("a user")
}

/// Creates the tenant `acme` and its administrator `mira@acme.example`.
pub(crate) async fn add_mira(fixture: &TestStore) -> User {
    fixture.tenant("acme").await;
    add_user(
        fixture,
        "mira@acme.example",
        Role::TenantAdmin,
        Some("acme"),
    )
    .await
}

/// Runs a query that returns one number, bypassing the store.
pub(crate) async fn number(fixture: &TestStore, sql: &str) -> i64 {
    let connection = fixture.connection().await;
    let backend = connection.get_database_backend();
    let row = connection
        .query_one_raw(Statement::from_string(backend, sql))
        .await
        .expect("a result")
        .expect("a row");
    connection.close().await.expect("closed");
    row.try_get_by_index(0).expect("a number")
}

/// Runs a query that returns one text, bypassing the store.
pub(crate) async fn one_text(fixture: &TestStore, sql: &str) -> String {
    let connection = fixture.connection().await;
    let backend = connection.get_database_backend();
    let row = connection
        .query_one_raw(Statement::from_string(backend, sql))
        .await
        .expect("a result")
        .expect("a row");
    connection.close().await.expect("closed");
    row.try_get_by_index(0).expect("a text")
}

fn fields(error: Error) -> Vec<String> {
    match error {
        Error::Invalid(faults) => faults.into_iter().map(|fault| fault.field).collect(),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_user_is_listed_with_the_slug_of_its_tenant_and_audited() {
    on_every_database(async |fixture| {
        let mira = add_mira(fixture).await;
        let operator = add_user(fixture, "ada@example.org", Role::SuperUser, None).await;
        assert_eq!(mira.name, "mira");

        let scope = fixture.store.as_cli();
        let listed = fixture.store.users(&scope).list().await.unwrap();
        assert_eq!(
            listed,
            [(operator, None), (mira.clone(), Some("acme".to_owned()))]
        );

        let tenants = fixture.store.tenants(&scope);
        let acme = tenants.scope("acme").await.unwrap();
        let events = fixture.store.audit(&acme).newest(1).await.unwrap();
        assert_eq!(events[0].action, AuditAction::UserCreated);
        assert_eq!(events[0].target.name, "mira@acme.example");
        assert_eq!(events[0].changes["role"]["after"], "tenant_admin");
        assert!(!events[0].changes.to_string().contains("argon2"));
    })
    .await;
}

#[tokio::test]
async fn super_users_take_no_tenant_and_other_roles_require_one() {
    on_every_database(async |fixture| {
        fixture.tenant("acme").await;
        let scope = fixture.store.as_cli();
        let users = fixture.store.users(&scope);
        let create = async |role, tenant| {
            users
                .create(
                    new_user("mira@acme.example", role, tenant),
                    PASSWORD,
                    fixture.now,
                )
                .await
                .unwrap_err()
        };
        assert_eq!(
            fields(create(Role::SuperUser, Some("acme")).await),
            ["tenant"]
        );
        assert_eq!(fields(create(Role::TenantAdmin, None).await), ["tenant"]);
        assert_eq!(fields(create(Role::Member, None).await), ["tenant"]);
        let unknown = create(Role::Member, Some("umbrella")).await;
        assert!(matches!(unknown, Error::NotFound("tenant")), "{unknown}");
        assert!(users.list().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn p15_a_weak_password_is_reported_with_all_other_errors() {
    on_every_database(async |fixture| {
        let scope = fixture.store.as_cli();
        let users = fixture.store.users(&scope);
        let new = || NewUser {
            name: Some(" ".to_owned()),
            ..new_user("mira@acme.example", Role::Member, None)
        };
        let create = async |password| {
            users
                .create(new(), password, fixture.now)
                .await
                .unwrap_err()
        };
        assert_eq!(
            fields(create("vq7#Lm2xR9t").await),
            ["tenant", "name", "password"]
        );
        assert_eq!(
            fields(create("passwordpassword").await),
            ["tenant", "name", "password"]
        );
        assert_eq!(fields(create(PASSWORD).await), ["tenant", "name"]);
    })
    .await;
}

#[tokio::test]
async fn p15_1025_bytes_are_refused_without_hashing() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let scope = fixture.store.as_cli();
        let too_long = "🦊".repeat(256) + "x";
        assert_eq!(too_long.len(), 1_025);
        let asked = Instant::now();
        for _ in 0..200 {
            let refused = fixture
                .store
                .users(&scope)
                .set_password(&email("mira@acme.example"), &too_long, fixture.now)
                .await
                .unwrap_err();
            assert_eq!(fields(refused), ["password"]);
        }
        // One hash takes at least 15 ms, so 200 would take 3 s.
        assert!(asked.elapsed().as_millis() < 2_000, "{:?}", asked.elapsed());
    })
    .await;
}

#[tokio::test]
async fn p15_every_character_counts_and_nfc_and_nfd_sign_in() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let scope = fixture.store.as_cli();
        let mira = email("mira@acme.example");
        let hundred: String = "grün kestrel 47 é".chars().cycle().take(99).collect();
        let set = async |password: &str| {
            fixture
                .store
                .users(&scope)
                .set_password(&mira, password, fixture.now)
                .await
                .expect("set");
        };

        set(&format!("{hundred}a")).await;
        assert!(
            !sign_in(fixture, &format!("{hundred}b")).await,
            "the last one differs"
        );
        assert!(sign_in(fixture, &format!("{hundred}a")).await);

        let (composed, decomposed) = (
            "café zwölf \u{e9}toile",
            "cafe\u{301} zwo\u{308}lf e\u{301}toile",
        );
        for (kept, typed) in [(composed, decomposed), (decomposed, composed)] {
            set(kept).await;
            assert!(sign_in(fixture, kept).await);
            assert!(sign_in(fixture, typed).await);
        }

        set("  🦊 vier Füchse 🌋  ").await;
        assert!(sign_in(fixture, "  🦊 vier Füchse 🌋  ").await);
        assert!(!sign_in(fixture, "🦊 vier Füchse 🌋").await, "spaces count");
    })
    .await;
}

#[tokio::test]
async fn p17_a_new_database_has_no_user() {
    on_every_database(async |fixture| {
        assert!(fixture.store.sign_in().has_no_users().await.unwrap());
        add_user(fixture, "ada@example.org", Role::SuperUser, None).await;
        assert!(!fixture.store.sign_in().has_no_users().await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p17_fifty_parallel_creations_of_one_user_make_exactly_one() {
    on_every_database(async |fixture| {
        let mut creations = JoinSet::new();
        for _ in 0..50 {
            let (store, now) = (fixture.store.clone(), fixture.now);
            creations.spawn(async move {
                store
                    .users(&store.as_cli())
                    .create(
                        new_user("Ada@Example.org", Role::SuperUser, None),
                        PASSWORD,
                        now,
                    )
                    .await
            });
        }
        let mut made = 0;
        for created in creations.join_all().await {
            match created {
                Ok(_) => made += 1,
                Err(Error::AlreadyExists { what: "user", name }) => {
                    assert_eq!(name, "ada@example.org");
                }
                // Refused as busy; nothing was changed.
                Err(Error::Unavailable(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(made, 1);
        assert_eq!(number(fixture, "SELECT count(*) FROM users").await, 1);
        let audited = "SELECT count(*) FROM audit_events WHERE action = 'user.created'";
        assert_eq!(number(fixture, audited).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_new_password_replaces_the_old_one_and_clears_the_throttle() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let mira = email("mira@acme.example");
        for _ in 0..10 {
            try_password(fixture, mira.as_str(), "wrong", "203.0.113.7", fixture.now).await;
        }
        fixture
            .execute_script("UPDATE sign_in_accounts SET failures = 100")
            .await;
        assert!(
            !sign_in(fixture, "wrong").await,
            "the one attempt of the day"
        );
        assert!(
            !sign_in(fixture, PASSWORD).await,
            "the address has to wait for a day"
        );

        let scope = fixture.store.as_cli();
        let users = fixture.store.users(&scope);
        users
            .set_password(&mira, OTHER_PASSWORD, fixture.now)
            .await
            .unwrap();
        assert!(!sign_in(fixture, PASSWORD).await, "the old one");
        let again = try_password(
            fixture,
            mira.as_str(),
            OTHER_PASSWORD,
            "203.0.113.7",
            fixture.now,
        )
        .await;
        assert!(again.signed_in(), "also from the throttled address");

        let unknown = users
            .set_password(&email("nobody@acme.example"), OTHER_PASSWORD, fixture.now)
            .await;
        assert!(matches!(unknown, Err(Error::NotFound("user"))));
    })
    .await;
}

#[tokio::test]
async fn disabling_a_user_is_idempotent() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let scope = fixture.store.as_cli();
        let users = fixture.store.users(&scope);
        let mira = email("mira@acme.example");
        let first = users.disable(&mira, fixture.now).await.unwrap();
        assert_eq!(first.disabled_at, Some(fixture.now));
        let later = fixture.now + chrono::TimeDelta::days(1);
        assert_eq!(users.disable(&mira, later).await.unwrap(), first);
        let audited = "SELECT count(*) FROM audit_events WHERE action = 'user.disabled'";
        assert_eq!(number(fixture, audited).await, 1);
        assert!(!sign_in(fixture, PASSWORD).await);
        let unknown = users.disable(&email("nobody@acme.example"), later).await;
        assert!(matches!(unknown, Err(Error::NotFound("user"))));
    })
    .await;
}

#[tokio::test]
async fn a_generated_password_is_accepted() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let generated = password::generate().unwrap();
        fixture
            .store
            .users(&fixture.store.as_cli())
            .set_password(&email("mira@acme.example"), &generated, fixture.now)
            .await
            .unwrap();
        assert!(sign_in(fixture, &generated).await);
    })
    .await;
}
