//! Authorization groups: unique names in a tenant, not visible outside it.

use chrono::TimeDelta;
use domain::{Error, audit::AuditAction, group::GroupType, store::groups::NewGroup};
use serde_json::json;

use crate::test_store::{on_every_database, permission_set};

fn named(name: &str, kind: GroupType) -> NewGroup {
    NewGroup {
        name: name.to_owned(),
        kind,
        permissions: permission_set(&["orders:read", "invoices:read"]),
    }
}

#[tokio::test]
async fn a_group_is_found_by_name_and_by_identifier() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let groups = fixture.store.groups(&scope);
        let made = groups
            .create(named(" Ordering ", GroupType::TenantApiKey), fixture.now)
            .await
            .unwrap();
        assert_eq!(made.name, "Ordering");
        assert_eq!(groups.find("Ordering").await.unwrap(), made);
        assert_eq!(groups.find(&made.id.to_string()).await.unwrap(), made);
        assert!(matches!(
            groups.find("ordering").await,
            Err(Error::NotFound("authorization group"))
        ));

        let event = &fixture.store.audit(&scope).newest(1).await.unwrap()[0];
        assert_eq!(event.action, AuditAction::GroupCreated);
        assert_eq!(event.target.kind, "authorization_group");
        assert_eq!(event.target.id, Some(made.id.as_uuid()));
        assert_eq!(
            event.changes,
            json!({
                "name": { "before": null, "after": "Ordering" },
                "type": { "before": null, "after": "tenant_api_key" },
                "permissions": { "before": null, "after": ["invoices:read", "orders:read"] },
            })
        );
    })
    .await;
}

#[tokio::test]
async fn a_group_name_that_looks_like_an_identifier_is_found_as_a_name() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let name = "0190b1a0-0000-7000-8000-000000000001";
        let made = fixture.group(&scope, name, &[]).await;
        let found = fixture.store.groups(&scope).find(name).await.unwrap();
        assert_eq!(found, made);
    })
    .await;
}

#[tokio::test]
async fn groups_are_listed_by_name_and_keys_are_offered_only_their_group_type() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let groups = fixture.store.groups(&scope);
        for (name, kind) in [
            ("ordering", GroupType::TenantApiKey),
            ("Auditors", GroupType::User),
            ("Billing", GroupType::TenantApiKey),
        ] {
            groups.create(named(name, kind), fixture.now).await.unwrap();
        }
        let names = |groups: Vec<domain::group::AuthorizationGroup>| {
            groups
                .into_iter()
                .map(|group| group.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(groups.list().await.unwrap()),
            ["Auditors", "Billing", "ordering"]
        );
        assert_eq!(
            names(groups.list_for_keys().await.unwrap()),
            ["Billing", "ordering"]
        );
    })
    .await;
}

#[tokio::test]
async fn group_names_are_unique_in_each_tenant() {
    on_every_database(async |fixture| {
        let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
        fixture.group(&acme, "Ordering", &[]).await;
        fixture.group(&globex, "Ordering", &[]).await;
        let refused = fixture
            .store
            .groups(&acme)
            .create(named("Ordering", GroupType::User), fixture.now)
            .await
            .unwrap_err();
        assert!(
            matches!(&refused, Error::AlreadyExists { what: "authorization group", name } if name == "Ordering"),
            "{refused:?}"
        );
        let refused = fixture
            .store
            .groups(&acme)
            .create(named("\u{202E}", GroupType::User), fixture.now)
            .await;
        assert!(matches!(refused, Err(Error::Invalid(errors)) if errors[0].field == "name"));
        assert_eq!(fixture.store.groups(&acme).list().await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn setting_permissions_replaces_them_and_equal_ones_change_nothing() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let groups = fixture.store.groups(&scope);
        let made = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let later = fixture.now + TimeDelta::hours(1);
        let wanted = permission_set(&["orders:write"]);
        for name_or_id in ["Ordering".to_owned(), made.id.to_string()] {
            let changed = groups
                .set_permissions(&name_or_id, wanted.clone(), later)
                .await
                .unwrap();
            assert_eq!(changed.value.id, made.id);
            assert_eq!(changed.value.permissions, wanted);
        }
        assert_eq!(groups.find("Ordering").await.unwrap().permissions, wanted);

        let events = fixture.store.audit(&scope).newest(10).await.unwrap();
        assert_eq!(events.len(), 3, "tenant, group, one change");
        assert_eq!(events[0].action, AuditAction::GroupPermissionsChanged);
        assert_eq!(
            events[0].changes,
            json!({ "permissions": { "before": ["orders:read"], "after": ["orders:write"] } })
        );
    })
    .await;
}

#[tokio::test]
async fn a_group_of_another_tenant_is_not_found() {
    on_every_database(async |fixture| {
        let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
        let group = fixture.group(&acme, "Ordering", &["orders:read"]).await;
        let groups = fixture.store.groups(&globex);
        for name_or_id in ["Ordering".to_owned(), group.id.to_string()] {
            assert!(matches!(
                groups.find(&name_or_id).await,
                Err(Error::NotFound("authorization group"))
            ));
            assert!(matches!(
                groups
                    .set_permissions(&name_or_id, permission_set(&[]), fixture.now)
                    .await,
                Err(Error::NotFound("authorization group"))
            ));
        }
        assert_eq!(groups.list().await.unwrap(), []);
        assert_eq!(groups.list_for_keys().await.unwrap(), []);
        let untouched = fixture.store.groups(&acme).find("Ordering").await.unwrap();
        assert_eq!(untouched, group);
    })
    .await;
}

#[tokio::test]
async fn groups_are_paged_by_name() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let other = fixture.tenant("globex").await;
        fixture.group(&other, "Amber", &[]).await;
        for name in ["beta", "Alpha", "Älpler", "alpha", "Beta"] {
            fixture.group(&scope, name, &["orders:read"]).await;
        }
        let groups = fixture.store.groups(&scope);
        for limit in 1..=6 {
            let mut walked = Vec::new();
            let mut cursor = None;
            loop {
                let page = groups.page(limit, cursor.as_deref()).await.unwrap();
                walked.extend(page.items.into_iter().map(|group| group.name));
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(walked, ["Alpha", "Beta", "alpha", "beta", "Älpler"]);
        }
        let refused = groups.page(5, Some("x")).await;
        assert!(matches!(refused, Err(Error::InvalidCursor)));
    })
    .await;
}
