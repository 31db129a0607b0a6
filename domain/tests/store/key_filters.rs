//! Filters of the list by lifetime and by the last use.

use chrono::TimeDelta;
use domain::{
    client_address::ClientAddress,
    key::{
        KeyStatus, NewKey,
        expiry::ExpirationState,
        query::{KeyLifetime, KeyQuery, KeySort, KeySortColumn},
    },
    verify::Verifier,
};

use crate::{
    key_list::walk,
    keys::new_key,
    test_store::{TestStore, on_every_database},
};

/// For each key: days since its creation, days since its last use, and whether it expires.
const KEYS: [(i64, Option<i64>, bool); 8] = [
    (200, None, false),
    (200, Some(91), false),
    (200, Some(89), true),
    (200, Some(0), false),
    (91, None, true),
    (89, None, false),
    (0, None, true),
    (120, Some(100), true),
];

async fn names(
    fixture: &TestStore,
    scope: &domain::store::TenantScope,
    query: &KeyQuery,
) -> Vec<String> {
    let mut names: Vec<_> = (walk(fixture, scope, query.clone()).await.iter())
        .map(|key| key.name.to_string())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn keys_are_filtered_by_lifetime_and_last_use_in_every_order() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let verifier = Verifier::new(fixture.store.clone());
        let ago = |days: i64| fixture.now - TimeDelta::days(days) - TimeDelta::minutes(1);
        for (number, (made, used, expires)) in KEYS.into_iter().enumerate() {
            let date = (fixture.now + TimeDelta::days(60)).date_naive();
            let new = NewKey {
                expires_on: expires.then(|| date.into()),
                ..new_key(&format!("Key {number}"), &group)
            };
            let key = keys.create(new, ago(made)).await.unwrap();
            if let Some(used) = used {
                let client = ClientAddress::Unknown;
                let verdict = verifier.verify(key.secret.expose(), client, None, ago(used));
                verdict.await.unwrap().expect("a good key");
            }
            if number == 1 {
                keys.revoke(key.key.id, fixture.now).await.unwrap();
            }
        }
        verifier.flush().await.unwrap();
        let expected = |query: &KeyQuery| -> Vec<String> {
            let keys = KEYS.into_iter().enumerate();
            keys.filter(|(number, (made, used, expires))| {
                let unused = |days: u32| used.unwrap_or(*made) >= i64::from(days);
                let status = if *number == 1 {
                    KeyStatus::Revoked
                } else {
                    KeyStatus::Active
                };
                query.lifetime.is_none_or(|KeyLifetime::Never| !expires)
                    && query.unused_days.is_none_or(unused)
                    && query.status.is_none_or(|wanted| wanted == status)
                    && (query.expiration).is_none_or(|state| state == ExpirationState::Valid)
            })
            .map(|(number, _)| format!("Key {number}"))
            .collect()
        };
        for lifetime in [None, Some(KeyLifetime::Never)] {
            for unused_days in [None, Some(1), Some(90), Some(101), Some(3_650)] {
                for status in [None, Some(KeyStatus::Active)] {
                    for expiration in [
                        None,
                        Some(ExpirationState::Valid),
                        Some(ExpirationState::Expired),
                    ] {
                        for column in KeySortColumn::ALL {
                            let query = KeyQuery {
                                lifetime,
                                unused_days,
                                status,
                                expiration,
                                sort: KeySort {
                                    column,
                                    descending: (column as u8).is_multiple_of(2),
                                },
                                limit: 3,
                                ..KeyQuery::default()
                            };
                            let expected = expected(&query);
                            assert_eq!(names(fixture, &scope, &query).await, expected, "{query:?}");
                            let summary = keys.summary(&query, fixture.now).await.unwrap();
                            assert_eq!(summary.matching, expected.len() as u64, "{query:?}");
                        }
                    }
                }
            }
        }
        // A search applies the same filter.
        let query = KeyQuery {
            q: "key".to_owned(),
            unused_days: Some(90),
            lifetime: Some(KeyLifetime::Never),
            ..KeyQuery::default()
        };
        assert_eq!(names(fixture, &scope, &query).await, ["Key 0", "Key 1"]);
        let (_, summary) = keys.list_with_summary(&query, fixture.now).await.unwrap();
        assert_eq!(summary.matching, 2);
    })
    .await;
}

#[tokio::test]
async fn active_expired_keys_are_counted_for_the_header() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let made_at = fixture.now - TimeDelta::days(10);
        for (name, revoked) in [("First", false), ("Second", false), ("Third", true)] {
            let yesterday = (fixture.now - TimeDelta::days(1)).date_naive();
            let new = NewKey {
                expires_on: Some(yesterday.into()),
                ..new_key(name, &group)
            };
            let key = keys.create(new, made_at).await.unwrap();
            if revoked {
                keys.revoke(key.key.id, fixture.now).await.unwrap();
            }
        }
        keys.create(new_key("Good", &group), made_at).await.unwrap();
        let summary = keys
            .summary(&KeyQuery::default(), fixture.now)
            .await
            .unwrap();
        assert_eq!((summary.expired, summary.quota.used), (2, 3));
    })
    .await;
}
