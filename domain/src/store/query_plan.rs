//! Reads the plan of a statement, for tests that assert its indexes.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::Value;

/// The steps of the plan of a statement: those of SQLite in its words; of PostgreSQL the type and index of each node.
pub(in crate::store) async fn steps(
    connection: &DatabaseConnection,
    statement: &Statement,
) -> Vec<String> {
    let values = statement
        .values
        .clone()
        .map_or_else(Vec::new, |values| values.0);
    let backend = connection.get_database_backend();
    let explain = match backend {
        DbBackend::Sqlite => "EXPLAIN QUERY PLAN",
        _ => "EXPLAIN (FORMAT JSON)",
    };
    let sql = format!("{explain} {}", statement.sql);
    let found = connection
        .query_all_raw(Statement::from_sql_and_values(backend, sql, values))
        .await
        .expect("a plan");
    if backend == DbBackend::Sqlite {
        let steps = found.iter().map(|row| row.try_get("", "detail"));
        return steps.map(|step| step.expect("a step")).collect();
    }
    let tree: Value = found[0].try_get_by_index(0).expect("a plan");
    let mut steps = Vec::new();
    collect(&tree[0]["Plan"], &mut steps);
    steps
}

fn collect(node: &Value, steps: &mut Vec<String>) {
    let text = |name: &str| node[name].as_str().unwrap_or_default();
    steps.push(format!("{} {}", text("Node Type"), text("Index Name")));
    for inner in node["Plans"].as_array().map_or(&[][..], Vec::as_slice) {
        collect(inner, steps);
    }
}
