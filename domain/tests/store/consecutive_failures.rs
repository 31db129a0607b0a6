//! The sign-in throttle by consecutive failures of an account.

use chrono::TimeDelta;
use domain::{session::SessionToken, store::sign_in::Attempt, user::Role};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use crate::{
    sign_in::{HOME, MIRA, attempt, try_password, typed},
    test_store::{TestStore, on_every_database},
    throttle::{fail_ten_times, sign_in_from},
    users::{PASSWORD, add_mira, add_user, number},
};

/// Sets the number of consecutive failures of every account that has failed before.
async fn set_failures(fixture: &TestStore, failures: i64) {
    fixture
        .execute(
            "UPDATE sign_in_accounts SET failures = $1",
            [failures.into()],
        )
        .await
        .expect("written");
}

#[tokio::test]
async fn p13_p74_after_100_consecutive_failures_a_new_address_gets_one_attempt_a_day() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        add_user(fixture, "noor@acme.example", Role::Member, Some("acme")).await;
        // Ten addresses, each within its own limit.
        for host in 1..=10 {
            fail_ten_times(fixture, &format!("192.0.2.{host}"), fixture.now).await;
        }
        assert_eq!(
            number(fixture, "SELECT failures FROM sign_in_accounts").await,
            100
        );
        let first = try_password(fixture, MIRA, "wrong", "2001:db8:0:1::1", fixture.now).await;
        assert!(first.refused(), "the one attempt");
        let hour = TimeDelta::hours(1);
        let second = try_password(
            fixture,
            MIRA,
            PASSWORD,
            "2001:db8:0:1:ffff::2",
            fixture.now + hour,
        )
        .await;
        assert_eq!(
            second.wait(),
            TimeDelta::hours(23),
            "one /64 is one address, and the wait is exact"
        );
        let day = fixture.now + TimeDelta::days(1);
        let just_before = day - TimeDelta::seconds(1);
        let tried = try_password(fixture, MIRA, PASSWORD, "2001:db8:0:1::1", just_before).await;
        assert_eq!(tried.wait(), TimeDelta::seconds(1));
        assert!(sign_in_from(fixture, "noor@acme.example", HOME).await);
        let tried = try_password(fixture, MIRA, PASSWORD, "2001:db8:0:1::1", day).await;
        assert!(tried.signed_in(), "accepted after the wait");
        assert_eq!(
            number(fixture, "SELECT count(*) FROM sign_in_accounts").await,
            0,
            "a success clears the count"
        );
    })
    .await;
}

#[tokio::test]
async fn p74_the_right_password_works_from_an_address_that_has_not_tried_today() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        try_password(fixture, MIRA, "wrong", "192.0.2.1", fixture.now).await;
        set_failures(fixture, 1_000_000).await;
        assert!(
            try_password(fixture, MIRA, PASSWORD, HOME, fixture.now)
                .await
                .signed_in()
        );
    })
    .await;
}

#[tokio::test]
async fn p74_known_browsers_and_known_addresses_keep_the_usual_limit() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        add_user(fixture, "noor@acme.example", Role::Member, Some("acme")).await;
        let (_, _, device) = try_password(fixture, MIRA, PASSWORD, HOME, fixture.now)
            .await
            .tokens();
        let (_, _, of_noor) = try_password(
            fixture,
            "noor@acme.example",
            PASSWORD,
            "203.0.113.50",
            fixture.now,
        )
        .await
        .tokens();
        try_password(fixture, MIRA, "wrong", "192.0.2.1", fixture.now).await;
        set_failures(fixture, 100).await;
        let with = |device, password, address| {
            let tried = Attempt {
                device: Some(device),
                ..typed(MIRA, password, address)
            };
            attempt(&fixture.store, tried, fixture.now)
        };
        for _ in 0..9 {
            assert!(with(&device, "wrong", "203.0.113.9").await.refused());
            assert!(
                try_password(fixture, MIRA, "wrong", HOME, fixture.now)
                    .await
                    .refused(),
                "an address from which Mira signed in, without the cookie"
            );
        }
        let unknown = SessionToken::from_bytes([9; 32]);
        for (stranger, address) in [
            (&unknown, "203.0.113.10"),
            (&of_noor, "203.0.113.11"),
            (&of_noor, "203.0.113.50"),
        ] {
            assert!(with(stranger, "wrong", address).await.refused());
            assert!(with(stranger, PASSWORD, address).await.throttled());
        }
        assert!(
            try_password(fixture, MIRA, PASSWORD, HOME, fixture.now)
                .await
                .signed_in()
        );

        // Known browsers and addresses expire after a year.
        let later = fixture.now + TimeDelta::days(366);
        try_password(fixture, MIRA, "wrong", "192.0.2.1", later).await;
        set_failures(fixture, 100).await;
        for address in [HOME, "203.0.113.9"] {
            let tried = |password| Attempt {
                device: Some(&device),
                ..typed(MIRA, password, address)
            };
            assert!(
                attempt(&fixture.store, tried("wrong"), later)
                    .await
                    .refused()
            );
            assert!(
                attempt(&fixture.store, tried(PASSWORD), later)
                    .await
                    .throttled()
            );
        }
    })
    .await;
}

#[tokio::test]
async fn p74_unknown_accounts_are_limited_like_known_ones() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        add_user(fixture, "gone@acme.example", Role::Member, Some("acme")).await;
        let scope = fixture.store.as_cli();
        let gone = "gone@acme.example".parse().unwrap();
        let users = fixture.store.users(&scope);
        users.disable(&gone, fixture.now).await.unwrap();
        let accounts = [
            MIRA,
            "gone@acme.example",
            "nobody@acme.example",
            "not an address",
            "\0",
        ];
        let mut told: Vec<Vec<String>> = Vec::new();
        for (index, account) in accounts.iter().enumerate() {
            let mut answers = Vec::new();
            let fail = async |address: String, at| {
                let tried = try_password(fixture, account, "wrong", &address, at).await;
                format!("{:?}", tried.0)
            };
            answers.push(fail(format!("10.{index}.0.1"), fixture.now).await);
            set_failures(fixture, 98).await;
            for host in 2..=5 {
                for minute in 0..2 {
                    let at = fixture.now + TimeDelta::minutes(minute);
                    answers.push(fail(format!("10.{index}.0.{host}"), at).await);
                }
            }
            answers.push(fail(format!("10.{index}.0.5"), fixture.now + TimeDelta::days(1)).await);
            told.push(answers);
        }
        assert!(
            told.iter().flatten().any(|told| told.contains("Throttled")),
            "{told:?}"
        );
        for answers in &told {
            assert_eq!(answers, &told[0]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p74_parallel_attempts_count_as_one() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        try_password(fixture, MIRA, "wrong", "192.0.2.1", fixture.now).await;
        set_failures(fixture, 100).await;
        let mut tries = JoinSet::new();
        for _ in 0..9 {
            let (store, now) = (fixture.store.clone(), fixture.now);
            tries.spawn(async move { attempt(&store, typed(MIRA, "wrong", HOME), now).await });
        }
        let outcomes = tries.join_all().await;
        let judged = outcomes.iter().filter(|tried| tried.refused()).count();
        assert_eq!(judged, 1);
    })
    .await;
}

#[tokio::test]
async fn p74_failure_counters_expire_and_their_rows_are_bounded() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        // The sweep runs only for digests whose first byte is divisible by 64.
        let sweeping = (0_u32..)
            .map(|number| format!("nobody-{number}@acme.example"))
            .find(|email| {
                let digest = Sha256::digest(format!("account:{email}"));
                digest.first().is_some_and(|byte| byte % 64 == 0)
            })
            .unwrap();
        let series = if fixture.sqlite_file().is_some() {
            "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < 100500) "
        } else {
            "WITH series AS (SELECT generate_series(1, 100500) AS n) "
        };
        // 500 accounts have more failures than the others.
        fixture
            .execute(
                &format!(
                    "INSERT INTO sign_in_accounts (account, failures, last_failed_at) \
                     {series} SELECT 'x' || n, CASE WHEN n <= 500 THEN 200 ELSE 1 END, $1 FROM series"
                ),
                [fixture.now.into()],
            )
            .await
            .unwrap();
        let soon = fixture.now + TimeDelta::minutes(1);
        try_password(fixture, &sweeping, "wrong", HOME, soon).await;
        let accounts = "SELECT count(*) FROM sign_in_accounts";
        assert_eq!(number(fixture, accounts).await, 100_000);
        assert_eq!(
            number(fixture, &format!("{accounts} WHERE failures = 200")).await,
            500,
            "accounts with many failures are kept"
        );
        fixture
            .execute_script("DELETE FROM sign_in_accounts WHERE failures < 200")
            .await;
        let month = soon + TimeDelta::days(31);
        try_password(fixture, &sweeping, "wrong", HOME, month).await;
        assert_eq!(number(fixture, accounts).await, 1);
        // A month without a failure resets the count, even if the row still exists.
        set_failures(fixture, 100).await;
        let months = month + TimeDelta::days(31);
        for _ in 0..2 {
            assert!(
                try_password(fixture, &sweeping, "wrong", "192.0.2.9", months)
                    .await
                    .refused()
            );
        }
        set_failures(fixture, 100).await;
        for host in 1..=3 {
            let address = format!("198.51.100.{host}");
            try_password(fixture, &sweeping, "wrong", &address, months).await;
        }
        let tries = "SELECT count(*) FROM sign_in_single_tries";
        assert_eq!(number(fixture, tries).await, 3);
        let day = months + TimeDelta::days(1);
        try_password(fixture, &sweeping, "wrong", "198.51.100.9", day).await;
        assert_eq!(number(fixture, tries).await, 1);
    })
    .await;
}
