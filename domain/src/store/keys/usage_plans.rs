//! Query plans for 90 days of usage of many keys: the page of a key and the list find usage by the primary key of its table.
//!
//! These are unit tests because they pass the module's private statements to the databases.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryTrait, Statement};
use serde_json::Value;

use super::key_usage::{first_day, refusal_addresses_since, refusals_since, uses_since};
use crate::{
    id::KeyId,
    key::today,
    store::{
        TenantScope,
        test_store::{TestStore, on_every_database},
    },
};

/// Number of keys with usage, large enough for PostgreSQL to prefer an index to a table scan.
const KEYS: u32 = 300;

/// Inserts 90 days of usage for `KEYS` keys: accepted requests from 3 addresses a day, and refused ones with one code from one of these.
async fn insert_usage(fixture: &TestStore, scope: &TenantScope, connection: &DatabaseConnection) {
    let group = fixture.group(scope, "Ordering", &["orders:read"]).await;
    let numbers = "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 299)";
    let days = "days (d) AS (SELECT 0 UNION ALL SELECT d + 1 FROM days WHERE d < 89)";
    let (digest, id, day) = match connection.get_database_backend() {
        DbBackend::Sqlite => (
            "randomblob(32)",
            // The binary form in which the application stores identifiers.
            "unhex(printf('01890a5dac96774bbcce%012x', n))",
            "date('2026-03-02', '-' || d || ' days')",
        ),
        _ => (
            "sha256(n::text::bytea)",
            "('01890a5d-ac96-774b-bcce-' || lpad(to_hex(n), 12, '0'))::uuid",
            "date '2026-03-02' - d",
        ),
    };
    let backend = connection.get_database_backend();
    let keys = format!(
        "{numbers} INSERT INTO api_keys (id, tenant_id, group_id, group_name_lower, name, name_lower, \
         description, description_lower, hint, secret_digest, ip_allowlist, created_by_kind, \
         created_by_name, created_at, updated_at, version) \
         SELECT {id}, $1, $2, 'ordering', 'ERP', 'erp', '', '', 'lk_…aaaa', {digest}, '', 'cli', \
         'latchkey', $3, $3, 1 FROM numbers"
    );
    let values = [
        scope.tenant().id.as_uuid().into(),
        group.id.as_uuid().into(),
        fixture.now.into(),
    ];
    connection
        .execute_raw(Statement::from_sql_and_values(backend, keys, values))
        .await
        .expect("keys");
    for (table, columns, rest) in [
        (
            "address_uses",
            "key_id, day, address, count",
            "address, 7 FROM numbers, days, \
             (SELECT '192.0.2.7' AS address UNION SELECT '192.0.2.8' UNION SELECT 'other') AS addresses",
        ),
        (
            "refusals",
            "key_id, day, code, count",
            "'expired_api_key', 3 FROM numbers, days",
        ),
        (
            "refusal_addresses",
            "key_id, day, address, code, count, last_at",
            "'192.0.2.7', 'expired_api_key', 3, $1 FROM numbers, days",
        ),
    ] {
        let sql =
            format!("{numbers}, {days} INSERT INTO {table} ({columns}) SELECT {id}, {day}, {rest}");
        let values = if sql.contains("$1") {
            vec![fixture.now.into()]
        } else {
            Vec::new()
        };
        connection
            .execute_raw(Statement::from_sql_and_values(backend, sql, values))
            .await
            .expect("usage");
    }
    if backend == DbBackend::Postgres {
        let analysed = connection.execute_unprepared("VACUUM ANALYZE").await;
        analysed.expect("analysed");
    }
}

async fn explain(
    connection: &DatabaseConnection,
    words: &str,
    statement: &Statement,
) -> Vec<sea_orm::QueryResult> {
    let values = statement
        .values
        .clone()
        .map_or_else(Vec::new, |values| values.0);
    let sql = format!("{words} {}", statement.sql);
    let backend = connection.get_database_backend();
    connection
        .query_all_raw(Statement::from_sql_and_values(backend, sql, values))
        .await
        .expect("a plan")
}

fn has_scan(node: &Value) -> bool {
    let inner = node["Plans"].as_array().map_or(&[][..], Vec::as_slice);
    // Excludes the keys, which are few here; `list_with_100k_keys.rs` tests their plans.
    let is_scan = node["Node Type"] == "Seq Scan" && node["Relation Name"] != "api_keys";
    is_scan || inner.iter().any(has_scan)
}

async fn assert_uses_indexes(connection: &DatabaseConnection, statement: &Statement) {
    match connection.get_database_backend() {
        DbBackend::Sqlite => {
            let rows = explain(connection, "EXPLAIN QUERY PLAN", statement).await;
            let plan: Vec<String> = (rows.iter())
                .map(|row| row.try_get("", "detail").expect("a step"))
                .collect();
            let scans = plan.iter().any(|step| step.starts_with("SCAN"));
            let searches = (plan.iter())
                .filter(|step| step.starts_with("SEARCH") && step.contains("key_id=? AND day>?"));
            assert!(
                !scans && searches.count() == 1,
                "{plan:#?}\n{}",
                statement.sql
            );
        }
        _ => {
            let rows = explain(connection, "EXPLAIN (FORMAT JSON)", statement).await;
            let plan: Value = rows[0].try_get_by_index(0).expect("a plan");
            assert!(!has_scan(&plan[0]["Plan"]), "{plan:#}\n{}", statement.sql);
        }
    }
}

#[tokio::test]
async fn usage_of_a_key_and_of_a_page_is_found_by_index() {
    on_every_database(async |fixture| {
        let connection = fixture.connection().await;
        let scope = fixture.tenant("acme").await;
        insert_usage(fixture, &scope, &connection).await;
        let backend = connection.get_database_backend();
        let id = |number: u32| -> KeyId {
            let id = format!("01890a5d-ac96-774b-bcce-{number:012x}");
            id.parse().expect("an identifier")
        };
        let keys = fixture.store.keys(&scope);
        let page: Vec<KeyId> = (0..25).map(|number| id(number * 11)).collect();
        for days in [7, 30, 90] {
            let first = first_day(today(fixture.now), days);
            for statement in [
                uses_since(id(7), first).build(backend),
                refusals_since(id(7), first).build(backend),
                refusal_addresses_since(id(7), first).build(backend),
            ] {
                assert_uses_indexes(&connection, &statement).await;
            }
        }
        let first = first_day(today(fixture.now), 30);
        let statement = keys.accepted_by_day(&page, first).build(backend);
        assert_uses_indexes(&connection, &statement).await;

        // Checks that the statements find the inserted usage.
        let usage = keys.key_usage(id(7), 90, fixture.now).await.expect("usage");
        assert!(
            usage
                .days
                .iter()
                .all(|day| day.accepted == 21 && day.refused_total() == 3)
        );
        let sparklines = keys.sparklines(&page, fixture.now).await.expect("them");
        assert!(sparklines.iter().all(|line| line.accepted == [21; 30]));
        let reasons = keys.refusal_reasons(id(KEYS - 1), fixture.now).await;
        assert_eq!(reasons.expect("reasons")[0].count, 21);
        connection.close().await.expect("closed");
    })
    .await;
}
