//! Reading the audit log: pages in both directions, exports, the installation's log, receipts.

use chrono::TimeDelta;
use domain::{
    Error,
    audit::{AuditAction, AuditEntry, AuditQuery},
    store::audit::AuditLog,
};

use crate::{
    keys::new_key,
    test_store::{TestStore, on_every_database},
};

fn ids(entries: &[AuditEntry]) -> Vec<String> {
    let ids = entries.iter().map(|entry| entry.event.id.to_string());
    ids.collect()
}

/// Creates a tenant with 8 events: its own creation, a group and six keys.
async fn with_events(fixture: &TestStore, slug: &str) -> domain::store::TenantScope {
    let scope = fixture.tenant(slug).await;
    let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
    for number in 0..6 {
        let at = fixture.now + TimeDelta::seconds(number);
        let keys = fixture.store.keys(&scope);
        keys.create(new_key("ERP", &group), at)
            .await
            .expect("a key");
    }
    scope
}

#[tokio::test]
async fn the_log_pages_forwards_and_back_and_counts_its_entries() {
    on_every_database(async |fixture| {
        let scope = with_events(fixture, "acme").await;
        with_events(fixture, "globex").await;
        let log = fixture.store.audit(&scope);
        let all = log.page(&AuditQuery::default()).await.unwrap();
        assert_eq!((all.entries.len(), all.first), (8, Some(1)));
        assert_eq!((&all.next_cursor, &all.previous_cursor), (&None, &None));
        let all = ids(&all.entries);

        let mut query = AuditQuery {
            limit: 3,
            ..AuditQuery::default()
        };
        let (mut walked, mut firsts) = (Vec::new(), Vec::new());
        let last = loop {
            let page = log.page(&query).await.unwrap();
            walked.extend(ids(&page.entries));
            firsts.push(page.first);
            match &page.next_cursor {
                Some(next) => query.cursor = Some(next.clone()),
                None => break page,
            }
        };
        assert_eq!(
            (walked, firsts),
            (all.clone(), vec![Some(1), Some(4), Some(7)])
        );

        query.cursor = last.previous_cursor;
        let middle = log.page(&query).await.unwrap();
        assert_eq!(
            (ids(&middle.entries), middle.first),
            (all[3..6].to_vec(), Some(4))
        );
        query.cursor = middle.previous_cursor;
        let newest = log.page(&query).await.unwrap();
        assert_eq!(
            (ids(&newest.entries), newest.first),
            (all[..3].to_vec(), Some(1))
        );
        assert_eq!(newest.previous_cursor, None);
    })
    .await;
}

#[tokio::test]
async fn a_page_opens_at_an_event_and_another_tenants_event_is_not_found() {
    on_every_database(async |fixture| {
        let acme = with_events(fixture, "acme").await;
        let globex = with_events(fixture, "globex").await;
        let log = fixture.store.audit(&acme);
        let all = log.page(&AuditQuery::default()).await.unwrap().entries;
        let found = log.find(all[4].event.id).await.unwrap();
        assert_eq!(found, all[4]);
        let query = AuditQuery {
            cursor: Some(AuditLog::cursor_at(&found.event).unwrap()),
            limit: 2,
            ..AuditQuery::default()
        };
        let page = log.page(&query).await.unwrap();
        assert_eq!((ids(&page.entries), page.first), (ids(&all[4..6]), None));

        let foreign = fixture.store.audit(&globex).newest(1).await.unwrap()[0].clone();
        assert!(matches!(
            log.find(foreign.id).await,
            Err(Error::NotFound(_))
        ));
        // A cursor grants no access: it selects a place among the own tenant's events.
        let query = AuditQuery {
            cursor: Some(AuditLog::cursor_at(&foreign).unwrap()),
            limit: 100,
            ..AuditQuery::default()
        };
        let shown = log.page(&query).await.unwrap().entries;
        assert!(
            shown
                .iter()
                .all(|entry| entry.tenant_id == Some(acme.tenant().id))
        );
    })
    .await;
}

#[tokio::test]
async fn an_export_reads_every_event_once_in_steps() {
    on_every_database(async |fixture| {
        let scope = with_events(fixture, "acme").await;
        let log = fixture.store.audit(&scope);
        let query = AuditQuery {
            action: Some(AuditAction::ApiKeyCreated),
            limit: 1,
            ..AuditQuery::default()
        };
        let step = log.export_step(&query, None).await.unwrap();
        assert_eq!(step.len(), 6);
        let rest = log.export_step(&query, Some(&step[3].event)).await.unwrap();
        assert_eq!(ids(&rest), ids(&step[4..]));
        let last = &step[5].event;
        assert_eq!(log.export_step(&query, Some(last)).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_installation_log_has_the_events_without_tenant_and_the_changes_of_tenants() {
    on_every_database(async |fixture| {
        with_events(fixture, "acme").await;
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        let later = fixture.now + TimeDelta::hours(1);
        tenants.suspend("acme", later).await.unwrap();
        let user = domain::store::users::NewUser {
            email: "ops@latchkey.example".parse().unwrap(),
            name: None,
            role: domain::user::Role::SuperUser,
            tenant: None,
        };
        let users = fixture.store.users(&operator);
        users
            .create(
                user,
                "correct horse battery staple",
                later + TimeDelta::seconds(1),
            )
            .await
            .unwrap();
        let log = fixture.store.installation_log(&operator);
        let page = log.page(&AuditQuery::default()).await.unwrap();
        let actions: Vec<_> = page
            .entries
            .iter()
            .map(|entry| entry.event.action)
            .collect();
        assert_eq!(
            actions,
            [
                AuditAction::UserCreated,
                AuditAction::TenantSuspended,
                AuditAction::TenantCreated
            ]
        );
        let suspended = AuditQuery {
            action: Some(AuditAction::TenantSuspended),
            ..AuditQuery::default()
        };
        assert_eq!(log.page(&suspended).await.unwrap().entries.len(), 1);
    })
    .await;
}

/// The plan of a query as the database reports it, in lower case.
async fn plan(fixture: &TestStore, sql: &str) -> String {
    use sea_orm::{ConnectionTrait, Statement, TransactionTrait};
    // A transaction keeps to one connection, so the settings apply to the query.
    let connection = fixture.connection().await.begin().await.expect("a plan");
    let backend = connection.get_database_backend();
    let explain = match backend {
        sea_orm::DbBackend::Sqlite => format!("EXPLAIN QUERY PLAN {sql}"),
        _ => {
            connection
                .execute_unprepared(
                    "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off",
                )
                .await
                .expect("a plan");
            format!("EXPLAIN {sql}")
        }
    };
    let rows = connection
        .query_all_raw(Statement::from_string(backend, explain))
        .await
        .expect("a plan");
    let column = if backend == sea_orm::DbBackend::Sqlite {
        "detail"
    } else {
        "QUERY PLAN"
    };
    let lines: Vec<String> = rows
        .iter()
        .map(|row| row.try_get("", column).expect("a plan"))
        .collect();
    lines.join("\n").to_lowercase()
}

#[tokio::test]
async fn each_filter_of_the_log_is_found_by_an_index() {
    on_every_database(async |fixture| {
        let scope = with_events(fixture, "acme").await;
        let tenant = scope.tenant().id;
        let id = match fixture.sqlite_file() {
            Some(_) => format!("'{tenant}'"),
            None => format!("'{tenant}'::uuid"),
        };
        let order = "ORDER BY at DESC, id DESC LIMIT 26";
        for (filter, index) in [
            (format!("tenant_id = {id}"), "audit_events_at"),
            (
                format!("tenant_id = {id} AND action = 'api_key.revoked'"),
                "audit_events_action",
            ),
            (
                format!("tenant_id = {id} AND actor_id = {id}"),
                "audit_events_actor_id",
            ),
            (
                format!("tenant_id = {id} AND target_id = {id}"),
                "audit_events_target",
            ),
            (
                "(tenant_id IS NULL OR target_kind = 'tenant')".to_owned(),
                "audit_events_installation",
            ),
        ] {
            let sql = format!("SELECT * FROM audit_events WHERE {filter} {order}");
            let plan = plan(fixture, &sql).await;
            assert!(plan.contains(index), "{filter}: {plan}");
            assert!(
                !plan.contains("temp b-tree") && !plan.contains("sort key"),
                "{plan}"
            );
        }
    })
    .await;
}
