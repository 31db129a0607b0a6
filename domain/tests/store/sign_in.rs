//! Sign-in: new tokens, and the same outcome for all refusals.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::phc::PasswordHash,
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    client_address::ClientAddress,
    session::SessionToken,
    store::{
        Store,
        sign_in::{Attempt, SignInOutcome},
    },
    user::{Role, User},
    user_agent::Browser,
};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

use crate::{
    test_store::{TestStore, on_every_database},
    users::{OTHER_PASSWORD, PASSWORD, add_mira, add_user, email, number, one_text},
};

pub(crate) const MIRA: &str = "mira@acme.example";
pub(crate) const HOME: &str = "198.51.100.4";

/// A sign-in outcome with accessors for tests.
pub(crate) struct Tried(pub(crate) SignInOutcome);

impl Tried {
    pub(crate) fn signed_in(&self) -> bool {
        matches!(self.0, SignInOutcome::SignedIn { .. })
    }

    pub(crate) fn refused(&self) -> bool {
        matches!(self.0, SignInOutcome::Refused)
    }

    pub(crate) fn user_disabled(&self) -> bool {
        matches!(self.0, SignInOutcome::UserDisabled)
    }

    /// The name of the tenant whose suspension refused the right password.
    fn suspended_tenant(&self) -> Option<&str> {
        match &self.0 {
            SignInOutcome::TenantSuspended { tenant } => Some(tenant),
            _ => None,
        }
    }

    pub(crate) fn throttled(&self) -> bool {
        matches!(self.0, SignInOutcome::Throttled { .. })
    }

    /// The time until the next attempt is allowed.
    #[track_caller]
    pub(crate) fn wait(self) -> TimeDelta {
        match self.0 {
            SignInOutcome::Throttled { retry_after } => retry_after,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn tokens(self) -> (User, SessionToken, SessionToken) {
        match self.0 {
            SignInOutcome::SignedIn {
                user,
                session,
                device,
            } => (user, session, device),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn client(address: &str) -> ClientAddress {
    ClientAddress::known(address.parse().expect("an address"))
}

pub(crate) fn typed<'a>(email: &'a str, password: &'a str, address: &str) -> Attempt<'a> {
    Attempt {
        email,
        password,
        client: client(address),
        browser: Browser::default(),
        device: None,
        previous: None,
    }
}

pub(crate) async fn attempt(store: &Store, attempt: Attempt<'_>, at: DateTime<Utc>) -> Tried {
    Tried(store.sign_in().attempt(attempt, at).await.expect("judged"))
}

pub(crate) async fn try_password(
    fixture: &TestStore,
    email: &str,
    password: &str,
    address: &str,
    at: DateTime<Utc>,
) -> Tried {
    attempt(&fixture.store, typed(email, password, address), at).await
}

/// Signs Mira in from [`HOME`]; returns whether the password was accepted.
pub(crate) async fn sign_in(fixture: &TestStore, password: &str) -> bool {
    try_password(fixture, MIRA, password, HOME, fixture.now)
        .await
        .signed_in()
}

#[tokio::test]
async fn p08_the_database_holds_neither_token_nor_password() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let (user, session, device) = try_password(fixture, " Mira@ACME.example ", PASSWORD, HOME, fixture.now)
            .await
            .tokens();
        assert_eq!(user.email, email(MIRA));
        assert_ne!(session, device);
        assert_eq!(session.expose().len(), 64, "256 bits");

        let held = match fixture.sqlite_file() {
            Some(file) => {
                let mut bytes = std::fs::read(&file).unwrap();
                bytes.extend(std::fs::read(file.with_extension("db-wal")).unwrap());
                String::from_utf8_lossy(&bytes).into_owned()
            }
            None => {
                one_text(
                    fixture,
                    "SELECT string_agg(line, ' ') FROM (SELECT row_to_json(t)::text AS line FROM sessions t \
                     UNION ALL SELECT row_to_json(t)::text FROM known_devices t \
                     UNION ALL SELECT row_to_json(t)::text FROM users t \
                     UNION ALL SELECT row_to_json(t)::text FROM sign_in_buckets t \
                     UNION ALL SELECT row_to_json(t)::text FROM sign_in_accounts t \
                     UNION ALL SELECT row_to_json(t)::text FROM known_addresses t \
                     UNION ALL SELECT row_to_json(t)::text FROM audit_events t) AS lines",
                )
                .await
            }
        };
        assert!(held.contains(MIRA), "the search covers the rows");
        for secret in [session.expose(), device.expose(), PASSWORD] {
            assert!(!held.contains(secret));
        }
        let digests = "SELECT count(*) FROM sessions WHERE length(token_digest) = 32";
        assert_eq!(number(fixture, digests).await, 1);
    })
    .await;
}

#[tokio::test]
async fn c09_an_internationalised_domain_is_one_account_in_every_spelling() {
    on_every_database(async |fixture| {
        let scope = fixture.store.as_cli();
        add_mira(fixture).await;
        add_user(
            fixture,
            "ann@m\u{fc}nchen.example",
            Role::Member,
            Some("acme"),
        )
        .await;
        for (host, spelling) in [
            "ann@m\u{fc}nchen.example",
            "ann@xn--mnchen-3ya.example",
            "Ann@XN--MNCHEN-3YA.example",
            "ann@mu\u{308}nchen.example",
            "ann@M\u{dc}NCHEN\u{3002}example",
        ]
        .into_iter()
        .enumerate()
        {
            let address = format!("192.0.2.{host}");
            let tried = try_password(fixture, spelling, PASSWORD, &address, fixture.now).await;
            assert!(tried.signed_in(), "{spelling}");
        }
        let listed = fixture.store.users(&scope).list().await.unwrap();
        assert_eq!(listed[0].0.email.as_str(), "ann@xn--mnchen-3ya.example");
        // Both spellings share one throttle bucket.
        for spelling in ["ann@m\u{fc}nchen.example", "ann@xn--mnchen-3ya.example"].repeat(5) {
            let tried = try_password(fixture, spelling, "wrong", HOME, fixture.now).await;
            assert!(tried.refused());
        }
        let tried = try_password(
            fixture,
            "ann@xn--mnchen-3ya.example",
            PASSWORD,
            HOME,
            fixture.now,
        );
        assert!(tried.await.throttled());
    })
    .await;
}

#[tokio::test]
async fn p08_debug_output_hides_tokens_and_outcomes() {
    let fixture = TestStore::on_sqlite().await;
    add_mira(&fixture).await;
    let tried = try_password(&fixture, MIRA, PASSWORD, HOME, fixture.now).await;
    let shown = format!("{:?}", tried.0);
    let (_, session, device) = tried.tokens();
    assert!(!shown.contains(session.expose()));
    assert!(!shown.contains(device.expose()));
}

#[tokio::test]
async fn p09_a_planted_token_never_authenticates() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let planted = SessionToken::from_bytes([7; 32]);
        let (_, session, device) = attempt(
            &fixture.store,
            Attempt {
                previous: Some(&planted),
                device: Some(&planted),
                ..typed(MIRA, PASSWORD, HOME)
            },
            fixture.now,
        )
        .await
        .tokens();
        assert_ne!(session, planted);
        assert_ne!(device, planted, "an unknown device token is replaced");
        let sessions = fixture.store.sessions();
        let authenticate = async |token| {
            sessions
                .authenticate(token, client(HOME), fixture.now)
                .await
                .unwrap()
        };
        assert!(authenticate(&planted).await.is_none());
        assert!(
            authenticate(&device).await.is_none(),
            "a device token is not a session"
        );
        assert!(authenticate(&session).await.is_some());

        let (_, next, same_device) = attempt(
            &fixture.store,
            Attempt {
                previous: Some(&session),
                device: Some(&device),
                ..typed(MIRA, PASSWORD, HOME)
            },
            fixture.now,
        )
        .await
        .tokens();
        assert_ne!(next, session);
        assert_eq!(same_device, device);
        assert!(
            authenticate(&session).await.is_none(),
            "the previous one ended"
        );
        assert!(authenticate(&next).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn p14_only_the_right_password_reveals_a_disabled_user_or_a_suspended_tenant() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        add_user(fixture, "gone@acme.example", Role::Member, Some("acme")).await;
        let scope = fixture.store.as_cli();
        let gone = email("gone@acme.example");
        fixture
            .store
            .users(&scope)
            .disable(&gone, fixture.now)
            .await
            .unwrap();
        for (address, password) in [
            (MIRA, "wrong"),
            ("nobody@acme.example", PASSWORD),
            ("gone@acme.example", "wrong"),
            ("not an email", PASSWORD),
            ("", ""),
        ] {
            assert!(
                try_password(fixture, address, password, HOME, fixture.now)
                    .await
                    .refused()
            );
        }
        let disabled =
            try_password(fixture, "gone@acme.example", PASSWORD, HOME, fixture.now).await;
        assert!(disabled.user_disabled());
        fixture
            .store
            .tenants(&scope)
            .suspend("acme", fixture.now)
            .await
            .unwrap();
        let wrong = try_password(fixture, MIRA, "wrong", HOME, fixture.now).await;
        assert!(wrong.refused());
        let suspended = try_password(fixture, MIRA, PASSWORD, HOME, fixture.now).await;
        assert!(suspended.suspended_tenant().is_some());
        fixture
            .store
            .tenants(&scope)
            .resume("acme", fixture.now)
            .await
            .unwrap();
        assert!(sign_in(fixture, PASSWORD).await);
    })
    .await;
}

#[tokio::test]
async fn p14_an_unknown_user_takes_as_long_as_a_wrong_password() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        // Other load can skew one trial; a missing hash would skew every trial.
        for trial in 1..=4 {
            let (wrong, unknown) = medians_of_refusals(fixture, trial).await;
            let (less, more) = (wrong.min(unknown), wrong.max(unknown));
            assert!(
                less >= Duration::from_millis(3),
                "something was hashed: {less:?}"
            );
            if more.as_secs_f64() <= less.as_secs_f64() * 1.25 {
                return;
            }
            eprintln!("{wrong:?} and {unknown:?}");
        }
        panic!("the time tells whether there is such a user");
    })
    .await;
}

/// The median durations of 40 refusals of a wrong password and of an unknown user.
async fn medians_of_refusals(fixture: &TestStore, trial: u8) -> (Duration, Duration) {
    fixture.execute_script("DELETE FROM sign_in_accounts").await;
    let (mut wrong, mut unknown) = (Vec::new(), Vec::new());
    for host in 0..40 {
        // The two alternate, so that other load affects both.
        for is_known in [host % 2 == 0, host % 2 == 1] {
            let (email, times) = if is_known {
                (MIRA, &mut wrong)
            } else {
                ("nobody@acme.example", &mut unknown)
            };
            let address = format!("10.{trial}.{host}.1");
            let asked = Instant::now();
            let tried = try_password(fixture, email, "wrong", &address, fixture.now).await;
            times.push(asked.elapsed());
            assert!(tried.refused());
        }
    }
    (median(wrong), median(unknown))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test]
async fn p14_the_stored_hash_is_argon2id_and_weak_parameters_are_raised() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let stored = || one_text(fixture, "SELECT password_hash FROM users");
        let strong = stored().await;
        assert!(
            strong.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{strong}"
        );
        assert!(sign_in(fixture, PASSWORD).await);
        assert_eq!(stored().await, strong, "unchanged");

        let params = Params::new(8_192, 1, 1, None).unwrap();
        let weak: PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(PASSWORD.as_bytes())
            .unwrap();
        fixture
            .execute(
                "UPDATE users SET password_hash = $1",
                [weak.to_string().into()],
            )
            .await
            .unwrap();
        assert!(!sign_in(fixture, OTHER_PASSWORD).await);
        assert_eq!(
            stored().await,
            weak.to_string(),
            "a wrong password does not raise the parameters"
        );
        assert!(sign_in(fixture, PASSWORD).await);
        let raised = stored().await;
        assert!(
            raised.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{raised}"
        );
        assert_ne!(raised, strong, "a new salt");
        assert!(sign_in(fixture, PASSWORD).await);
    })
    .await;
}

#[tokio::test]
async fn p15_an_overlong_password_is_refused_before_counting_and_hashing() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let long = "x".repeat(1_025);
        let asked = Instant::now();
        for _ in 0..200 {
            let tried = try_password(fixture, MIRA, &long, HOME, fixture.now).await;
            assert!(matches!(tried.0, SignInOutcome::TooLong));
        }
        assert!(asked.elapsed().as_millis() < 500, "{:?}", asked.elapsed());
        assert_eq!(
            number(fixture, "SELECT count(*) FROM sign_in_buckets").await,
            0
        );
        let longest = "x".repeat(1_024);
        assert!(
            try_password(fixture, MIRA, &longest, HOME, fixture.now)
                .await
                .refused()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p16_of_two_hundred_parallel_sign_ins_some_are_busy_and_none_hang() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let asked = Instant::now();
        let mut tries = JoinSet::new();
        for _ in 0..200 {
            let (store, now) = (fixture.store.clone(), fixture.now);
            tries.spawn(async move { attempt(&store, typed(MIRA, PASSWORD, HOME), now).await });
        }
        let outcomes = tries.join_all().await;
        assert!(
            asked.elapsed() < Duration::from_secs(5),
            "{:?}",
            asked.elapsed()
        );
        let busy = |tried: &&Tried| matches!(tried.0, SignInOutcome::Busy);
        assert!(outcomes.iter().filter(busy).count() > 0);
        assert!(outcomes.iter().any(Tried::signed_in));
        let rest = |tried: &Tried| tried.signed_in() || matches!(tried.0, SignInOutcome::Busy);
        assert!(outcomes.iter().all(rest), "busy refusals use up no attempt");
    })
    .await;
}
