//! Sessions: timeouts and the changes that end them.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    audit::AuditAction,
    session::{ABSOLUTE_TIMEOUT, IDLE_TIMEOUT, SessionToken},
    store::{Store, sessions::SignedIn},
    user::Role,
};

use crate::{
    sign_in::{client, try_password},
    test_store::{TestStore, on_every_database},
    users::{OTHER_PASSWORD, PASSWORD, add_mira, add_user, email, number},
};

const MIRA: &str = "mira@acme.example";
const SECOND: TimeDelta = TimeDelta::seconds(1);

async fn begin(fixture: &TestStore, email: &str) -> SessionToken {
    let tried = try_password(fixture, email, PASSWORD, "198.51.100.4", fixture.now).await;
    tried.tokens().1
}

async fn ask(store: &Store, token: &SessionToken, at: DateTime<Utc>) -> Option<SignedIn> {
    store
        .sessions()
        .authenticate(token, client("198.51.100.4"), at)
        .await
        .expect("a result")
}

#[tokio::test]
async fn a_session_identifies_its_user_and_tenant() {
    on_every_database(async |fixture| {
        let mira = add_mira(fixture).await;
        let token = begin(fixture, MIRA).await;
        let signed_in = ask(&fixture.store, &token, fixture.now).await.unwrap();
        assert_eq!(signed_in.user, mira);
        assert_eq!(signed_in.tenant.as_ref().unwrap().slug.as_str(), "acme");
        assert_eq!(
            signed_in
                .administered_tenant()
                .unwrap()
                .tenant()
                .slug
                .as_str(),
            "acme"
        );
        assert!(signed_in.operator().is_none());

        add_user(fixture, "ada@example.org", Role::SuperUser, None).await;
        let token = begin(fixture, "ada@example.org").await;
        let signed_in = ask(&fixture.store, &token, fixture.now).await.unwrap();
        assert!(signed_in.tenant.is_none());
        assert!(signed_in.administered_tenant().is_none());
        assert!(signed_in.operator().is_some());

        let unknown = SessionToken::from_bytes([1; 32]);
        assert!(ask(&fixture.store, &unknown, fixture.now).await.is_none());
    })
    .await;
}

#[tokio::test]
async fn p10_an_ended_session_is_deleted_and_audited_once() {
    on_every_database(async |fixture| {
        let mira = add_mira(fixture).await;
        let (token, other) = (begin(fixture, MIRA).await, begin(fixture, MIRA).await);
        let sessions = fixture.store.sessions();
        for _ in 0..2 {
            sessions
                .end(&token, client("198.51.100.4"), fixture.now)
                .await
                .unwrap();
        }
        assert!(ask(&fixture.store, &token, fixture.now).await.is_none());
        assert!(ask(&fixture.store, &other, fixture.now).await.is_some());
        assert_eq!(number(fixture, "SELECT count(*) FROM sessions").await, 1);

        let scope = fixture.store.as_cli();
        let acme = fixture.store.tenants(&scope).scope("acme").await.unwrap();
        let events = fixture.store.audit(&acme).newest(2).await.unwrap();
        assert_eq!(events[0].action, AuditAction::SignedOut);
        assert_eq!(events[0].actor.id, Some(mira.id.as_uuid()));
        assert_eq!(events[1].action, AuditAction::SignedIn, "only one event");
    })
    .await;
}

#[tokio::test]
async fn p11_an_idle_session_ends_at_the_limit() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let token = begin(fixture, MIRA).await;
        let limit = fixture.now + IDLE_TIMEOUT;
        assert!(ask(&fixture.store, &token, limit).await.is_none());
        assert!(ask(&fixture.store, &token, limit - SECOND).await.is_some());
        // The check above counts as a use and restarts the idle timeout.
        let next = limit - SECOND + IDLE_TIMEOUT;
        assert!(ask(&fixture.store, &token, next).await.is_none());
        assert!(ask(&fixture.store, &token, next - SECOND).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn p11_activity_never_extends_the_absolute_limit() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let token = begin(fixture, MIRA).await;
        let end = fixture.now + ABSOLUTE_TIMEOUT;
        let mut at = fixture.now;
        while at < end {
            assert!(ask(&fixture.store, &token, at).await.is_some(), "{at}");
            at += TimeDelta::hours(7);
        }
        assert!(ask(&fixture.store, &token, end - SECOND).await.is_some());
        assert!(ask(&fixture.store, &token, end).await.is_none());
    })
    .await;
}

#[tokio::test]
async fn p11_session_use_is_written_once_a_minute_and_never_goes_back() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let token = begin(fixture, MIRA).await;
        let not_yet = "SELECT count(*) FROM sessions WHERE last_seen_at = created_at";
        ask(&fixture.store, &token, fixture.now + SECOND * 59)
            .await
            .unwrap();
        assert_eq!(number(fixture, not_yet).await, 1);
        ask(&fixture.store, &token, fixture.now + SECOND * 60)
            .await
            .unwrap();
        assert_eq!(number(fixture, not_yet).await, 0);
        ask(&fixture.store, &token, fixture.now).await.unwrap();
        assert_eq!(number(fixture, not_yet).await, 0);
    })
    .await;
}

#[tokio::test]
async fn p11_a_session_stays_valid_while_its_use_cannot_be_written() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let token = begin(fixture, MIRA).await;
        let lock = fixture.lock_tenants().await;
        let at = fixture.now + TimeDelta::hours(1);
        assert!(ask(&fixture.store, &token, at).await.is_some());
        lock.rollback().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn p12_a_new_password_ends_every_session_of_that_user_on_every_replica() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        add_user(fixture, "noor@acme.example", Role::Member, Some("acme")).await;
        let tokens = [begin(fixture, MIRA).await, begin(fixture, MIRA).await];
        let of_noor = begin(fixture, "noor@acme.example").await;
        let replica = Store::open(fixture.options()).await.unwrap();
        assert!(ask(&replica, &tokens[0], fixture.now).await.is_some());
        fixture
            .store
            .users(&fixture.store.as_cli())
            .set_password(&email(MIRA), OTHER_PASSWORD, fixture.now)
            .await
            .unwrap();
        for token in &tokens {
            assert!(ask(&fixture.store, token, fixture.now).await.is_none());
            assert!(ask(&replica, token, fixture.now).await.is_none());
        }
        assert!(ask(&fixture.store, &of_noor, fixture.now).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn p12_disabling_suspending_and_lowering_a_role_apply_to_the_next_request() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        add_user(
            fixture,
            "noor@acme.example",
            Role::TenantAdmin,
            Some("acme"),
        )
        .await;
        let (mira, noor) = (
            begin(fixture, MIRA).await,
            begin(fixture, "noor@acme.example").await,
        );
        let scope = fixture.store.as_cli();
        let replica = Store::open(fixture.options()).await.unwrap();

        fixture
            .execute_script("UPDATE users SET role = 'member' WHERE email = 'noor@acme.example'")
            .await;
        let lowered = ask(&replica, &noor, fixture.now).await.unwrap();
        assert_eq!(lowered.user.role, Role::Member);
        assert!(lowered.administered_tenant().is_none());

        let tenants = fixture.store.tenants(&scope);
        tenants.suspend("acme", fixture.now).await.unwrap();
        assert!(ask(&replica, &noor, fixture.now).await.is_none());
        tenants.resume("acme", fixture.now).await.unwrap();
        assert!(ask(&replica, &noor, fixture.now).await.is_some());

        let users = fixture.store.users(&scope);
        users.disable(&email(MIRA), fixture.now).await.unwrap();
        assert!(ask(&replica, &mira, fixture.now).await.is_none());
        assert!(ask(&replica, &noor, fixture.now).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn p12_a_session_of_a_disabled_user_is_refused() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let token = begin(fixture, MIRA).await;
        // Disables the user but keeps the session, as after a restore.
        fixture
            .execute("UPDATE users SET disabled_at = $1", [fixture.now.into()])
            .await
            .unwrap();
        assert!(ask(&fixture.store, &token, fixture.now).await.is_none());
    })
    .await;
}
