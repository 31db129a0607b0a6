//! Query plans of the list of tenants with 5,000 of them: a page comes from the index of names, in its order and without a sort.
//!
//! These are unit tests because they pass the module's private statements to the databases.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QuerySelect, QueryTrait, Statement,
};
use std::time::Instant;

use super::page::{Position, TenantQuery, rows, used_keys};
use crate::store::{
    entity::tenant,
    query_plan::steps,
    test_store::{TestStore, on_every_database},
};

const TENANTS: u32 = 5_000;

async fn insert_tenants(fixture: &TestStore, connection: &DatabaseConnection) {
    let backend = connection.get_database_backend();
    let id = match backend {
        DbBackend::Sqlite => "unhex(printf('01890a5dac96774bbcce%012x', n))",
        _ => "('01890a5d-ac96-774b-bcce-' || lpad(to_hex(n), 12, '0'))::uuid",
    };
    // Two tenants have the same name each.
    let sql = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {}) \
         INSERT INTO tenants (id, slug, name, name_lower, key_limit, created_at, updated_at, version) \
         SELECT {id}, 'customer-' || n, 'Customer ' || (10000 + n / 2), 'customer ' || (10000 + n / 2), 10, $1, $1, 1 \
         FROM numbers",
        TENANTS - 1
    );
    let values = [fixture.now.into()];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    connection.execute_raw(statement).await.expect("tenants");
    if backend == DbBackend::Postgres {
        let analysed = connection.execute_unprepared("VACUUM ANALYZE").await;
        analysed.expect("analysed");
    }
}

#[tokio::test]
async fn a_page_of_5000_tenants_comes_from_the_index_of_names() {
    on_every_database(async |fixture| {
        let connection = fixture.connection().await;
        insert_tenants(fixture, &connection).await;
        let backend = connection.get_database_backend();
        let middle = |is_before| Position {
            tenant: "customer 11250".to_owned(),
            slug: "customer-2500".to_owned(),
            is_before,
        };
        for position in [None, Some(middle(false)), Some(middle(true))] {
            for search in ["", "customer 1234", "nowhere"] {
                let select = rows(backend, search, position.as_ref()).limit(26);
                let steps = steps(&connection, &select.build(backend)).await;
                let by_name = steps.iter().filter(|step| step.contains("tenants_by_name"));
                let sorts = steps
                    .iter()
                    .any(|step| step.contains("Sort") || step.contains("TEMP B-TREE"));
                // A search of PostgreSQL may read the whole table and sort the few rows that it found.
                let is_search = backend == DbBackend::Postgres && !search.is_empty();
                assert!(
                    is_search || (by_name.count() == 1 && !sorts),
                    "{search}: {steps:#?}"
                );
            }
        }
        let ids = (tenant::Entity::find()
            .limit(25)
            .all(&connection)
            .await
            .expect("tenants"))
        .into_iter()
        .map(|row| row.id);
        let steps = steps(&connection, &used_keys(ids).build(backend)).await;
        let scans = steps
            .iter()
            .any(|step| step.starts_with("SCAN") || step.starts_with("Seq Scan"));
        // The table has a row for each tenant with keys: here none, which PostgreSQL reads as a whole.
        assert!(!scans || backend == DbBackend::Postgres, "{steps:#?}");

        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        let mut query = TenantQuery::default();
        let (mut seen, mut slowest) = (0, std::time::Duration::ZERO);
        loop {
            let started = Instant::now();
            let page = tenants.page(&query).await.expect("a page");
            slowest = slowest.max(started.elapsed());
            seen += page.items.len();
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                break;
            }
        }
        eprintln!(
            "{backend:?}: slowest of {} pages {slowest:.2?}",
            seen.div_ceil(25)
        );
        assert_eq!(seen, TENANTS as usize);
        for search in ["customer 12499", "customer-4999", "nowhere"] {
            let query = TenantQuery {
                search: search.to_owned(),
                ..TenantQuery::default()
            };
            let started = Instant::now();
            let page = tenants.page(&query).await.expect("a page");
            eprintln!("{backend:?}: search {search:?} {:.2?}", started.elapsed());
            assert!(page.items.len() <= 2);
        }
        connection.close().await.expect("closed");
    })
    .await;
}
