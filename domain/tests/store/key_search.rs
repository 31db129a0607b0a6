//! Filters and search of the list of keys.

use chrono::TimeDelta;
use domain::{
    Error,
    key::{
        KeyStatus, NewKey,
        expiry::ExpirationState,
        query::{KeyQuery, KeySort, KeySortColumn, KeySummary},
    },
    tenant::KeyQuota,
};

use crate::{
    key_list::{many_keys, walk},
    keys::{in_days, issue, new_key},
    test_store::on_every_database,
};

#[tokio::test]
async fn filters_combine_and_match_the_listed_keys() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        tenants.set_limit("acme", 100, fixture.now).await.unwrap();
        let keys = fixture.store.keys(&scope);
        let made_at = fixture.now - TimeDelta::days(60);
        for (days, revoked) in [None, Some(-1), Some(0), Some(30), Some(31)]
            .into_iter()
            .flat_map(|days| [(days, false), (days, true)])
        {
            let new = NewKey {
                expires_on: days.map(|days| in_days(fixture, days)),
                ..new_key("ERP", &group)
            };
            let id = keys.create(new, made_at).await.unwrap().key.id;
            if revoked {
                keys.revoke(id, fixture.now).await.unwrap();
            }
        }
        for expiration in [None, Some("valid"), Some("expiring_soon"), Some("expired")] {
            for status in [None, Some("active"), Some("revoked")] {
                let query = KeyQuery {
                    status: status.and_then(KeyStatus::from_word),
                    expiration: expiration.and_then(ExpirationState::from_word),
                    ..KeyQuery::default()
                };
                let shown = walk(fixture, &scope, query.clone()).await;
                let both = match expiration {
                    None => 10,
                    Some("expired") => 2,
                    Some(_) => 4,
                };
                let expected = if status.is_none() { both } else { both / 2 };
                assert_eq!(shown.len(), expected, "{query:?}");
                let summary = keys.summary(&query, fixture.now).await.unwrap();
                let expected = KeySummary {
                    quota: KeyQuota {
                        used: 5,
                        limit: 100,
                    },
                    expiring_soon: 2,
                    expired: 1,
                    total: 10,
                    matching: expected as u64,
                };
                assert_eq!(summary, expected, "{query:?}");
                for key in shown {
                    assert_eq!(key.status, query.status.unwrap_or(key.status));
                    assert_eq!(key.expiration, query.expiration.unwrap_or(key.expiration));
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn p60_a_search_matches_names_and_descriptions_literally_in_any_case() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        for (name, description) in [
            ("100% orders", ""),
            ("under_score", ""),
            (r"back\slash", ""),
            ("it's mine!", ""),
            ("Übergröße", "first line\nSecond Line"),
            ("ΟΔΟΣ", ""),
            ("plain", "the é of cafe\u{301}s"),
        ] {
            let new = NewKey {
                description: description.parse().unwrap(),
                ..new_key(name, &group)
            };
            fixture
                .store
                .keys(&scope)
                .create(new, fixture.now)
                .await
                .unwrap();
        }
        let found = async |q: &str| {
            let query = KeyQuery {
                q: q.to_owned(),
                sort: KeySort::parse("name").unwrap(),
                ..KeyQuery::default()
            };
            let keys = fixture.store.keys(&scope);
            let summary = keys.summary(&query, fixture.now).await.unwrap();
            // The combined statement returns the same as the two single ones.
            let (page, of_both) = keys.list_with_summary(&query, fixture.now).await.unwrap();
            assert_eq!(of_both, summary);
            assert_eq!(page, keys.list(&query, fixture.now).await.unwrap());
            let keys = walk(fixture, &scope, query).await;
            assert_eq!((summary.matching, summary.total), (keys.len() as u64, 7));
            keys.into_iter()
                .map(|key| String::from(key.name))
                .collect::<Vec<_>>()
        };
        assert_eq!(found("").await.len(), 7);
        assert_eq!(found("  ").await.len(), 7);
        assert_eq!(found("%").await, ["100% orders"]);
        assert_eq!(found("_").await, ["under_score"]);
        assert_eq!(found(r"\").await, [r"back\slash"]);
        assert_eq!(found("'").await, ["it's mine!"]);
        assert_eq!(found("!").await, ["it's mine!"]);
        assert_eq!(found("ÜBERGR").await, ["Übergröße"]);
        assert_eq!(found("LINE\nSECOND").await, ["Übergröße"]);
        assert_eq!(found("οδοσ").await, ["ΟΔΟΣ"]);
        assert_eq!(found("CAFÉ").await, ["plain"]);
        for nothing in [
            "%a",
            "%%",
            r"\\",
            "' OR '1'='1",
            "a\0b",
            "\"",
            "\";--",
            "x' ESCAPE '!",
            &"a".repeat(100),
            &"ß".repeat(100),
        ] {
            assert_eq!(found(nothing).await, Vec::<String>::new());
        }
    })
    .await;
}

#[tokio::test]
async fn a_search_finds_the_end_of_a_hint_in_any_case() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let mut hints = Vec::new();
        for _ in 0..8 {
            hints.push(issue(fixture, &scope, &group, "Shop").await.key.hint);
        }
        let keys = fixture.store.keys(&scope);
        for hint in hints {
            let end: String = hint.chars().skip(hint.chars().count() - 4).collect();
            for q in [end.clone(), end.to_lowercase(), end.to_uppercase()] {
                let query = KeyQuery {
                    q,
                    ..KeyQuery::default()
                };
                let (page, summary) = keys.list_with_summary(&query, fixture.now).await.unwrap();
                assert!(page.items.iter().any(|key| key.hint == hint), "{hint}");
                assert_eq!(summary.matching, page.items.len() as u64);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn p72_the_length_of_a_search_text_is_bounded() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let keys = fixture.store.keys(&scope);
        for (length, is_good) in [(100, true), (101, false), (100_000, false)] {
            let query = KeyQuery {
                q: "ä".repeat(length),
                ..KeyQuery::default()
            };
            let listed = keys.list(&query, fixture.now).await.map(drop);
            let summed = keys.summary(&query, fixture.now).await.map(drop);
            for outcome in [listed, summed] {
                match outcome {
                    Ok(()) => assert!(is_good, "{length}"),
                    Err(Error::Invalid(faults)) => {
                        assert!(!is_good, "{length}");
                        assert_eq!(faults[0].field, "q");
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
    })
    .await;
}

/// One scan of the keys yields both the page and its counts.
#[tokio::test]
async fn p72_a_page_with_a_search_scans_the_keys_once() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        many_keys(fixture, &scope).await;
        let keys = fixture.store.keys(&scope);
        for column in KeySortColumn::ALL {
            let query = KeyQuery {
                q: "a".to_owned(),
                sort: KeySort {
                    column,
                    descending: false,
                },
                limit: 3,
                ..KeyQuery::default()
            };
            let before = fixture.store.statements();
            keys.list_with_summary(&query, fixture.now).await.unwrap();
            // Three statements: the search, the tenant, the tenant's counters.
            assert_eq!(fixture.store.statements() - before, 3, "{column:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn keys_are_found_by_the_end_of_their_secret_and_then_by_name() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Orders", &["orders:read"]).await;
        let shop = issue(fixture, &scope, &group, "Shop").await.key;
        let end: String = shop
            .hint
            .chars()
            .skip(shop.hint.chars().count() - 4)
            .collect();
        let named = issue(fixture, &scope, &group, &format!("B {end} of the shop"))
            .await
            .key;
        let other = issue(fixture, &scope, &group, "A second shop").await.key;
        let globex = fixture.tenant("globex").await;
        let foreign_group = fixture.group(&globex, "Orders", &["orders:read"]).await;
        issue(fixture, &globex, &foreign_group, &format!("Shop {end}")).await;
        let keys = fixture.store.keys(&scope);
        let find = async |q: &str, limit| keys.find(q, limit).await.expect("keys");
        let ids = |keys: &[&domain::key::ApiKey]| keys.iter().map(|key| key.id).collect::<Vec<_>>();
        assert_eq!(
            find(&end, 25).await,
            ids(&[&shop, &named]),
            "first the hint, then the name"
        );
        assert_eq!(
            find("SHOP", 25).await,
            ids(&[&other, &named, &shop]),
            "by name"
        );
        assert_eq!(find("shop", 1).await, ids(&[&other]), "the limit");
        assert_eq!(find("%", 25).await, [], "literally");
        assert_eq!(find("\0", 25).await, [], "a text that no name contains");
        let too_long = keys.find(&"x".repeat(101), 25).await;
        assert!(matches!(too_long, Err(Error::Invalid(_))));
    })
    .await;
}
