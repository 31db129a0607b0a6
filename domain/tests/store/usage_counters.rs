//! Counters of uses and refusals by key and day.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Error,
    client_address::ClientAddress,
    key::format::Secret,
    store::keys::{AddressUse, DAYS_KEPT, MOST_ADDRESSES, OTHER, UNKNOWN},
    verify::Verifier,
};

use crate::{
    keys::issue,
    test_store::{TestStore, on_every_database},
};

fn client(address: &str) -> ClientAddress {
    ClientAddress::known(address.parse().expect("an address"))
}

/// Verifies a key and expects acceptance.
async fn use_key(verifier: &Verifier, secret: &Secret, client: ClientAddress, now: DateTime<Utc>) {
    let verdict = verifier.verify(secret.expose(), client, None, now).await;
    verdict.expect("a verdict").expect("a good key");
}

fn shown(uses: &[AddressUse]) -> Vec<(String, &str, u64)> {
    uses.iter()
        .map(|of| (of.day.to_string(), of.address.as_str(), of.count))
        .collect()
}

#[tokio::test]
async fn uses_are_counted_by_key_day_and_address() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let idle = issue(fixture, &scope, &group, "Idle").await;
        let before_midnight = "2026-03-02T23:59:59.9Z".parse().unwrap();
        let after_midnight = "2026-03-03T00:00:00.1Z".parse().unwrap();
        // Two replicas, each writing twice.
        for verifier in [(); 2].map(|()| Verifier::new(fixture.store.clone())) {
            for _ in 0..2 {
                for address in ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"] {
                    use_key(&verifier, &key.secret, client(address), before_midnight).await;
                }
                use_key(
                    &verifier,
                    &key.secret,
                    ClientAddress::Unknown,
                    after_midnight,
                )
                .await;
                verifier.flush().await.unwrap();
            }
        }
        let keys = fixture.store.keys(&scope);
        let uses = keys.uses(key.key.id).await.unwrap();
        let (second, third) = ("2026-03-02".to_owned(), "2026-03-03".to_owned());
        assert_eq!(
            shown(&uses),
            [
                (third, UNKNOWN, 4),
                (second.clone(), "192.0.2.7", 8),
                (second, "2001:db8::1", 4),
            ]
        );
        assert_eq!(keys.uses(idle.key.id).await.unwrap(), []);
        let other = fixture.tenant("globex").await;
        let foreign = fixture.store.keys(&other).uses(key.key.id).await;
        assert!(matches!(foreign, Err(Error::NotFound(_))));
    })
    .await;
}

#[tokio::test]
async fn the_addresses_of_a_day_are_bounded_and_the_rest_share_one_counter() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let verifier = Verifier::new(fixture.store.clone());
        let address = |number: u32| client(&format!("192.0.2.{number}"));
        let more = MOST_ADDRESSES + 10;
        for _ in 0..2 {
            for number in 0..more {
                use_key(&verifier, &key.secret, address(number), fixture.now).await;
            }
            use_key(&verifier, &key.secret, ClientAddress::Unknown, fixture.now).await;
            verifier.flush().await.unwrap();
        }
        let keys = fixture.store.keys(&scope);
        let uses = keys.uses(key.key.id).await.unwrap();
        let count_of = |address: &str| {
            let found = uses.iter().find(|of| of.address == address);
            found.map(|of| of.count)
        };
        assert_eq!(uses.len() as u32, MOST_ADDRESSES + 2);
        assert_eq!((count_of(OTHER), count_of(UNKNOWN)), (Some(20), Some(2)));
        let told_apart = uses.iter().filter(|of| of.address.starts_with("192."));
        assert!(told_apart.clone().all(|of| of.count == 2));
        assert_eq!(told_apart.count() as u32, MOST_ADDRESSES);

        // The next day starts with new counters.
        let tomorrow = fixture.now + TimeDelta::days(1);
        use_key(&verifier, &key.secret, address(200), tomorrow).await;
        verifier.flush().await.unwrap();
        let newest = keys.uses(key.key.id).await.unwrap().remove(0);
        assert_eq!((newest.address.as_str(), newest.count), ("192.0.2.200", 1));
    })
    .await;
}

#[tokio::test]
async fn two_verifiers_that_write_at_once_share_the_bound_and_lose_no_count() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let verifiers = [(); 2].map(|()| Verifier::new(fixture.store.clone()));
        let missing = "orders:write".parse().unwrap();
        let (rounds, each) = (3_u64, 40_u64);
        for round in 0..rounds {
            for (number, verifier) in (0..).zip(&verifiers) {
                for last in 0..each {
                    // Own addresses, in each round ten that no verifier has written before; all of them are also refused.
                    let from = client(&format!("192.0.{number}.{}", last + 10 * round));
                    use_key(verifier, &key.secret, from, fixture.now).await;
                    let secret = key.secret.expose();
                    let refused = verifier.verify(secret, from, Some(&missing), fixture.now);
                    assert!(refused.await.unwrap().is_err());
                }
            }
            let [one, other] = verifiers.each_ref().map(Verifier::flush);
            let (one, other) = tokio::join!(one, other);
            one.and(other).unwrap();
        }
        let keys = fixture.store.keys(&scope);
        let uses = keys.uses(key.key.id).await.unwrap();
        let count = |uses: &[AddressUse]| uses.iter().map(|of| of.count).sum::<u64>();
        let expected = 2 * rounds * each;
        assert_eq!(count(&uses), expected);
        assert_eq!(uses.len() as u32, MOST_ADDRESSES + 1, "{uses:?}");
        let refusals = keys.refusals(key.key.id).await.unwrap();
        assert_eq!(refusals.len(), 1);
        assert_eq!(refusals[0].count, expected);
    })
    .await;
}

async fn days(fixture: &TestStore, table: &str) -> i64 {
    let connection = fixture.connection().await;
    let backend = sea_orm::ConnectionTrait::get_database_backend(&connection);
    let sql = format!("SELECT count(DISTINCT day) FROM {table}");
    let statement = sea_orm::Statement::from_string(backend, sql);
    let row = sea_orm::ConnectionTrait::query_one_raw(&connection, statement).await;
    let row = row.expect("a result").expect("a row");
    connection.close().await.expect("closed");
    row.try_get_by_index(0).expect("a number")
}

#[tokio::test]
async fn counters_older_than_ninety_days_are_deleted() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let verifier = Verifier::new(fixture.store.clone());
        let kept = i64::try_from(DAYS_KEPT).unwrap();
        let oldest = fixture.now - TimeDelta::days(kept + 5);
        for day in 0..=kept + 5 {
            let now = oldest + TimeDelta::days(day);
            use_key(&verifier, &key.secret, client("192.0.2.7"), now).await;
            let missing = "orders:write".parse().unwrap();
            let refused = verifier.verify(
                key.secret.expose(),
                client("192.0.2.7"),
                Some(&missing),
                now,
            );
            refused.await.unwrap().unwrap_err();
            let none = verifier.verify("none", client("192.0.2.7"), None, now);
            none.await.unwrap().unwrap_err();
        }
        verifier.flush().await.unwrap();
        for table in ["address_uses", "refusals", "refusal_addresses"] {
            assert_eq!(days(fixture, table).await, kept + 6);
        }
        for _ in 0..2 {
            let today = fixture.now.date_naive();
            fixture.store.forget_old_usage(today).await.unwrap();
            for table in ["address_uses", "refusals", "refusal_addresses"] {
                assert_eq!(days(fixture, table).await, kept, "{table}");
            }
        }
        let uses = fixture.store.keys(&scope).uses(key.key.id).await.unwrap();
        assert_eq!(uses.first().unwrap().day, fixture.now.date_naive());
    })
    .await;
}

#[tokio::test]
async fn p03_refusals_are_counted_by_key_code_and_day() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let missing = "orders:write".parse().unwrap();
        let tomorrow = fixture.now + TimeDelta::days(1);
        // Two replicas.
        for verifier in [(); 2].map(|()| Verifier::new(fixture.store.clone())) {
            for (now, times) in [(fixture.now, 2), (tomorrow, 1)] {
                for _ in 0..times {
                    let verdict = verifier
                        .verify(
                            key.secret.expose(),
                            client("192.0.2.7"),
                            Some(&missing),
                            now,
                        )
                        .await
                        .expect("a verdict");
                    assert!(verdict.is_err());
                    verifier
                        .verify("none", client("192.0.2.7"), None, now)
                        .await
                        .expect("a verdict")
                        .expect_err("no key");
                }
                verifier.flush().await.unwrap();
            }
            verifier.flush().await.unwrap();
        }
        let keys = fixture.store.keys(&scope);
        let counts = keys.refusals(key.key.id).await.unwrap();
        let shown: Vec<_> = counts
            .iter()
            .map(|count| (count.day, count.code.as_str(), count.count))
            .collect();
        assert_eq!(
            shown,
            [
                (tomorrow.date_naive(), "missing_permission", 2),
                (fixture.now.date_naive(), "missing_permission", 4),
            ]
        );
        let other = fixture.tenant("globex").await;
        let refused = fixture.store.keys(&other).refusals(key.key.id).await;
        assert!(matches!(refused, Err(Error::NotFound(_))));
    })
    .await;
}
