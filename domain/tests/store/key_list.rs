//! The list of keys: sort orders, pages and filters, identical on both databases.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Error,
    client_address::ClientAddress,
    key::{
        ApiKey, KeyStatus, NewKey, RotatedExpiry,
        expiry::ExpirationState,
        query::{KeyPage, KeyQuery, KeySort, KeySortColumn, KeySummary},
    },
    page::MAX_LIMIT,
    store::TenantScope,
    tenant::KeyQuota,
    verify::Verifier,
};
use std::cmp::Ordering;

use crate::{
    keys::{in_days, issue, new_key},
    test_store::{TestStore, on_every_database},
};

/// Creates 24 keys with many equal and empty values and names in both cases and beyond ASCII; every third is revoked.
async fn many_keys(fixture: &TestStore, scope: &TenantScope) {
    let operator = fixture.store.as_cli();
    let tenants = fixture.store.tenants(&operator);
    tenants
        .set_limit("acme", 1_000, fixture.now)
        .await
        .expect("an answer");
    let groups = [
        fixture.group(scope, "zebra", &[]).await,
        fixture.group(scope, "Alpha", &[]).await,
        fixture.group(scope, "beta", &[]).await,
    ];
    let keys = fixture.store.keys(scope);
    let verifier = Verifier::new(fixture.store.clone());
    let names = [
        "beta", "Alpha", "alpha", "Äpfel", "ZETA", "äpfel", "Ωmega", "🔑🔑",
    ];
    for index in 0..24_i64 {
        let mut new = new_key(
            names[index as usize % names.len()],
            &groups[index as usize % 3],
        );
        new.expires_on = (index % 4 != 0).then(|| in_days(fixture, 1 + index % 3));
        let created_at = fixture.now + TimeDelta::milliseconds(index / 2 * 100);
        let issued = keys.create(new, created_at).await.expect("an answer");
        if index % 5 < 2 {
            // Whole and fractional seconds, which SQLite stores as texts of different lengths.
            let used_at = fixture.now + TimeDelta::microseconds(index % 7 * 250_000);
            let client = ClientAddress::known("192.0.2.7".parse().expect("an answer"));
            let verdict = verifier.verify(issued.secret.expose(), client, None, used_at);
            verdict.await.expect("an answer").expect("a good key");
        }
        if index % 3 == 0 {
            keys.revoke(issued.key.id, fixture.now)
                .await
                .expect("an answer");
        }
    }
    verifier.flush().await.expect("an answer");
}

/// Returns every key of `query`: pages from first to last, then back, and compares the pages.
async fn walk(fixture: &TestStore, scope: &TenantScope, mut query: KeyQuery) -> Vec<ApiKey> {
    let list = async |query: &KeyQuery| {
        let page = fixture.store.keys(scope).list(query, fixture.now).await;
        let page = page.expect("an answer");
        assert!(page.items.len() <= query.limit as usize);
        let cursors = [&page.next_cursor, &page.previous_cursor];
        for byte in cursors
            .into_iter()
            .flatten()
            .flat_map(|cursor| cursor.bytes())
        {
            assert!(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        }
        page
    };
    let mut pages: Vec<KeyPage> = Vec::new();
    let mut items = Vec::new();
    loop {
        let page = list(&query).await;
        assert_eq!(page.first, items.len() as u64 + 1);
        assert_eq!(page.previous_cursor.is_none(), pages.is_empty());
        items.extend(page.items.clone());
        query.cursor = page.next_cursor.clone();
        pages.push(page);
        if query.cursor.is_none() {
            break;
        }
    }
    while let Some(page) = pages.pop() {
        let Some(cursor) = page.previous_cursor else {
            assert!(pages.is_empty());
            break;
        };
        query.cursor = Some(cursor);
        assert_eq!(Some(&list(&query).await), pages.last());
    }
    items
}

/// The order that section 2 specifies, implemented independently of the database.
fn compare(a: &ApiKey, b: &ApiKey, sort: KeySort) -> Ordering {
    fn values<T: Ord>(a: Option<T>, b: Option<T>, descending: bool) -> Ordering {
        match (a, b) {
            (Some(a), Some(b)) if descending => b.cmp(&a),
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }
    let descending = sort.descending;
    let lower = |key: &ApiKey| Some(key.name.as_str().to_lowercase());
    let group = |key: &ApiKey| Some(key.authorization_group.name.to_lowercase());
    let revoked = |key: &ApiKey| Some(key.status == KeyStatus::Revoked);
    match sort.column {
        KeySortColumn::Name => values(lower(a), lower(b), descending),
        KeySortColumn::Status => values(revoked(a), revoked(b), descending),
        KeySortColumn::AuthorizationGroup => values(group(a), group(b), descending),
        KeySortColumn::ExpiresOn => values(a.expires_on, b.expires_on, descending),
        KeySortColumn::LastUsedAt => values(a.last_used_at, b.last_used_at, descending),
        KeySortColumn::CreatedAt => values(Some(a.created_at), Some(b.created_at), descending),
    }
    .then_with(|| values(Some(a.id), Some(b.id), descending))
}

#[tokio::test]
async fn every_sort_order_lists_each_key_once_with_empty_values_last() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        many_keys(fixture, &scope).await;
        let everything = KeyQuery {
            limit: MAX_LIMIT,
            ..KeyQuery::default()
        };
        let keys = walk(fixture, &scope, everything).await;
        assert_eq!(keys.len(), 24);
        for column in KeySortColumn::ALL {
            for descending in [false, true] {
                let sort = KeySort { column, descending };
                let mut expected = keys.clone();
                expected.sort_by(|a, b| compare(a, b, sort));
                for limit in [1, 3, 24] {
                    let query = KeyQuery {
                        sort,
                        limit,
                        ..KeyQuery::default()
                    };
                    let walked = walk(fixture, &scope, query).await;
                    assert_eq!(walked, expected, "{} by {limit}", sort.to_parameter());
                }
            }
        }
    })
    .await;
}

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
async fn p26_a_foreign_cursor_shows_only_own_keys_and_a_changed_one_is_refused() {
    on_every_database(async |fixture| {
        let acme = fixture.tenant("acme").await;
        let globex = fixture.tenant("globex").await;
        let of_acme = fixture.group(&acme, "Ordering", &[]).await;
        let of_globex = fixture.group(&globex, "Ordering", &[]).await;
        let one_by_one = KeyQuery {
            limit: 1,
            ..KeyQuery::default()
        };
        for _ in 0..3 {
            issue(fixture, &acme, &of_acme, "Acme's").await;
            issue(fixture, &globex, &of_globex, "Globex's").await;
        }
        let list = async |scope: &TenantScope, query: &KeyQuery| {
            fixture.store.keys(scope).list(query, fixture.now).await
        };
        let cursor = list(&globex, &one_by_one)
            .await
            .unwrap()
            .next_cursor
            .unwrap();
        let with = |cursor: &str, query: &KeyQuery| KeyQuery {
            cursor: Some(cursor.to_owned()),
            ..query.clone()
        };
        let page = list(&acme, &with(&cursor, &one_by_one)).await.unwrap();
        assert!(page.items.iter().all(|key| key.name.as_str() == "Acme's"));

        let by_name = KeyQuery {
            sort: KeySort::parse("name").unwrap(),
            ..KeyQuery::default()
        };
        let ascending = KeyQuery {
            sort: KeySort::parse("created_at").unwrap(),
            ..KeyQuery::default()
        };
        let is_refused = async |query: KeyQuery| {
            let outcome = list(&globex, &query).await;
            assert!(matches!(outcome, Err(Error::InvalidCursor)), "{outcome:?}");
        };
        is_refused(with(&cursor, &by_name)).await;
        is_refused(with(&cursor, &ascending)).await;
        for wrong in ["", "x", "%", "null", &cursor[1..], &"A".repeat(1_000_000)] {
            is_refused(with(wrong, &one_by_one)).await;
        }
        for position in 0..cursor.len() {
            let other = if cursor.as_bytes()[position] == b'A' {
                "B"
            } else {
                "A"
            };
            let mut changed = cursor.clone();
            changed.replace_range(position..=position, other);
            is_refused(with(&changed, &one_by_one)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_of_the_previous_format_is_refused() {
    let fixture = TestStore::on_sqlite().await;
    let scope = fixture.tenant("acme").await;
    // The previous format: {"sort":"-created_at","value":"1772452800000000","id":"…"} and a checksum.
    let json = r#"{"sort":"-created_at","value":"1772452800000000","id":"019cad50-5c00-7000-8000-000000000000"}"#;
    let checksum = crc32fast::hash(json.as_bytes()).to_be_bytes();
    let cursor = URL_SAFE_NO_PAD.encode([json.as_bytes(), &checksum].concat());
    let query = KeyQuery {
        cursor: Some(cursor),
        ..KeyQuery::default()
    };
    let outcome = fixture.store.keys(&scope).list(&query, fixture.now).await;
    assert!(matches!(outcome, Err(Error::InvalidCursor)), "{outcome:?}");
}

#[tokio::test]
async fn paging_back_ends_at_the_first_key_after_inserts_and_removals() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let mut made = Vec::new();
        for number in 0..6 {
            let name = format!("key {number}");
            made.push(issue(fixture, &scope, &group, &name).await.key.id);
        }
        let page = async |cursor: Option<&String>, limit| {
            let query = KeyQuery {
                status: Some(KeyStatus::Active),
                sort: KeySort::parse("name").unwrap(),
                cursor: cursor.cloned(),
                limit,
                ..KeyQuery::default()
            };
            let page = keys.list(&query, fixture.now).await.unwrap();
            let names: Vec<String> = page.items.iter().map(|key| key.name.to_string()).collect();
            (names.join(", "), page)
        };
        let (_, first) = page(None, 2).await;
        let (names, second) = page(first.next_cursor.as_ref(), 2).await;
        assert_eq!((names.as_str(), second.first), ("key 2, key 3", 3));
        let (_, third) = page(second.next_cursor.as_ref(), 2).await;
        assert_eq!((third.first, &third.next_cursor), (5, &None));

        // A longer page back starts at the first key.
        let (names, before) = page(third.previous_cursor.as_ref(), 25).await;
        assert_eq!(names, "key 0, key 1, key 2, key 3");
        assert_eq!((before.first, &before.previous_cursor), (1, &None));
        assert_eq!(page(before.next_cursor.as_ref(), 2).await.1, third);

        // A key was added before the page: paging back still reaches it.
        issue(fixture, &scope, &group, "a new one").await;
        let (names, before) = page(second.previous_cursor.as_ref(), 2).await;
        assert_eq!((names.as_str(), before.first), ("a new one, key 0", 1));
        assert_eq!(before.previous_cursor, None);
        let (names, before) = page(third.previous_cursor.as_ref(), 2).await;
        assert_eq!((names.as_str(), before.first), ("key 2, key 3", 3));
        let (names, before) = page(before.previous_cursor.as_ref(), 2).await;
        assert_eq!((names.as_str(), before.first), ("a new one, key 0", 1));

        // Keys were removed before the page: paging back ends at the first key left.
        for id in &made[..3] {
            keys.revoke(*id, fixture.now).await.unwrap();
        }
        let (names, before) = page(third.previous_cursor.as_ref(), 2).await;
        assert_eq!((names.as_str(), before.first), ("a new one, key 3", 1));
        assert_eq!(before.previous_cursor, None);
        let (names, before) = page(first.next_cursor.as_ref(), 2).await;
        assert_eq!((names.as_str(), before.first), ("key 3, key 4", 3));
        assert!(before.previous_cursor.is_some());
        let (names, before) = page(second.previous_cursor.as_ref(), 1).await;
        assert_eq!((names.as_str(), before.first), ("a new one", 1));
    })
    .await;
}

#[tokio::test]
async fn summary_counts_follow_every_change() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let globex = fixture.tenant("globex").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let of_globex = fixture.group(&globex, "Ordering", &[]).await;
        issue(fixture, &globex, &of_globex, "Theirs").await;
        let keys = fixture.store.keys(&scope);
        let counts = async || {
            let summary = keys.summary(&KeyQuery::default(), fixture.now).await;
            let summary = summary.unwrap();
            assert_eq!(summary.quota, keys.quota().await.unwrap());
            assert_eq!(summary.matching, summary.total);
            (summary.quota.used, summary.expiring_soon, summary.total)
        };
        assert_eq!(counts().await, (0, 0, 0));
        let mut soon = new_key("ERP", &group);
        soon.expires_on = Some(in_days(fixture, 30));
        let id = keys.create(soon, fixture.now).await.unwrap().key.id;
        assert_eq!(counts().await, (1, 1, 1));
        for (date, expected) in [
            (Some(in_days(fixture, 31)), (1, 0, 1)),
            (Some(in_days(fixture, 1)), (1, 1, 1)),
            (None, (1, 0, 1)),
            (Some(in_days(fixture, 2)), (1, 1, 1)),
        ] {
            let expiry = RotatedExpiry::Set(date);
            keys.rotate(id, expiry, fixture.now).await.unwrap();
            assert_eq!(counts().await, expected);
        }
        issue(fixture, &scope, &group, "CRM").await;
        assert_eq!(counts().await, (2, 1, 2));
        keys.revoke(id, fixture.now).await.unwrap();
        keys.revoke(id, fixture.now).await.unwrap();
        assert_eq!(counts().await, (1, 0, 2));
        fixture.execute("DELETE FROM api_keys", []).await.unwrap();
        assert_eq!(counts().await, (0, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn p60_only_listed_columns_are_sortable() {
    for word in [
        "",
        "-",
        "--name",
        "Name",
        "name,id",
        "secret_digest",
        "tenant_id",
        "+name",
        "name ",
    ] {
        assert_eq!(KeySort::parse(word), None, "{word}");
    }
    for column in KeySortColumn::ALL {
        for descending in [false, true] {
            let sort = KeySort { column, descending };
            assert_eq!(KeySort::parse(&sort.to_parameter()), Some(sort));
        }
    }
}

#[tokio::test]
async fn p26_the_page_size_is_bounded() {
    let fixture = TestStore::on_sqlite().await;
    let scope = fixture.tenant("acme").await;
    let operator = fixture.store.as_cli();
    let tenants = fixture.store.tenants(&operator);
    tenants.set_limit("acme", 1_000, fixture.now).await.unwrap();
    let group = fixture.group(&scope, "Ordering", &[]).await;
    for _ in 0..=MAX_LIMIT {
        issue(&fixture, &scope, &group, "ERP").await;
    }
    for (asked, given) in [(u32::MAX, MAX_LIMIT), (0, 1), (25, 25)] {
        let query = KeyQuery {
            limit: asked,
            ..KeyQuery::default()
        };
        let page = fixture.store.keys(&scope).list(&query, fixture.now).await;
        assert_eq!(page.unwrap().items.len(), given as usize);
    }
}

#[tokio::test]
async fn cursors_of_the_longest_names_are_accepted() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, &"🔑".repeat(200), &[]).await;
        let names = ["🔑".repeat(200), "\"".repeat(200), "İ".repeat(200)];
        for name in &names {
            issue(fixture, &scope, &group, name).await;
        }
        for column in ["name", "-name", "authorization_group"] {
            let query = KeyQuery {
                sort: KeySort::parse(column).unwrap(),
                limit: 1,
                ..KeyQuery::default()
            };
            assert_eq!(walk(fixture, &scope, query).await.len(), names.len());
        }
    })
    .await;
}

#[tokio::test]
async fn p40_expiration_states_change_at_midnight_utc() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let new = NewKey {
            expires_on: Some("2026-04-10".parse().unwrap()),
            ..new_key("ERP", &group)
        };
        let keys = fixture.store.keys(&scope);
        keys.create(new, fixture.now).await.unwrap();
        for (time, state) in [
            ("2026-03-10T23:59:59.999Z", ExpirationState::Valid),
            ("2026-03-11T00:00:00Z", ExpirationState::ExpiringSoon),
            ("2026-04-10T23:59:59.999Z", ExpirationState::ExpiringSoon),
            ("2026-04-11T00:00:00Z", ExpirationState::Expired),
        ] {
            let time: DateTime<Utc> = time.parse().unwrap();
            let query = KeyQuery {
                expiration: Some(state),
                ..KeyQuery::default()
            };
            let page = keys.list(&query, time).await.unwrap();
            assert_eq!(page.items.len(), 1, "{time}");
            assert_eq!(page.items[0].expiration, state);
        }
    })
    .await;
}
