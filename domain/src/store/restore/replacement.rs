//! Replaces the whole content of the database by that of the backup, in one transaction.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};

use crate::{
    Error,
    store::{
        backup::{count, mark},
        error::damaged,
    },
};

/// A table, index, trigger or view.
#[derive(FromQueryResult)]
struct Part {
    kind: String,
    name: String,
    sql: String,
}

impl Part {
    fn quoted(&self) -> String {
        format!("\"{}\"", self.name.replace('"', "\"\""))
    }
}

/// Replaces the schema `main` by the schema `restored`, except for the mark of a backup. The connection must not enforce foreign keys.
pub(super) async fn replace(transaction: &impl ConnectionTrait) -> Result<(), Error> {
    let run = async |sql: String| transaction.execute_unprepared(&sql).await;
    let old = parts(transaction, "main").await?;
    // Triggers and views first, because they refer to tables. An index is dropped with its table.
    for kind in ["trigger", "view", "table"] {
        for part in old.iter().filter(|part| part.kind == kind) {
            run(format!("DROP {kind} main.{}", part.quoted())).await?;
        }
    }
    let mut new = parts(transaction, "restored").await?;
    new.retain(|part| part.name != mark::TABLE);
    for table in new.iter().filter(|part| part.kind == "table") {
        run(table.sql.clone()).await?;
        let name = table.quoted();
        run(format!(
            "INSERT INTO main.{name} SELECT * FROM restored.{name}"
        ))
        .await?;
    }
    // AUTOINCREMENT must not reuse a number, even if its row was deleted.
    if count(transaction, HAS_SEQUENCE).await? > 0 {
        run(COPY_SEQUENCE.to_owned()).await?;
    }
    // Triggers last: the copied rows already include their effects.
    for kind in ["index", "view", "trigger"] {
        for part in new.iter().filter(|part| part.kind == kind) {
            run(part.sql.clone()).await?;
        }
    }
    // SQLite discards the planner's statistics of a table together with the table.
    if count(transaction, HAS_STATISTICS).await? > 0 {
        run(COPY_STATISTICS.to_owned()).await?;
    }
    Ok(())
}

/// Checks that every reference leads to an existing row.
///
/// # Errors
/// [`Error::Internal`] if one does not.
pub(super) async fn check(transaction: &impl ConnectionTrait) -> Result<(), Error> {
    match count(transaction, BROKEN).await? {
        0 => Ok(()),
        _ => Err(damaged("reference")),
    }
}

const BROKEN: &str = "SELECT count(*) FROM pragma_foreign_key_check(NULL, 'main')";

const HAS_SEQUENCE: &str =
    "SELECT count(*) FROM restored.sqlite_schema WHERE name = 'sqlite_sequence'";

const COPY_SEQUENCE: &str = "DELETE FROM main.sqlite_sequence; \
     INSERT INTO main.sqlite_sequence SELECT * FROM restored.sqlite_sequence";

const HAS_STATISTICS: &str =
    "SELECT count(*) FROM restored.sqlite_schema WHERE name = 'sqlite_stat1'";

/// `ANALYZE` of the schema creates the table of statistics if there is none, and loads them.
const COPY_STATISTICS: &str = "ANALYZE main.sqlite_schema; \
     DELETE FROM main.sqlite_stat1; \
     INSERT INTO main.sqlite_stat1 SELECT * FROM restored.sqlite_stat1; \
     ANALYZE main.sqlite_schema";

/// The parts of a schema, in the order of their creation. SQLite creates and drops its own tables and indexes together with them.
async fn parts(transaction: &impl ConnectionTrait, schema: &str) -> Result<Vec<Part>, Error> {
    let query = format!(
        "SELECT type AS kind, name, sql FROM {schema}.sqlite_schema \
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
    );
    Ok(
        Part::find_by_statement(Statement::from_string(DbBackend::Sqlite, query))
            .all(transaction)
            .await?,
    )
}
