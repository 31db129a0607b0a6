//! Cursors of the list of keys: paging back, tampering, and old formats.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    Error,
    key::{
        KeyStatus,
        query::{KeyQuery, KeySort},
    },
    store::TenantScope,
};

use crate::{
    key_list::walk,
    keys::issue,
    test_store::{TestStore, on_every_database},
};

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
