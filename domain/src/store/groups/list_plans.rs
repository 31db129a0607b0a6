//! Query plans of the list of groups with 5,000 of them: a page comes from the index of names, in its order and without a sort.
//!
//! These are unit tests because they pass the module's private statements to the databases.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QuerySelect, QueryTrait, Statement};

use super::list::{GroupQuery, Position, rows};
use crate::{
    group::GroupType,
    store::{
        TenantScope,
        query_plan::steps,
        test_store::{TestStore, on_every_database},
    },
};

const GROUPS: u32 = 5_000;

async fn insert_groups(fixture: &TestStore, scope: &TenantScope, connection: &DatabaseConnection) {
    let backend = connection.get_database_backend();
    let id = match backend {
        DbBackend::Sqlite => "unhex(printf('01890a5dac96774bbcce%012x', n))",
        _ => "('01890a5d-ac96-774b-bcce-' || lpad(to_hex(n), 12, '0'))::uuid",
    };
    let sql = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {}) \
         INSERT INTO authorization_groups (id, tenant_id, name, kind, permissions, created_at, updated_at, version) \
         SELECT {id}, $1, 'Group ' || (10000 + n), 'tenant_api_key', '[\"orders:read\"]', $2, $2, 1 FROM numbers",
        GROUPS - 1
    );
    let values = [scope.tenant().id.as_uuid().into(), fixture.now.into()];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    connection.execute_raw(statement).await.expect("groups");
    if backend == DbBackend::Postgres {
        let analysed = connection.execute_unprepared("VACUUM ANALYZE").await;
        analysed.expect("analysed");
    }
}

#[tokio::test]
async fn a_page_of_5000_groups_comes_from_the_index_of_names() {
    on_every_database(async |fixture| {
        let connection = fixture.connection().await;
        let scope = fixture.tenant("acme").await;
        insert_groups(fixture, &scope, &connection).await;
        let backend = connection.get_database_backend();
        let middle = |is_before| Position {
            name: "Group 12500".to_owned(),
            is_before,
        };
        for position in [None, Some(middle(false)), Some(middle(true))] {
            for (search, kind) in [
                ("", None),
                ("", Some(GroupType::TenantApiKey)),
                ("group 1234", None),
            ] {
                let tenant = scope.tenant().id;
                let select = rows(backend, tenant, search, kind, position.as_ref()).limit(26);
                let steps = steps(&connection, &select.build(backend)).await;
                let by_name = (steps.iter())
                    .filter(|step| step.contains("authorization_groups_name"))
                    .count();
                let sorts = (steps.iter())
                    .any(|step| step.contains("Sort") || step.contains("TEMP B-TREE"));
                // A search of PostgreSQL may read the whole table and sort the few rows that it found.
                let is_search = backend == DbBackend::Postgres && !search.is_empty();
                assert!(
                    is_search || (by_name == 1 && !sorts),
                    "{search}: {steps:#?}"
                );
            }
        }
        let groups = fixture.store.groups(&scope);
        let mut query = GroupQuery {
            search: "GROUP 12".to_owned(),
            limit: 100,
            ..GroupQuery::default()
        };
        let mut seen = 0;
        loop {
            let page = groups.page_with_keys(&query, fixture.now).await;
            let page = page.expect("a page");
            seen += page.items.len();
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, 1_000);
        connection.close().await.expect("closed");
    })
    .await;
}
