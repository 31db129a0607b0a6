//! Examines whether the present database is a witness of what happened since the backup.

use sea_orm::DatabaseConnection;

use crate::{
    Error,
    store::{
        backup::{OUR_TABLES, count, find_damage, mark},
        migration,
    },
};

/// The kind of database that is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A database that continued from the backup.
    Witness,
    /// No content, or a database without tables.
    Nothing,
    /// A database of Latchkey that did not continue from the backup, or is a backup itself.
    AnotherPast,
}

/// Examines the database of `connection`, to which the backup is attached.
///
/// # Errors
/// [`Error::Invalid`] for a database that a backup must not replace: one of another program, of a newer version, or damaged.
pub(super) async fn find(connection: &DatabaseConnection) -> Result<Found, Error> {
    let tables = count(connection, TABLES)
        .await
        .map_err(|error| match error {
            Error::Internal(source) => in_the_way(&format!("is no database: {source}")),
            error => error,
        })?;
    if tables == 0 {
        return Ok(Found::Nothing);
    }
    if count(connection, OUR_TABLES).await? != 2 {
        return Err(in_the_way("is not latchkey's"));
    }
    let damage = find_damage(connection).await;
    if let Some(damage) = damage.unwrap_or_else(|error| Some(error.to_string())) {
        return Err(in_the_way(&format!("is damaged: {damage}")));
    }
    migration::refuse_newer(connection)
        .await
        .map_err(|error| match error {
            Error::Unavailable(source) => Error::invalid("database_url", source.to_string()),
            error => error,
        })?;
    let is_backup = mark::find(connection).await?.is_some();
    Ok(if is_backup || count(connection, LACKS_EVENTS).await? > 0 {
        Found::AnotherPast
    } else {
        Found::Witness
    })
}

const TABLES: &str = "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table'";

/// The audit log is append-only: a database that continued from the backup has every event that the backup has, and so includes everything
/// that was done until then.
const LACKS_EVENTS: &str = "SELECT EXISTS (SELECT 1 FROM restored.audit_events AS old \
     WHERE NOT EXISTS (SELECT 1 FROM main.audit_events AS new WHERE new.id = old.id))";

fn in_the_way(what: &str) -> Error {
    Error::invalid(
        "database_url",
        format!(
            "the file that is there {what}: move it away, with those beside it whose names go on with -wal and -shm"
        ),
    )
}
