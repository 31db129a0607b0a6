//! The list of keys: sort orders, pages and filters, identical on both databases.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    client_address::ClientAddress,
    key::{
        ApiKey, KeyStatus, NewKey, RotatedExpiry,
        expiry::ExpirationState,
        query::{KeyPage, KeyQuery, KeySort, KeySortColumn},
    },
    page::MAX_LIMIT,
    store::TenantScope,
    verify::Verifier,
};
use std::cmp::Ordering;

use crate::{
    keys::{in_days, issue, new_key},
    test_store::{TestStore, on_every_database},
};

/// Creates 24 keys with many equal and empty values and names in both cases and beyond ASCII; every third is revoked.
pub(crate) async fn many_keys(fixture: &TestStore, scope: &TenantScope) {
    let operator = fixture.store.as_cli();
    let tenants = fixture.store.tenants(&operator);
    tenants
        .set_limit("acme", 1_000, fixture.now)
        .await
        .expect("a result");
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
        let issued = keys.create(new, created_at).await.expect("a result");
        if index % 5 < 2 {
            // Whole and fractional seconds, which SQLite stores as texts of different lengths.
            let used_at = fixture.now + TimeDelta::microseconds(index % 7 * 250_000);
            let client = ClientAddress::known("192.0.2.7".parse().expect("a result"));
            let verdict = verifier.verify(issued.secret.expose(), client, None, used_at);
            verdict.await.expect("a result").expect("a good key");
        }
        if index % 3 == 0 {
            keys.revoke(issued.key.id, fixture.now)
                .await
                .expect("a result");
        }
    }
    verifier.flush().await.expect("a result");
}

/// Returns every key of `query`: pages from first to last, then back, and compares the pages.
pub(crate) async fn walk(
    fixture: &TestStore,
    scope: &TenantScope,
    mut query: KeyQuery,
) -> Vec<ApiKey> {
    let list = async |query: &KeyQuery| {
        let page = fixture.store.keys(scope).list(query, fixture.now).await;
        let page = page.expect("a result");
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
