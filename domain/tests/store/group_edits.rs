//! Editing and deleting authorization groups.

use chrono::TimeDelta;
use domain::{
    Error,
    audit::AuditAction,
    group::{AuthorizationGroup, GroupType},
    store::groups::{GroupChanges, GroupQuery, NewGroup},
};

use crate::{
    keys::{issue, new_key},
    test_store::{on_every_database, permission_set},
};

fn renamed(name: &str) -> GroupChanges {
    GroupChanges {
        name: Some(name.to_owned()),
        ..GroupChanges::default()
    }
}

#[tokio::test]
async fn an_edit_changes_name_and_permissions_each_with_its_event() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let groups = fixture.store.groups(&scope);
        let later = fixture.now + TimeDelta::hours(1);
        let changes = GroupChanges {
            name: Some("  Orders ".to_owned()),
            permissions: Some(permission_set(&["orders:write"])),
        };
        let edited = groups
            .edit(group.id, changes.clone(), Some(group.version), later)
            .await;
        let edited: AuthorizationGroup = edited.unwrap().value;
        assert_eq!(
            (edited.name.as_str(), edited.version),
            ("Orders", group.version + 1)
        );
        let key = fixture
            .store
            .keys(&scope)
            .get(key.key.id, later)
            .await
            .unwrap();
        assert_eq!(key.authorization_group.name, "Orders");

        // The same edit again changes nothing and writes no event.
        let again = groups
            .edit(group.id, changes, None, later)
            .await
            .unwrap()
            .value;
        assert_eq!(again, edited);
        let events = fixture.store.audit(&scope).newest(2).await.unwrap();
        let mut actions: Vec<_> = events.iter().map(|event| event.action).collect();
        actions.sort_by_key(|action| action.as_str());
        assert_eq!(
            actions,
            [
                AuditAction::GroupPermissionsChanged,
                AuditAction::GroupRenamed
            ]
        );

        let stale = groups
            .edit(group.id, renamed("X1"), Some(group.version), later)
            .await;
        assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
        fixture.group(&scope, "Warehouse", &[]).await;
        let taken = groups
            .edit(group.id, renamed("Warehouse"), None, later)
            .await;
        assert!(
            matches!(taken, Err(Error::AlreadyExists { .. })),
            "{taken:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_group_of_a_key_that_is_not_revoked_cannot_be_deleted() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let groups = fixture.store.groups(&scope);
        let mut keys = Vec::new();
        for number in 0..10 {
            keys.push(issue(fixture, &scope, &group, &format!("Key {number}")).await);
        }
        let later = fixture.now + TimeDelta::hours(1);
        let refused = groups.delete(group.id, None, later).await;
        match refused {
            Err(Error::GroupInUse { keys, named }) => {
                assert_eq!((keys, named.len()), (10, 10));
                assert_eq!(named[0].name, "Key 0");
            }
            other => panic!("{other:?}"),
        }
        for key in &keys {
            fixture
                .store
                .keys(&scope)
                .revoke(key.key.id, later)
                .await
                .unwrap();
        }
        groups.delete(group.id, None, later).await.unwrap();
        assert!(matches!(
            groups.get(group.id).await,
            Err(Error::NotFound(_))
        ));
        assert_eq!(groups.list().await.unwrap(), []);
        // A revoked key still shows the deleted group's name, and the name is free.
        let key = fixture
            .store
            .keys(&scope)
            .get(keys[0].key.id, later)
            .await
            .unwrap();
        assert_eq!(key.authorization_group.name, "Ordering");
        let new = fixture.group(&scope, "Ordering", &[]).await;
        assert_ne!(new.id, group.id);
        let refused = fixture
            .store
            .keys(&scope)
            .create(new_key("ERP", &group), later)
            .await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        let newest = fixture.store.audit(&scope).newest(2).await.unwrap();
        assert_eq!(newest[0].action, AuditAction::GroupDeleted);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_made_while_its_group_is_deleted_either_keeps_the_group_or_is_refused() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        for round in 0..10 {
            let group = fixture.group(&scope, &format!("Group {round}"), &[]).await;
            let (keys, groups) = (fixture.store.keys(&scope), fixture.store.groups(&scope));
            let (made, deleted) = tokio::join!(
                keys.create(new_key("ERP", &group), fixture.now),
                groups.delete(group.id, None, fixture.now),
            );
            match (&made, &deleted) {
                (Ok(_), Err(Error::GroupInUse { .. })) | (Err(Error::Invalid(_)), Ok(_)) => {}
                other => panic!("{other:?}"),
            }
            if let Ok(made) = made {
                keys.revoke(made.key.id, fixture.now).await.unwrap();
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_effect_of_a_change_counts_keys_that_are_not_revoked_and_those_used_lately() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let other = fixture
            .group(&scope, "Other", &["orders:read", "stock:read"])
            .await;
        for name in ["ERP", "CRM", "Old"] {
            issue(fixture, &scope, &group, name).await;
        }
        let revoked = issue(fixture, &scope, &group, "Gone").await;
        fixture
            .store
            .keys(&scope)
            .revoke(revoked.key.id, fixture.now)
            .await
            .unwrap();
        let used_at = fixture.now - TimeDelta::days(6);
        for (name, at) in [("erp", used_at), ("old", fixture.now - TimeDelta::days(8))] {
            fixture
                .execute(
                    "UPDATE api_keys SET last_used_at = $1 WHERE name_lower = $2",
                    [at.into(), name.into()],
                )
                .await
                .unwrap();
        }
        let groups = fixture.store.groups(&scope);
        let effect = groups.effect(group.id, fixture.now).await.unwrap();
        assert_eq!((effect.keys.active, effect.keys.used_lately), (3, 1));
        let names: Vec<_> = effect.named.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["CRM", "ERP", "Old"]);
        assert_eq!(
            effect.sentence(),
            "3 keys have this group; 1 of them was used in the last 7 days."
        );
        let page = groups
            .page_with_keys(&GroupQuery::default(), fixture.now)
            .await
            .unwrap();
        let counts: Vec<_> = page
            .items
            .iter()
            .map(|listed| (listed.group.id, listed.keys.active))
            .collect();
        assert_eq!(counts, [(group.id, 3), (other.id, 0)]);
        let known = groups.permissions_in_use().await.unwrap();
        let known: Vec<_> = known
            .iter()
            .map(|(permission, group)| (permission.as_str(), group.as_str()))
            .collect();
        assert_eq!(
            known,
            [("orders:read", "Ordering"), ("stock:read", "Other")]
        );
    })
    .await;
}

#[tokio::test]
async fn the_list_of_groups_is_searched_filtered_and_paged_in_both_directions() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let foreign = fixture.tenant("globex").await;
        fixture.group(&foreign, "Foreign", &["orders:read"]).await;
        for (name, permission) in [
            ("Billing", "invoices:read"),
            ("Ordering", "orders:read"),
            ("Returns", "orders:write"),
            ("Stock", "stock:read"),
        ] {
            fixture.group(&scope, name, &[permission]).await;
        }
        let groups = fixture.store.groups(&scope);
        let people = NewGroup {
            name: "People".to_owned(),
            kind: GroupType::User,
            permissions: permission_set(&[]),
        };
        groups.create(people, fixture.now).await.unwrap();
        let deleted = fixture.group(&scope, "Deleted", &["orders:read"]).await;
        groups.delete(deleted.id, None, fixture.now).await.unwrap();
        let names = async |query: &GroupQuery| {
            let page = groups.page_with_keys(query, fixture.now).await.unwrap();
            let names: Vec<_> = page
                .items
                .into_iter()
                .map(|listed| listed.group.name)
                .collect();
            (names, page.previous_cursor, page.next_cursor)
        };
        let two = |cursor| GroupQuery {
            limit: 2,
            cursor,
            ..GroupQuery::default()
        };
        let (first, none, next) = names(&two(None)).await;
        assert_eq!(
            (first, none),
            (vec!["Billing".into(), "Ordering".into()], None)
        );
        let (second, previous, next) = names(&two(next)).await;
        assert_eq!(second, ["People", "Returns"]);
        let (third, _, none) = names(&two(next)).await;
        assert_eq!((third, none), (vec!["Stock".into()], None));
        let (back, none, next) = names(&two(previous)).await;
        assert_eq!(
            (back, none),
            (vec!["Billing".into(), "Ordering".into()], None)
        );
        assert_eq!(names(&two(next)).await.0, ["People", "Returns"]);

        for (search, kind, found) in [
            ("ORDER", None, &["Ordering", "Returns"][..]),
            ("stock:", None, &["Stock"]),
            ("", Some(GroupType::User), &["People"]),
            ("e", Some(GroupType::User), &["People"]),
            ("orders", Some(GroupType::User), &[]),
            ("%", None, &[]),
            ("a\0", None, &[]),
        ] {
            let query = GroupQuery {
                search: search.to_owned(),
                kind,
                ..GroupQuery::default()
            };
            assert_eq!(names(&query).await.0, found, "{search} {kind:?}");
        }
        let later = fixture.now + TimeDelta::hours(1);
        let stock = groups.find("Stock").await.unwrap();
        groups
            .edit(stock.id, renamed("A stock"), None, later)
            .await
            .unwrap();
        let page = groups.page_with_keys(&two(None), later).await.unwrap();
        let changed: Vec<_> = page.items.iter().map(|listed| listed.changed_at).collect();
        assert_eq!(changed, [later, fixture.now]);
        let wrong = groups
            .page_with_keys(&two(Some("x".to_owned())), later)
            .await;
        assert!(matches!(wrong, Err(Error::InvalidCursor)), "{wrong:?}");
    })
    .await;
}
