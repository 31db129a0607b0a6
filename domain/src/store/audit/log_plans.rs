//! Query plans of the audit log with 20,000 events: every combination of filters is found by an index, and only the events of several keys
//! are sorted.
//!
//! These are unit tests because they pass the module's private statements to the databases.

use chrono::TimeDelta;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, QueryFilter, QuerySelect, QueryTrait, Statement,
};
use uuid::Uuid;

use super::{conditions::older, log::AuditLog};
use crate::{
    audit::{AuditAction, AuditQuery, AuditedActor},
    id::KeyId,
    store::{
        TenantScope,
        query_plan::steps,
        test_store::{TestStore, on_every_database},
    },
};

const EVENTS: u32 = 20_000;
/// The numbers of keys and of actors in the events.
const KEYS: u32 = 10_000;
const ACTORS: u32 = 50;

/// The identifier of a key or an actor in the events.
fn identifier(number: u32) -> Uuid {
    Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_0000_0000_0000 + u128::from(number))
}

/// Inserts events of one tenant, one a minute before the fixture's time. Every fiftieth is of the command line; no actor has every action.
async fn insert_events(fixture: &TestStore, scope: &TenantScope, connection: &DatabaseConnection) {
    let backend = connection.get_database_backend();
    let id = |number: &str| match backend {
        DbBackend::Sqlite => format!("unhex(printf('01890a5dac96774bbcce%012x', {number}))"),
        _ => format!("('01890a5d-ac96-774b-bcce-' || lpad(to_hex({number}), 12, '0'))::uuid"),
    };
    let at = match backend {
        DbBackend::Sqlite => {
            "strftime('%Y-%m-%dT%H:%M:%S+00:00', $2, '-' || (20000 - n) || ' minutes')"
        }
        _ => "$2::timestamptz - make_interval(mins => 20000 - n)",
    };
    let (event, actor, key) = (
        id("100000 + n"),
        id(&format!("n % {ACTORS}")),
        id(&format!("n % {KEYS}")),
    );
    let sql = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {}) \
         INSERT INTO audit_events (id, tenant_id, at, action, actor_kind, actor_id, actor_name, target_kind, target_id, target_name, changes) \
         SELECT {event}, $1, {at}, \
         CASE n % 4 WHEN 0 THEN 'api_key.created' WHEN 1 THEN 'api_key.updated' WHEN 2 THEN 'api_key.rotated' ELSE 'api_key.revoked' END, \
         CASE n % {ACTORS} WHEN 49 THEN 'cli' ELSE 'user' END, CASE WHEN n % {ACTORS} <> 49 THEN {actor} END, \
         'Administrator', 'api_key', {key}, 'ERP', '{{}}' FROM numbers",
        EVENTS - 1
    );
    let values = [scope.tenant().id.as_uuid().into(), fixture.now.into()];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    connection.execute_raw(statement).await.expect("events");
    if backend == DbBackend::Postgres {
        let analysed = connection.execute_unprepared("VACUUM ANALYZE").await;
        analysed.expect("analysed");
    }
}

/// Every combination of no key, one key or several keys, action, actor, and dates.
fn combinations(fixture: &TestStore) -> Vec<AuditQuery> {
    let key = |number| KeyId::from(identifier(number));
    let user = AuditedActor::Id(identifier(0));
    let from = fixture.now - TimeDelta::hours(48);
    let mut all = Vec::new();
    for keys in [
        None,
        Some(vec![key(0)]),
        Some((0..25).map(key).collect::<Vec<_>>()),
    ] {
        for action in [None, Some(AuditAction::ApiKeyUpdated)] {
            for actor in [None, Some(user), Some(AuditedActor::Cli)] {
                for from in [None, Some(from)] {
                    all.push(AuditQuery {
                        action,
                        actor,
                        keys: keys.clone(),
                        from,
                        to: from.map(|from| from + TimeDelta::hours(24)),
                        ..AuditQuery::default()
                    });
                }
            }
        }
    }
    all
}

/// The index that finds the events of a query.
fn index_for(query: &AuditQuery) -> &'static str {
    match (&query.keys, query.actor, query.action) {
        (Some(_), ..) => "audit_events_target",
        (None, Some(AuditedActor::Id(_)), Some(_)) => "audit_events_actor_action",
        (None, Some(AuditedActor::Id(_)), None) => "audit_events_actor_id",
        (None, Some(AuditedActor::Cli), Some(_)) => "audit_events_cli_action",
        (None, Some(AuditedActor::Cli), None) => "audit_events_cli",
        (None, None, Some(_)) => "audit_events_action",
        (None, None, None) => "audit_events_at",
    }
}

#[tokio::test]
async fn every_combination_of_filters_of_the_audit_log_has_an_index() {
    on_every_database(async |fixture| {
        let connection = fixture.connection().await;
        let scope = fixture.tenant("acme").await;
        insert_events(fixture, &scope, &connection).await;
        let backend = connection.get_database_backend();
        let log = fixture.store.audit(&scope);
        let middle = fixture.now - TimeDelta::hours(36);
        for query in combinations(fixture) {
            let first = log.rows(&query);
            let after = log.rows(&query).filter(older(middle, identifier(0)));
            let before = log.rows_before(&query, middle, identifier(0));
            for (page, select) in [("first", first), ("after", after), ("before", before)] {
                let statement = select.limit(26).build(backend);
                let steps = steps(&connection, &statement).await;
                let index = index_for(&query);
                // The step's words after the index's name differ: SQLite appends the columns.
                let uses = |index: &str| {
                    (steps.iter()).any(|step| step.split(' ').any(|word| word == index))
                };
                // PostgreSQL, which estimates the number of events, may find those of keys by actor or action if these have fewer.
                let is_found = uses(index)
                    || (backend == DbBackend::Postgres
                        && query.keys.is_some()
                        && !uses("audit_events_at"));
                let reads_all = (steps.iter())
                    .any(|step| step.starts_with("SCAN") || step.contains("Seq Scan"));
                let sorts = (steps.iter())
                    .any(|step| step.contains("Sort") || step.contains("TEMP B-TREE"));
                let has_many_keys = query.keys.as_ref().is_some_and(|keys| keys.len() > 1);
                // It may also sort few events.
                let may_sort = has_many_keys
                    || (backend == DbBackend::Postgres
                        && (query.keys.is_some() || page != "first"));
                assert!(
                    is_found && !reads_all && (may_sort || !sorts),
                    "{page} page of {query:?}: {steps:#?}\n{}",
                    statement.sql
                );
            }
        }
        connection.close().await.expect("closed");
    })
    .await;
}

#[tokio::test]
async fn every_combination_of_filters_of_the_audit_log_selects_the_events_that_match_each_filter() {
    on_every_database(async |fixture| {
        let connection = fixture.connection().await;
        let scope = fixture.tenant("acme").await;
        insert_events(fixture, &scope, &connection).await;
        let log = fixture.store.audit(&scope);
        let newest = AuditQuery {
            limit: crate::page::MAX_LIMIT,
            ..AuditQuery::default()
        };
        let mut seen = 0;
        for query in combinations(fixture) {
            let query = AuditQuery {
                limit: newest.limit,
                ..query
            };
            let events = log.list(&query).await.expect("a page").items;
            seen += events.len();
            assert!(events.is_sorted_by_key(|event| std::cmp::Reverse((event.at, event.id))));
            for event in events {
                let is_cli = event.actor.kind == crate::actor::ActorKind::Cli;
                let has_actor = match query.actor {
                    Some(AuditedActor::Id(id)) => event.actor.id == Some(id),
                    Some(AuditedActor::Cli) => is_cli && event.actor.id.is_none(),
                    None => true,
                };
                let has_key = query.keys.as_ref().is_none_or(|keys| {
                    keys.iter()
                        .any(|key| event.target.id == Some(key.as_uuid()))
                });
                let has_action = query.action.is_none_or(|action| event.action == action);
                let is_in_time = query.from.is_none_or(|from| event.at >= from)
                    && query.to.is_none_or(|to| event.at < to);
                assert!(
                    has_actor && has_key && has_action && is_in_time,
                    "{query:?}: {event:?}"
                );
            }
        }
        assert!(seen > 500, "{seen}");
        connection.close().await.expect("closed");
    })
    .await;
}

#[tokio::test]
async fn the_installation_log_finds_an_action_by_an_index() {
    on_every_database(async |fixture| {
        let connection = fixture.connection().await;
        let operator = fixture.store.as_cli();
        let backend = connection.get_database_backend();
        connection
            .execute_unprepared(if backend == DbBackend::Postgres {
                "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off"
            } else {
                "SELECT 1"
            })
            .await
            .expect("set");
        let query = AuditQuery {
            action: Some(AuditAction::TenantSuspended),
            ..AuditQuery::default()
        };
        let log: AuditLog<'_> = fixture.store.installation_log(&operator);
        let statement = log.rows(&query).limit(26).build(backend);
        let steps = steps(&connection, &statement).await;
        assert!(
            steps.len() <= 2
                && steps
                    .iter()
                    .any(|step| step.contains("audit_events_installation_action")),
            "{steps:#?}"
        );
        connection.close().await.expect("closed");
    })
    .await;
}
