//! The sign-in throttle by account and address and by address alone. `consecutive_failures.rs` tests the limit by consecutive failures.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    audit::AuditAction,
    store::{Store, sign_in::SignInOutcome},
    user::Role,
};
use tokio::task::JoinSet;

use crate::{
    sign_in::{HOME, MIRA, attempt, sign_in, try_password, typed},
    test_store::{TestStore, on_every_database},
    users::{PASSWORD, add_mira, add_user, number},
};

pub(crate) async fn fail_ten_times(fixture: &TestStore, address: &str, at: DateTime<Utc>) {
    for _ in 0..10 {
        let tried = try_password(fixture, MIRA, "wrong", address, at).await;
        assert!(tried.refused());
    }
}

#[tokio::test]
async fn p13_ten_failures_refuse_the_right_password_too_until_the_window_ends() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        fail_ten_times(fixture, HOME, fixture.now).await;
        let soon = fixture.now + TimeDelta::minutes(5);
        let tried = try_password(fixture, MIRA, PASSWORD, HOME, soon).await;
        let SignInOutcome::Throttled { retry_after } = tried.0 else {
            panic!("{:?}", tried.0);
        };
        assert_eq!(retry_after, TimeDelta::minutes(10));
        // Another spelling is the same account and the same bucket.
        assert!(
            try_password(fixture, "MIRA@acme.example", PASSWORD, HOME, soon)
                .await
                .throttled()
        );

        let restarted = Store::open(fixture.options()).await.unwrap();
        assert!(
            attempt(&restarted, typed(MIRA, PASSWORD, HOME), soon)
                .await
                .throttled()
        );

        let last = fixture.now + TimeDelta::minutes(15) - TimeDelta::seconds(1);
        assert!(
            try_password(fixture, MIRA, PASSWORD, HOME, last)
                .await
                .throttled()
        );
        let over = fixture.now + TimeDelta::minutes(15);
        assert!(
            try_password(fixture, MIRA, PASSWORD, HOME, over)
                .await
                .signed_in()
        );
    })
    .await;
}

#[tokio::test]
async fn p13_another_address_and_another_account_are_unaffected() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        add_user(fixture, "noor@acme.example", Role::Member, Some("acme")).await;
        fail_ten_times(fixture, HOME, fixture.now).await;
        assert!(sign_in_from(fixture, "noor@acme.example", HOME).await);
        assert!(sign_in_from(fixture, MIRA, "198.51.100.5").await);
        assert!(!sign_in_from(fixture, MIRA, HOME).await);
    })
    .await;
}

pub(crate) async fn sign_in_from(fixture: &TestStore, email: &str, address: &str) -> bool {
    try_password(fixture, email, PASSWORD, address, fixture.now)
        .await
        .signed_in()
}

#[tokio::test]
async fn p13_an_unknown_account_is_throttled_like_a_known_one() {
    on_every_database(async |fixture| {
        for _ in 0..10 {
            let tried =
                try_password(fixture, "nobody@acme.example", "wrong", HOME, fixture.now).await;
            assert!(tried.refused());
        }
        let tried = try_password(fixture, "Nobody@acme.example", "wrong", HOME, fixture.now).await;
        assert!(tried.throttled());
    })
    .await;
}

#[tokio::test]
async fn p13_a_slash_64_is_one_client_and_a_mapped_address_is_its_ipv4_address() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let mut refused = 0;
        for host in 0..200 {
            let address = format!("2001:db8:1:2:{host:x}::1");
            let tried = try_password(fixture, MIRA, "wrong", &address, fixture.now).await;
            refused += usize::from(tried.refused());
        }
        assert_eq!(refused, 10);
        assert!(
            sign_in_from(fixture, MIRA, "2001:db8:1:3::1").await,
            "the next /64"
        );

        fail_ten_times(fixture, "1.2.3.4", fixture.now).await;
        assert!(
            try_password(fixture, MIRA, PASSWORD, "::ffff:1.2.3.4", fixture.now)
                .await
                .throttled()
        );
    })
    .await;
}

#[tokio::test]
async fn p13_failures_over_many_accounts_throttle_their_address() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        for account in 0..50 {
            let email = format!("user{account}@acme.example");
            assert!(
                try_password(fixture, &email, "wrong", HOME, fixture.now)
                    .await
                    .refused()
            );
        }
        assert!(
            try_password(fixture, "other@acme.example", "wrong", HOME, fixture.now)
                .await
                .throttled()
        );
        assert!(
            try_password(fixture, MIRA, PASSWORD, HOME, fixture.now)
                .await
                .throttled()
        );
        assert!(sign_in_from(fixture, MIRA, "198.51.100.5").await);
    })
    .await;
}

#[tokio::test]
async fn p13_a_success_clears_the_failures_of_the_account() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        for round in 0..2 {
            for _ in 0..9 {
                assert!(
                    try_password(fixture, MIRA, "wrong", HOME, fixture.now)
                        .await
                        .refused()
                );
            }
            assert!(sign_in(fixture, PASSWORD).await, "round {round}");
        }
        for _ in 0..60 {
            // Successful sign-ins from one address do not throttle each other.
            assert!(sign_in(fixture, PASSWORD).await);
        }
        assert_eq!(
            number(fixture, "SELECT count(*) FROM sign_in_accounts").await,
            0
        );
        // The failures of the address stay counted.
        assert_eq!(
            number(fixture, "SELECT failures FROM sign_in_buckets").await,
            18
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p13_parallel_attempts_do_not_exceed_the_limit() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let mut tries = JoinSet::new();
        for _ in 0..40 {
            let (store, now) = (fixture.store.clone(), fixture.now);
            tries.spawn(async move { attempt(&store, typed(MIRA, "wrong", HOME), now).await });
        }
        let outcomes = tries.join_all().await;
        let judged = outcomes.iter().filter(|tried| tried.refused()).count();
        assert_eq!(judged, 10);
    })
    .await;
}

#[tokio::test]
async fn p13_expired_windows_and_sessions_are_deleted() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        for host in 0..20 {
            let address = format!("192.0.2.{host}");
            try_password(
                fixture,
                "nobody@acme.example",
                "wrong",
                &address,
                fixture.now,
            )
            .await;
            assert!(sign_in_from(fixture, MIRA, &address).await);
        }
        assert_eq!(
            number(fixture, "SELECT count(*) FROM sign_in_buckets").await,
            40
        );
        assert_eq!(number(fixture, "SELECT count(*) FROM sessions").await, 20);
        let later = fixture.now + TimeDelta::hours(8);
        assert!(
            try_password(fixture, MIRA, PASSWORD, HOME, later)
                .await
                .signed_in()
        );
        // Only the bucket of the last sign-in's address remains, without a failure.
        assert_eq!(
            number(fixture, "SELECT count(*) FROM sign_in_buckets").await,
            1
        );
        assert_eq!(number(fixture, "SELECT count(*) FROM sessions").await, 1);
    })
    .await;
}

#[tokio::test]
async fn p13_a_throttled_sign_in_is_audited_once_for_each_bucket_and_window() {
    on_every_database(async |fixture| {
        let mira = add_mira(fixture).await;
        fail_ten_times(fixture, HOME, fixture.now).await;
        try_password(fixture, MIRA, "wrong", HOME, fixture.now).await;
        try_password(fixture, "nobody@acme.example", "wrong", HOME, fixture.now).await;
        try_password(fixture, "correct horse battery", "wrong", HOME, fixture.now).await;
        let later = fixture.now + TimeDelta::minutes(20);
        try_password(fixture, MIRA, "wrong", HOME, later).await;
        assert!(
            try_password(fixture, MIRA, PASSWORD, HOME, later)
                .await
                .signed_in()
        );

        let scope = fixture.store.as_cli();
        let acme = fixture.store.tenants(&scope).scope("acme").await.unwrap();
        let events = fixture.store.audit(&acme).newest(3).await.unwrap();
        assert_eq!(
            events.iter().map(|event| event.action).collect::<Vec<_>>(),
            [
                AuditAction::SignedIn,
                AuditAction::SignInRefused,
                AuditAction::SignInRefused
            ]
        );
        assert_eq!(events[0].actor.name, "mira");
        assert_eq!(events[1].actor.id, Some(mira.id.as_uuid()));
        assert_eq!(events[1].actor.name, MIRA);
        assert_eq!(events[1].client_ip.as_deref(), Some(HOME));
        let unknown = "SELECT count(*) FROM audit_events WHERE action = 'session.refused' \
                       AND tenant_id IS NULL AND actor_id IS NULL AND actor_name = ";
        assert_eq!(
            number(fixture, &format!("{unknown}'nobody@acme.example'")).await,
            1
        );
        // Text that is not an email address may be a password in the wrong field.
        assert_eq!(number(fixture, &format!("{unknown}'unknown'")).await, 1);
    })
    .await;
}
