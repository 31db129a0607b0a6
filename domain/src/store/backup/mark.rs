//! The mark of a backup: a table of one row, with the time at which it was made.
//!
//! The table is not part of the schema: a database that is served never has it. Except for `latchkey restore`, every command refuses a
//! backup that was copied to the path of the database.

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use std::path::Path;

use super::has_content;
use crate::{
    Error,
    store::{connection::sqlite, error::damaged},
};

/// Must not change: older backups have this table.
pub(crate) const TABLE: &str = "backup_mark";

/// The time at which the backup was made; `None` for a database that is not a backup.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
) -> Result<Option<DateTime<Utc>>, Error> {
    let table =
        format!("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = '{TABLE}'");
    let ask = |sql: String| Statement::from_string(DbBackend::Sqlite, sql);
    if connection.query_one_raw(ask(table)).await?.is_none() {
        return Ok(None);
    }
    connection
        .query_one_raw(ask(format!("SELECT taken_at FROM main.{TABLE}")))
        .await?
        .ok_or_else(|| damaged("time of a backup"))?
        .try_get_by_index::<String>(0)?
        .parse()
        .map(Some)
        .map_err(|_| damaged("time of a backup"))
}

/// Marks a copy as a backup of `taken_at`, unless it has a mark. Returns the time of the mark.
pub(crate) async fn put(
    copy: &impl ConnectionTrait,
    taken_at: DateTime<Utc>,
) -> Result<DateTime<Utc>, Error> {
    if let Some(earlier) = find(copy).await? {
        return Ok(earlier);
    }
    copy.execute_unprepared(&format!(
        "BEGIN; CREATE TABLE {TABLE} (taken_at text NOT NULL); \
         INSERT INTO {TABLE} VALUES ('{}'); COMMIT",
        taken_at.to_rfc3339_opts(SecondsFormat::Micros, true)
    ))
    .await?;
    Ok(taken_at)
}

/// Refuses a file that is a backup, before anything is changed in it.
pub(crate) async fn refuse(file: &Path) -> Result<(), Error> {
    if !has_content(file) {
        return Ok(());
    }
    let connection = sqlite::alone(file).await?;
    let found = find(&connection).await;
    connection.close().await?;
    let found = found.map_err(|error| match error {
        // For example a file that is no database, which the operator must fix.
        Error::Internal(source) => Error::Unavailable(source),
        error => error,
    });
    match found? {
        Some(taken_at) => Err(Error::Unavailable(
            format!(
                "this is a backup of {}: `latchkey restore FILE` makes it a database",
                taken_at.to_rfc3339_opts(SecondsFormat::Secs, true)
            )
            .into(),
        )),
        None => Ok(()),
    }
}
