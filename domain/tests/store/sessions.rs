//! Sessions: how long they last, and what ends them.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    audit::AuditAction,
    session::{ABSOLUTE_TIMEOUT, IDLE_TIMEOUT, SessionToken},
    store::{Store, sessions::SignedIn},
    user::Role,
};

use crate::{
    sign_in::{client, try_password},
    users::{OTHER_PASSWORD, PASSWORD, add_mira, add_user, email, number},
    world::{World, on_every_database},
};

const MIRA: &str = "mira@acme.example";
const SECOND: TimeDelta = TimeDelta::seconds(1);

async fn begin(world: &World, email: &str) -> SessionToken {
    let tried = try_password(world, email, PASSWORD, "198.51.100.4", world.now).await;
    tried.tokens().1
}

async fn ask(store: &Store, token: &SessionToken, at: DateTime<Utc>) -> Option<SignedIn> {
    store
        .sessions()
        .authenticate(token, client("198.51.100.4"), at)
        .await
        .expect("answered")
}

#[tokio::test]
async fn a_session_says_who_is_signed_in() {
    on_every_database(async |world| {
        let mira = add_mira(world).await;
        let token = begin(world, MIRA).await;
        let signed_in = ask(&world.store, &token, world.now).await.unwrap();
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

        add_user(world, "ada@example.org", Role::SuperUser, None).await;
        let token = begin(world, "ada@example.org").await;
        let signed_in = ask(&world.store, &token, world.now).await.unwrap();
        assert!(signed_in.tenant.is_none());
        assert!(signed_in.administered_tenant().is_none());
        assert!(signed_in.operator().is_some());

        let unknown = SessionToken::from_bytes([1; 32]);
        assert!(ask(&world.store, &unknown, world.now).await.is_none());
    })
    .await;
}

#[tokio::test]
async fn p10_an_ended_session_is_gone_and_audited_once() {
    on_every_database(async |world| {
        let mira = add_mira(world).await;
        let (token, other) = (begin(world, MIRA).await, begin(world, MIRA).await);
        let sessions = world.store.sessions();
        for _ in 0..2 {
            sessions
                .end(&token, client("198.51.100.4"), world.now)
                .await
                .unwrap();
        }
        assert!(ask(&world.store, &token, world.now).await.is_none());
        assert!(ask(&world.store, &other, world.now).await.is_some());
        assert_eq!(number(world, "SELECT count(*) FROM sessions").await, 1);

        let scope = world.store.as_cli();
        let acme = world.store.tenants(&scope).scope("acme").await.unwrap();
        let events = world.store.audit(&acme).newest(2).await.unwrap();
        assert_eq!(events[0].action, AuditAction::SignedOut);
        assert_eq!(events[0].actor.id, Some(mira.id.as_uuid()));
        assert_eq!(events[1].action, AuditAction::SignedIn, "only one");
    })
    .await;
}

#[tokio::test]
async fn p11_an_idle_session_ends_at_the_limit() {
    on_every_database(async |world| {
        add_mira(world).await;
        let token = begin(world, MIRA).await;
        let limit = world.now + IDLE_TIMEOUT;
        assert!(ask(&world.store, &token, limit).await.is_none());
        assert!(ask(&world.store, &token, limit - SECOND).await.is_some());
        // That was use: the next limit is counted from there.
        let next = limit - SECOND + IDLE_TIMEOUT;
        assert!(ask(&world.store, &token, next).await.is_none());
        assert!(ask(&world.store, &token, next - SECOND).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn p11_activity_never_extends_the_absolute_limit() {
    on_every_database(async |world| {
        add_mira(world).await;
        let token = begin(world, MIRA).await;
        let end = world.now + ABSOLUTE_TIMEOUT;
        let mut at = world.now;
        while at < end {
            assert!(ask(&world.store, &token, at).await.is_some(), "{at}");
            at += TimeDelta::hours(7);
        }
        assert!(ask(&world.store, &token, end - SECOND).await.is_some());
        assert!(ask(&world.store, &token, end).await.is_none());
    })
    .await;
}

#[tokio::test]
async fn p11_use_is_written_once_a_minute_and_never_backwards() {
    on_every_database(async |world| {
        add_mira(world).await;
        let token = begin(world, MIRA).await;
        let not_yet = "SELECT count(*) FROM sessions WHERE last_seen_at = created_at";
        ask(&world.store, &token, world.now + SECOND * 59)
            .await
            .unwrap();
        assert_eq!(number(world, not_yet).await, 1);
        ask(&world.store, &token, world.now + SECOND * 60)
            .await
            .unwrap();
        assert_eq!(number(world, not_yet).await, 0);
        ask(&world.store, &token, world.now).await.unwrap();
        assert_eq!(number(world, not_yet).await, 0);
    })
    .await;
}

#[tokio::test]
async fn p11_a_session_is_good_while_its_use_cannot_be_written() {
    on_every_database(async |world| {
        add_mira(world).await;
        let token = begin(world, MIRA).await;
        let lock = world.lock_tenants().await;
        let at = world.now + TimeDelta::hours(1);
        assert!(ask(&world.store, &token, at).await.is_some());
        lock.rollback().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn p12_a_new_password_ends_every_session_of_that_user_on_every_replica() {
    on_every_database(async |world| {
        add_mira(world).await;
        add_user(world, "noor@acme.example", Role::Member, Some("acme")).await;
        let tokens = [begin(world, MIRA).await, begin(world, MIRA).await];
        let of_noor = begin(world, "noor@acme.example").await;
        let replica = Store::open(world.options()).await.unwrap();
        assert!(ask(&replica, &tokens[0], world.now).await.is_some());
        world
            .store
            .users(&world.store.as_cli())
            .set_password(&email(MIRA), OTHER_PASSWORD, world.now)
            .await
            .unwrap();
        for token in &tokens {
            assert!(ask(&world.store, token, world.now).await.is_none());
            assert!(ask(&replica, token, world.now).await.is_none());
        }
        assert!(ask(&world.store, &of_noor, world.now).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn p12_disabled_suspended_and_lowered_hold_on_the_next_request() {
    on_every_database(async |world| {
        add_mira(world).await;
        add_user(world, "noor@acme.example", Role::TenantAdmin, Some("acme")).await;
        let (mira, noor) = (
            begin(world, MIRA).await,
            begin(world, "noor@acme.example").await,
        );
        let scope = world.store.as_cli();
        let replica = Store::open(world.options()).await.unwrap();

        world
            .execute_script("UPDATE users SET role = 'member' WHERE email = 'noor@acme.example'")
            .await;
        let lowered = ask(&replica, &noor, world.now).await.unwrap();
        assert_eq!(lowered.user.role, Role::Member);
        assert!(lowered.administered_tenant().is_none());

        let tenants = world.store.tenants(&scope);
        tenants.suspend("acme", world.now).await.unwrap();
        assert!(ask(&replica, &noor, world.now).await.is_none());
        tenants.resume("acme", world.now).await.unwrap();
        assert!(ask(&replica, &noor, world.now).await.is_some());

        let users = world.store.users(&scope);
        users.disable(&email(MIRA), world.now).await.unwrap();
        assert!(ask(&replica, &mira, world.now).await.is_none());
        assert!(ask(&replica, &noor, world.now).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn p12_an_already_disabled_users_session_is_refused_wherever_it_comes_from() {
    on_every_database(async |world| {
        add_mira(world).await;
        let token = begin(world, MIRA).await;
        // The row alone, as a restored backup may have it.
        world
            .execute("UPDATE users SET disabled_at = $1", [world.now.into()])
            .await
            .unwrap();
        assert!(ask(&world.store, &token, world.now).await.is_none());
    })
    .await;
}
