//! The bound on guessing: by account and address, by address alone, and by failures in a row.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    audit::AuditAction,
    session::SessionToken,
    store::{
        Store,
        sign_in::{Attempt, SignInOutcome},
    },
    user::Role,
};
use tokio::task::JoinSet;

use crate::{
    sign_in::{HOME, MIRA, attempt, sign_in, try_password, typed},
    users::{PASSWORD, add_mira, add_user, number},
    world::{World, on_every_database},
};

async fn fail_ten_times(world: &World, address: &str, at: DateTime<Utc>) {
    for _ in 0..10 {
        let tried = try_password(world, MIRA, "wrong", address, at).await;
        assert!(tried.refused());
    }
}

#[tokio::test]
async fn p13_ten_failures_refuse_the_right_password_too_until_the_window_ends() {
    on_every_database(async |world| {
        add_mira(world).await;
        fail_ten_times(world, HOME, world.now).await;
        let soon = world.now + TimeDelta::minutes(5);
        let tried = try_password(world, MIRA, PASSWORD, HOME, soon).await;
        let SignInOutcome::Throttled { retry_after } = tried.0 else {
            panic!("{:?}", tried.0);
        };
        assert_eq!(retry_after, TimeDelta::minutes(10));
        // Writing it otherwise is the same account, and it is asked in the same bucket.
        assert!(
            try_password(world, "MIRA@acme.example", PASSWORD, HOME, soon)
                .await
                .throttled()
        );

        let restarted = Store::open(world.options()).await.unwrap();
        assert!(
            attempt(&restarted, typed(MIRA, PASSWORD, HOME), soon)
                .await
                .throttled()
        );

        let last = world.now + TimeDelta::minutes(15) - TimeDelta::seconds(1);
        assert!(
            try_password(world, MIRA, PASSWORD, HOME, last)
                .await
                .throttled()
        );
        let over = world.now + TimeDelta::minutes(15);
        assert!(
            try_password(world, MIRA, PASSWORD, HOME, over)
                .await
                .signed_in()
        );
    })
    .await;
}

#[tokio::test]
async fn p13_another_address_and_another_account_are_unaffected() {
    on_every_database(async |world| {
        add_mira(world).await;
        add_user(world, "noor@acme.example", Role::Member, Some("acme")).await;
        fail_ten_times(world, HOME, world.now).await;
        assert!(sign_in_from(world, "noor@acme.example", HOME).await);
        assert!(sign_in_from(world, MIRA, "198.51.100.5").await);
        assert!(!sign_in_from(world, MIRA, HOME).await);
    })
    .await;
}

async fn sign_in_from(world: &World, email: &str, address: &str) -> bool {
    try_password(world, email, PASSWORD, address, world.now)
        .await
        .signed_in()
}

#[tokio::test]
async fn p13_an_unknown_account_is_throttled_like_a_known_one() {
    on_every_database(async |world| {
        for _ in 0..10 {
            let tried = try_password(world, "nobody@acme.example", "wrong", HOME, world.now).await;
            assert!(tried.refused());
        }
        let tried = try_password(world, "Nobody@acme.example", "wrong", HOME, world.now).await;
        assert!(tried.throttled());
    })
    .await;
}

#[tokio::test]
async fn p13_a_slash_64_is_one_client_and_a_mapped_address_is_its_ipv4_address() {
    on_every_database(async |world| {
        add_mira(world).await;
        let mut refused = 0;
        for host in 0..200 {
            let address = format!("2001:db8:1:2:{host:x}::1");
            let tried = try_password(world, MIRA, "wrong", &address, world.now).await;
            refused += usize::from(tried.refused());
        }
        assert_eq!(refused, 10);
        assert!(
            sign_in_from(world, MIRA, "2001:db8:1:3::1").await,
            "the next /64"
        );

        fail_ten_times(world, "1.2.3.4", world.now).await;
        assert!(
            try_password(world, MIRA, PASSWORD, "::ffff:1.2.3.4", world.now)
                .await
                .throttled()
        );
    })
    .await;
}

#[tokio::test]
async fn p13_one_address_cannot_spray_over_many_accounts() {
    on_every_database(async |world| {
        add_mira(world).await;
        for account in 0..50 {
            let email = format!("user{account}@acme.example");
            assert!(
                try_password(world, &email, "wrong", HOME, world.now)
                    .await
                    .refused()
            );
        }
        assert!(
            try_password(world, "other@acme.example", "wrong", HOME, world.now)
                .await
                .throttled()
        );
        assert!(
            try_password(world, MIRA, PASSWORD, HOME, world.now)
                .await
                .throttled()
        );
        assert!(sign_in_from(world, MIRA, "198.51.100.5").await);
    })
    .await;
}

#[tokio::test]
async fn p13_a_success_starts_anew_and_leaves_nothing_counted() {
    on_every_database(async |world| {
        add_mira(world).await;
        for round in 0..2 {
            for _ in 0..9 {
                assert!(
                    try_password(world, MIRA, "wrong", HOME, world.now)
                        .await
                        .refused()
                );
            }
            assert!(sign_in(world, PASSWORD).await, "round {round}");
        }
        for _ in 0..60 {
            // Colleagues behind one address who mistype nothing are never in each other's way.
            assert!(sign_in(world, PASSWORD).await);
        }
        assert_eq!(
            number(world, "SELECT consecutive_failures FROM users").await,
            0
        );
        // What failed from the address stays counted there.
        assert_eq!(
            number(world, "SELECT failures FROM sign_in_buckets").await,
            18
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p13_tries_at_the_same_time_do_not_exceed_the_bound() {
    on_every_database(async |world| {
        add_mira(world).await;
        let mut tries = JoinSet::new();
        for _ in 0..40 {
            let (store, now) = (world.store.clone(), world.now);
            tries.spawn(async move { attempt(&store, typed(MIRA, "wrong", HOME), now).await });
        }
        let outcomes = tries.join_all().await;
        let judged = outcomes.iter().filter(|tried| tried.refused()).count();
        assert_eq!(judged, 10);
    })
    .await;
}

#[tokio::test]
async fn p13_past_a_hundred_failures_in_a_row_only_known_browsers_get_a_try() {
    on_every_database(async |world| {
        add_mira(world).await;
        add_user(world, "noor@acme.example", Role::Member, Some("acme")).await;
        let (_, _, device) = try_password(world, MIRA, PASSWORD, HOME, world.now)
            .await
            .tokens();
        let (_, _, of_noor) = try_password(world, "noor@acme.example", PASSWORD, HOME, world.now)
            .await
            .tokens();
        let with = |device, at| {
            let tried = Attempt {
                device: Some(device),
                ..typed(MIRA, PASSWORD, "203.0.113.9")
            };
            attempt(&world.store, tried, at)
        };
        let attacked = || {
            world.execute_script(
                "UPDATE users SET consecutive_failures = 99 WHERE email = 'mira@acme.example'",
            )
        };

        attacked().await;
        let tried = try_password(world, MIRA, "wrong", "192.0.2.1", world.now).await;
        assert!(tried.refused(), "the hundredth");
        let tried = try_password(world, MIRA, PASSWORD, "192.0.2.2", world.now).await;
        assert!(tried.throttled(), "from an address that never failed");
        assert!(
            with(&of_noor, world.now).await.throttled(),
            "another user's browser"
        );
        let unknown = SessionToken::from_bytes([9; 32]);
        assert!(with(&unknown, world.now).await.throttled());
        assert!(
            sign_in_from(world, "noor@acme.example", HOME).await,
            "another account"
        );

        let over = world.now + TimeDelta::days(30);
        let tried = try_password(world, MIRA, PASSWORD, "192.0.2.2", over).await;
        assert!(tried.throttled(), "no window ends it");
        assert!(with(&device, over).await.signed_in());
        let tried = try_password(world, MIRA, PASSWORD, "192.0.2.2", over).await;
        assert!(tried.signed_in(), "a success ends it");

        attacked().await;
        let much_later = over + TimeDelta::days(366);
        try_password(world, MIRA, "wrong", "192.0.2.1", much_later).await;
        assert!(
            with(&device, much_later).await.throttled(),
            "forgotten after a year"
        );
    })
    .await;
}

#[tokio::test]
async fn p13_old_windows_and_sessions_are_cleared_away() {
    on_every_database(async |world| {
        add_mira(world).await;
        for host in 0..20 {
            let address = format!("192.0.2.{host}");
            try_password(world, "nobody@acme.example", "wrong", &address, world.now).await;
            assert!(sign_in_from(world, MIRA, &address).await);
        }
        assert_eq!(
            number(world, "SELECT count(*) FROM sign_in_buckets").await,
            40
        );
        assert_eq!(number(world, "SELECT count(*) FROM sessions").await, 20);
        let later = world.now + TimeDelta::hours(8);
        assert!(
            try_password(world, MIRA, PASSWORD, HOME, later)
                .await
                .signed_in()
        );
        // The address of the last sign-in, with no failure in it.
        assert_eq!(
            number(world, "SELECT count(*) FROM sign_in_buckets").await,
            1
        );
        assert_eq!(number(world, "SELECT count(*) FROM sessions").await, 1);
    })
    .await;
}

#[tokio::test]
async fn p13_a_refusal_is_audited_once_for_each_bucket_and_window() {
    on_every_database(async |world| {
        let mira = add_mira(world).await;
        fail_ten_times(world, HOME, world.now).await;
        try_password(world, MIRA, "wrong", HOME, world.now).await;
        try_password(world, "nobody@acme.example", "wrong", HOME, world.now).await;
        try_password(world, "correct horse battery", "wrong", HOME, world.now).await;
        let later = world.now + TimeDelta::minutes(20);
        try_password(world, MIRA, "wrong", HOME, later).await;
        assert!(
            try_password(world, MIRA, PASSWORD, HOME, later)
                .await
                .signed_in()
        );

        let scope = world.store.as_cli();
        let acme = world.store.tenants(&scope).scope("acme").await.unwrap();
        let events = world.store.audit(&acme).newest(3).await.unwrap();
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
            number(world, &format!("{unknown}'nobody@acme.example'")).await,
            1
        );
        // What is no email may be a password in the wrong field.
        assert_eq!(number(world, &format!("{unknown}'unknown'")).await, 1);
    })
    .await;
}
