//! Changes of users' roles and states, and their rules.

use chrono::TimeDelta;
use domain::{
    Error,
    session::{Authentication, SessionId},
    store::{
        TenantScope,
        sessions::{CurrentSession, SignedIn},
        user_changes::{ChangedUser, UserChange},
    },
    user::{Role, User},
    user_rule::UserRule,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    sign_in::{HOME, MIRA, client, sign_in, try_password},
    test_store::{TestStore, on_every_database},
    users::{PASSWORD, add_mira, add_user, email, number},
};

/// Inserts a user of Acme without hashing a password.
pub(crate) async fn insert_user(fixture: &TestStore, address: &str, role: Role) -> User {
    let cli = fixture.store.as_cli();
    let tenant = fixture
        .store
        .tenants(&cli)
        .find("acme")
        .await
        .expect("a tenant");
    let sql = "INSERT INTO users (id, tenant_id, email, name, password_hash, role, \
               consecutive_failures, created_at, updated_at, version) \
               VALUES ($1, $2, $3, 'Somebody', '', $4, 0, $5, $5, 1)";
    let id = Uuid::now_v7();
    let values = [
        id.into(),
        tenant.id.as_uuid().into(),
        address.into(),
        role.as_str().into(),
        fixture.now.into(),
    ];
    fixture.execute(sql, values).await.expect("a user");
    User {
        id: id.into(),
        tenant_id: Some(tenant.id),
        email: email(address),
        name: "Somebody".to_owned(),
        role,
        disabled_at: None,
        created_at: fixture.now,
    }
}

/// The scope of an administrator of Acme who is signed in.
pub(crate) async fn scope_of(fixture: &TestStore, user: &User) -> TenantScope {
    let cli = fixture.store.as_cli();
    let tenant = fixture
        .store
        .tenants(&cli)
        .find("acme")
        .await
        .expect("a tenant");
    let signed_in = SignedIn {
        user: user.clone(),
        tenant: Some(tenant),
        client: client(HOME),
        session: CurrentSession {
            id: SessionId::of_digest(&[0; 32]),
            authentication: Authentication::Password,
            created_at: fixture.now,
            authenticated_at: None,
        },
        needs_second_factor: false,
    };
    signed_in.administered_tenant().expect("an administrator")
}

async fn change(
    fixture: &TestStore,
    actor: &User,
    user: &User,
    change: UserChange,
) -> Result<ChangedUser, Error> {
    let scope = scope_of(fixture, actor).await;
    let users = fixture.store.tenant_users(&scope);
    users.change(user.id, change, fixture.now).await
}

fn broken(result: Result<ChangedUser, Error>) -> UserRule {
    match result {
        Err(Error::UserRule(rule)) => rule,
        other => panic!("{other:?}"),
    }
}

const ADMINISTRATORS: &str =
    "SELECT count(*) FROM users WHERE role = 'tenant_admin' AND disabled_at IS NULL";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p12_fifty_administrators_who_disable_each_other_at_once_leave_one() {
    on_every_database(async |fixture| {
        fixture.tenant("acme").await;
        let mut all = Vec::new();
        for index in 0..50 {
            let address = format!("admin{index:02}@acme.example");
            all.push(insert_user(fixture, &address, Role::TenantAdmin).await);
        }
        let mut changes = JoinSet::new();
        for (index, actor) in all.iter().enumerate() {
            let scope = scope_of(fixture, actor).await;
            let (store, now) = (fixture.store.clone(), fixture.now);
            let next = all[(index + 1) % all.len()].id;
            changes.spawn(async move {
                let users = store.tenant_users(&scope);
                users.change(next, UserChange::Disable, now).await
            });
        }
        let mut made = 0;
        for changed in changes.join_all().await {
            match changed {
                Ok(changed) => {
                    assert!(!changed.leaves_no_administrator);
                    made += 1;
                }
                // Disabled meanwhile, or the last one.
                Err(Error::Forbidden | Error::UserRule(UserRule::LastAdministrator)) => {}
                // Not changed: the writer was busy for too long.
                Err(Error::Unavailable(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        let left = number(fixture, ADMINISTRATORS).await;
        assert!(left >= 1, "{left}");
        assert_eq!(left, 50 - made);
        let audited = "SELECT count(*) FROM audit_events WHERE action = 'user.disabled'";
        assert_eq!(number(fixture, audited).await, made);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p12_two_administrators_who_demote_each_other_at_once_leave_one() {
    on_every_database(async |fixture| {
        fixture.tenant("acme").await;
        let one = insert_user(fixture, "one@acme.example", Role::TenantAdmin).await;
        let other = insert_user(fixture, "other@acme.example", Role::TenantAdmin).await;
        let mut changes = JoinSet::new();
        for index in 0..50 {
            let (actor, user) = if index % 2 == 0 {
                (&one, &other)
            } else {
                (&other, &one)
            };
            let scope = scope_of(fixture, actor).await;
            let (store, now, user) = (fixture.store.clone(), fixture.now, user.id);
            changes.spawn(async move {
                let users = store.tenant_users(&scope);
                let change = UserChange::SetRole(Role::Member);
                users.change(user, change, now).await.map(|_| ())
            });
        }
        for changed in changes.join_all().await {
            let is_expected = matches!(
                changed,
                Ok(()) | Err(Error::Forbidden | Error::Unavailable(_))
            );
            assert!(is_expected, "{changed:?}");
        }
        assert_eq!(number(fixture, ADMINISTRATORS).await, 1);
        let audited = "SELECT count(*) FROM audit_events WHERE action = 'user.role_changed'";
        assert_eq!(number(fixture, audited).await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_administrator_changes_others_but_neither_the_own_account_nor_the_last_administrator() {
    on_every_database(async |fixture| {
        fixture.tenant("acme").await;
        let mira = insert_user(fixture, MIRA, Role::TenantAdmin).await;
        let joe = insert_user(fixture, "joe@acme.example", Role::Member).await;
        let member = UserChange::SetRole(Role::Member);
        let admin = UserChange::SetRole(Role::TenantAdmin);
        for own in [member, UserChange::Disable] {
            let refused = change(fixture, &mira, &mira, own).await;
            assert_eq!(broken(refused), UserRule::OwnAccount);
        }
        let super_user = UserChange::SetRole(Role::SuperUser);
        let refused = change(fixture, &mira, &joe, super_user).await;
        assert_eq!(broken(refused), UserRule::Tenancy);

        let promoted = change(fixture, &mira, &joe, admin).await.unwrap();
        assert_eq!(promoted.user.role, Role::TenantAdmin);
        let demoted = change(fixture, &promoted.user, &mira, member)
            .await
            .unwrap();
        assert!(!demoted.leaves_no_administrator);
        // The scope of a former administrator permits nothing, although the request was admitted before.
        let refused = change(fixture, &mira, &joe, UserChange::Disable).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");

        // The command line takes the last administrator away, with a warning.
        let cli = fixture.store.as_cli();
        let users = fixture.store.users(&cli);
        let joe = email("joe@acme.example");
        let changed = users.change(&joe, member, fixture.now).await.unwrap();
        assert!(changed.leaves_no_administrator);
        assert_eq!(number(fixture, ADMINISTRATORS).await, 0);
        let again = users.change(&joe, member, fixture.now).await.unwrap();
        assert!(!again.leaves_no_administrator, "nothing was changed");
    })
    .await;
}

#[tokio::test]
async fn a_user_of_another_tenant_is_not_found() {
    on_every_database(async |fixture| {
        fixture.tenant("acme").await;
        let mira = insert_user(fixture, MIRA, Role::TenantAdmin).await;
        let globex = fixture.tenant("globex").await;
        let foreign = fixture.store.tenant_users(&globex);
        let changed = foreign
            .change(mira.id, UserChange::Disable, fixture.now)
            .await;
        assert!(matches!(changed, Err(Error::NotFound("user"))));
        assert!(matches!(
            foreign.get(mira.id).await,
            Err(Error::NotFound(_))
        ));
        let again = foreign.invite_again(mira.id.as_uuid(), fixture.now).await;
        assert!(matches!(again, Err(Error::NotFound(_))));
    })
    .await;
}

#[tokio::test]
async fn a_disabled_user_comes_back_with_the_same_password_and_without_sessions() {
    on_every_database(async |fixture| {
        let mira = add_mira(fixture).await;
        let token = try_password(fixture, MIRA, PASSWORD, HOME, fixture.now)
            .await
            .tokens()
            .1;
        let session = async || {
            let sessions = fixture.store.sessions();
            let found = sessions.authenticate(&token, client(HOME), fixture.now);
            found.await.unwrap().is_some()
        };
        assert!(session().await);
        let cli = fixture.store.as_cli();
        let users = fixture.store.users(&cli);
        users.disable(&mira.email, fixture.now).await.unwrap();
        assert!(!session().await);
        assert!(!sign_in(fixture, PASSWORD).await);
        for _ in 0..2 {
            let enabled = users.change(&mira.email, UserChange::Enable, fixture.now);
            assert_eq!(enabled.await.unwrap().user.disabled_at, None);
        }
        assert!(!session().await, "an ended session stays ended");
        assert!(sign_in(fixture, PASSWORD).await);

        let ended = users.change(&mira.email, UserChange::EndSessions, fixture.now);
        ended.await.unwrap();
        assert_eq!(number(fixture, "SELECT count(*) FROM sessions").await, 0);
        let later = fixture.now + TimeDelta::minutes(1);
        users
            .change(&mira.email, UserChange::EndSessions, later)
            .await
            .unwrap();
        for (action, times) in [("user.enabled", 1), ("user.sessions_ended", 1)] {
            let sql = format!("SELECT count(*) FROM audit_events WHERE action = '{action}'");
            assert_eq!(number(fixture, &sql).await, times, "{action}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_sets_the_time_of_the_last_sign_in() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        add_user(fixture, "joe@acme.example", Role::Member, Some("acme")).await;
        assert!(sign_in(fixture, PASSWORD).await);
        let signed_in =
            "SELECT count(*) FROM users WHERE last_signed_in_at IS NOT NULL AND email LIKE 'mira%'";
        assert_eq!(number(fixture, signed_in).await, 1);
        let never = "SELECT count(*) FROM users WHERE last_signed_in_at IS NULL";
        assert_eq!(number(fixture, never).await, 1);
    })
    .await;
}
