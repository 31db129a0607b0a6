//! Tenants: creation, changes, refusals and their audit events.

use chrono::TimeDelta;
use domain::{
    Error, FieldError,
    actor::ActorKind,
    audit::AuditAction,
    store::tenants::{NewTenant, TenantQuery},
    tenant::{KeyQuota, MAX_KEY_LIMIT},
};
use serde_json::json;

use crate::test_store::on_every_database;

fn named(name: &str) -> NewTenant {
    NewTenant {
        name: name.to_owned(),
        slug: None,
        key_limit: None,
    }
}

#[tokio::test]
async fn a_new_tenant_derives_its_slug_and_takes_the_default_limit() {
    on_every_database(async |fixture| {
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        let made = tenants
            .create(named("  Acme Logistics "), fixture.now)
            .await
            .unwrap();
        assert_eq!(made.slug.as_str(), "acme-logistics");
        assert_eq!(made.name, "Acme Logistics");
        assert_eq!(made.key_limit, 10);
        assert_eq!(made.suspended_at, None);
        assert_eq!(made.created_at, fixture.now);
        assert_eq!(tenants.find("acme-logistics").await.unwrap(), made);

        let scope = tenants.scope("acme-logistics").await.unwrap();
        let events = fixture.store.audit(&scope).newest(10).await.unwrap();
        assert_eq!(events.len(), 1);
        let event = &events[0];
        assert_eq!(event.action, AuditAction::TenantCreated);
        assert_eq!(event.at, fixture.now);
        assert_eq!(event.actor.kind, ActorKind::Cli);
        assert_eq!(event.target.kind, "tenant");
        assert_eq!(event.target.id, Some(made.id.as_uuid()));
        assert_eq!(event.target.name, "Acme Logistics");
        assert_eq!(event.client_ip, None);
        assert_eq!(
            event.changes,
            json!({
                "name": { "before": null, "after": "Acme Logistics" },
                "slug": { "before": null, "after": "acme-logistics" },
                "key_limit": { "before": null, "after": 10 },
            })
        );
    })
    .await;
}

#[tokio::test]
async fn times_are_stored_to_the_microsecond() {
    on_every_database(async |fixture| {
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        let now = fixture.now + TimeDelta::nanoseconds(123_456_789);
        let made = tenants.create(named("Acme"), now).await.unwrap();
        assert_eq!(
            made.created_at,
            fixture.now + TimeDelta::microseconds(123_456)
        );
        assert_eq!(tenants.find("acme").await.unwrap(), made);
    })
    .await;
}

#[tokio::test]
async fn slugs_are_unique() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let operator = fixture.store.as_cli();
        let refused = fixture
            .store
            .tenants(&operator)
            .create(named("ACME"), fixture.now)
            .await
            .unwrap_err();
        assert!(
            matches!(&refused, Error::AlreadyExists { what: "tenant", name } if name == "acme"),
            "{refused:?}"
        );
        let events = fixture.store.audit(&scope).newest(10).await.unwrap();
        assert_eq!(events.len(), 1, "a refused request leaves no event");
    })
    .await;
}

#[tokio::test]
async fn an_invalid_tenant_reports_every_error_at_once() {
    on_every_database(async |fixture| {
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        let mut new = named("");
        new.key_limit = Some(MAX_KEY_LIMIT + 1);
        let Err(Error::Invalid(errors)) = tenants.create(new, fixture.now).await else {
            panic!("accepted")
        };
        assert_eq!(
            errors,
            [
                FieldError::new("name", "Must be 1–200 characters"),
                FieldError::new("key_limit", "Must be at most 1000000"),
            ]
        );
        let Err(Error::Invalid(errors)) = tenants.create(named("株式会社"), fixture.now).await
        else {
            panic!("accepted")
        };
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].field, "slug");
        assert_eq!(tenants.list().await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_key_limit_can_be_changed_and_an_equal_value_changes_nothing() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        let later = fixture.now + TimeDelta::hours(1);
        for _ in 0..2 {
            let changed = tenants.set_limit("acme", 0, later).await.unwrap();
            assert_eq!(changed.value.key_limit, 0);
        }
        let events = fixture.store.audit(&scope).newest(10).await.unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(events[0].action, AuditAction::TenantLimitChanged);
        assert_eq!(events[0].at, later);
        assert_eq!(
            events[0].changes,
            json!({ "key_limit": { "before": 10, "after": 0 } })
        );

        let refused = tenants.set_limit("acme", MAX_KEY_LIMIT + 1, later).await;
        assert!(matches!(refused, Err(Error::Invalid(errors)) if errors[0].field == "key_limit"));
        assert_eq!(tenants.find("acme").await.unwrap().key_limit, 0);
    })
    .await;
}

#[tokio::test]
async fn suspending_and_resuming_are_idempotent() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        let first = fixture.now + TimeDelta::hours(1);
        for hours in [1, 2] {
            let now = fixture.now + TimeDelta::hours(hours);
            let suspended = tenants.suspend("acme", now).await.unwrap();
            assert_eq!(suspended.value.suspended_at, Some(first));
        }
        for hours in [3, 4] {
            let now = fixture.now + TimeDelta::hours(hours);
            let resumed = tenants.resume("acme", now).await.unwrap();
            assert_eq!(resumed.value.suspended_at, None);
        }
        let actions: Vec<_> = fixture
            .store
            .audit(&scope)
            .newest(10)
            .await
            .unwrap()
            .into_iter()
            .map(|event| event.action)
            .collect();
        assert_eq!(
            actions,
            [
                AuditAction::TenantResumed,
                AuditAction::TenantSuspended,
                AuditAction::TenantCreated,
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn an_unknown_tenant_is_not_found() {
    on_every_database(async |fixture| {
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        for result in [
            tenants.find("acme").await.err(),
            tenants.scope("acme").await.err(),
            tenants.set_limit("acme", 1, fixture.now).await.err(),
            tenants.suspend("acme", fixture.now).await.err(),
            tenants.resume("acme", fixture.now).await.err(),
        ] {
            assert!(
                matches!(result, Some(Error::NotFound("tenant"))),
                "{result:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn tenants_are_listed_by_name_with_the_number_of_unrevoked_keys() {
    on_every_database(async |fixture| {
        fixture.tenant("zeta").await;
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        fixture.insert_key(&scope, group.id, 1, None).await.unwrap();
        fixture.insert_key(&scope, group.id, 2, None).await.unwrap();
        fixture
            .insert_key(&scope, group.id, 3, Some(fixture.now))
            .await
            .unwrap();

        let operator = fixture.store.as_cli();
        let listed: Vec<_> = fixture
            .store
            .tenants(&operator)
            .list()
            .await
            .unwrap()
            .into_iter()
            .map(|(tenant, usage)| (tenant.slug.to_string(), usage))
            .collect();
        assert_eq!(
            listed,
            [
                ("acme".to_owned(), KeyQuota { used: 2, limit: 10 }),
                ("zeta".to_owned(), KeyQuota { used: 0, limit: 10 }),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn the_list_of_tenants_is_searched_and_paged() {
    on_every_database(async |fixture| {
        for slug in ["acme", "acme-two", "globex", "initech", "umbrella"] {
            fixture.tenant(slug).await;
        }
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        let mut query = TenantQuery {
            limit: 2,
            ..TenantQuery::default()
        };
        let all = ["acme", "acme-two", "globex", "initech", "umbrella"];
        let (mut walked, mut back) = (Vec::new(), Vec::new());
        let mut way_back = None;
        loop {
            let page = tenants.page(&query).await.unwrap();
            assert_eq!(page.previous_cursor.is_none(), walked.is_empty());
            walked.extend(
                page.items
                    .into_iter()
                    .map(|(tenant, _)| tenant.slug.to_string()),
            );
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                way_back = page.previous_cursor.or(way_back);
                break;
            }
        }
        assert_eq!(walked, all);
        while let Some(cursor) = way_back {
            query.cursor = Some(cursor);
            let page = tenants.page(&query).await.unwrap();
            assert!(page.next_cursor.is_some());
            back.splice(
                0..0,
                page.items
                    .into_iter()
                    .map(|(tenant, _)| tenant.slug.to_string()),
            );
            way_back = page.previous_cursor;
        }
        assert_eq!(back, all[..4]);
        query.cursor = Some("x".to_owned());
        let wrong = tenants.page(&query).await;
        assert!(matches!(wrong, Err(Error::InvalidCursor)), "{wrong:?}");
        let search = |text: &str| TenantQuery {
            search: text.to_owned(),
            ..TenantQuery::default()
        };
        for (text, found) in [("ACME", 2), ("bre", 1), ("%", 0), ("a\0", 0), ("", 5)] {
            let page = tenants.page(&search(text)).await.unwrap();
            assert_eq!(page.items.len(), found, "{text}");
        }
        let unknown = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let ids = [
            tenants.find("umbrella").await.unwrap().id,
            unknown,
            tenants.find("acme").await.unwrap().id,
        ];
        let found = tenants.by_ids(&ids).await.unwrap();
        let names: Vec<_> = found.iter().map(|tenant| tenant.slug.as_str()).collect();
        assert_eq!(names, ["umbrella", "acme"]);
    })
    .await;
}
