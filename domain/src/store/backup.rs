//! A copy of a SQLite database in one file, made while a server writes to it.
//!
//! `VACUUM INTO` reads one state of the database, as a long list would, and blocks no writer. The copy is a database of its own, with a
//! mark (`mark.rs`): keys that were revoked after the backup are still valid in it, so only `latchkey restore` may make it a database that
//! is served.

pub(crate) mod mark;
pub(crate) mod unfinished;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

use self::unfinished::Unfinished;
use super::{
    clock,
    connection::{server_lock::HeldFile, sqlite},
    error::damaged,
};
use crate::Error;

/// A completed backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// Path of the file.
    pub path: PathBuf,
    /// Time of the backup; changes that were committed before it are included.
    pub taken_at: DateTime<Utc>,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Number of tenants in it.
    pub tenants: i64,
    /// Number of keys in it, including revoked keys that are not archived.
    pub keys: i64,
}

/// Copies the database of `database_url` into `file`, which must not exist yet. The database is not changed, not even if its schema is
/// outdated. A failed backup leaves no file.
///
/// # Errors
/// [`Error::Invalid`] on PostgreSQL, which has its own tools, if there is no database, and for a `file` that cannot be written;
/// [`Error::AlreadyExists`]; [`Error::Internal`] if the copy is damaged; [`Error::Unavailable`].
pub async fn back_up(database_url: &str, file: &Path, now: DateTime<Utc>) -> Result<Backup, Error> {
    if !database_url.starts_with("sqlite:") {
        return Err(not_on_postgres("back it up"));
    }
    let database = sqlite::file_of(database_url)?;
    if !has_content(&database) {
        return Err(Error::invalid(
            "database_url",
            format!("there is no database: {}", database.display()),
        ));
    }
    // Under another name than the server's, the copy would lack the content of the write-ahead log.
    let held = HeldFile::open(&database)?;
    held.refuse_another_name(&database)?;
    mark::refuse(&database).await?;
    // A store's readers cannot be used: they refuse to write, even into another file.
    let connection = sqlite::alone(&database).await?;
    let made = match count(&connection, OUR_TABLES).await {
        Ok(2) => write(&connection, file, now).await,
        Ok(_) => Err(Error::invalid(
            "database_url",
            format!("{} is not latchkey's", database.display()),
        )),
        Err(error) => Err(error),
    };
    connection.close().await?;
    made
}

/// Returns 2 for a database of Latchkey.
pub(super) const OUR_TABLES: &str = "SELECT count(*) FROM main.sqlite_schema \
     WHERE type = 'table' AND name IN ('seaql_migrations', 'audit_events')";

/// Whether the file has content. A file that does not exist yet, or that another process is creating, has none.
pub(super) fn has_content(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.len() > 0)
}

/// Copies the database of `connection` into `file`. The copy of a backup keeps the time of that backup.
pub(super) async fn write(
    connection: &DatabaseConnection,
    file: &Path,
    now: DateTime<Utc>,
) -> Result<Backup, Error> {
    let unfinished = Unfinished::of(file)?;
    vacuum_into(connection, unfinished.path()).await?;
    let copy = sqlite::alone(unfinished.path()).await?;
    let finished = finish(&copy, now).await;
    // Closed before the file is opened again: closing another descriptor of it would release SQLite's locks.
    copy.close().await?;
    let (taken_at, tenants, keys) = finished?;
    let (path, bytes) = unfinished.finish()?;
    Ok(Backup {
        path,
        taken_at,
        bytes,
        tenants,
        keys,
    })
}

/// Marks the copy, checks its integrity, and counts its tenants and keys.
async fn finish(
    copy: &DatabaseConnection,
    now: DateTime<Utc>,
) -> Result<(DateTime<Utc>, i64, i64), Error> {
    let taken_at = mark::put(copy, clock::stored(now)).await?;
    if find_damage(copy).await?.is_some() {
        return Err(damaged("page of the database"));
    }
    let tenants = count(copy, "SELECT count(*) FROM tenants").await?;
    let keys = count(copy, "SELECT count(*) FROM api_keys").await?;
    Ok((taken_at, tenants, keys))
}

/// Copies the database of `connection` into `file`, which must be empty.
pub(super) async fn vacuum_into(
    connection: &impl ConnectionTrait,
    file: &Path,
) -> Result<(), Error> {
    let name = name_for_sqlite(file)?;
    connection
        .execute_raw(Statement::from_sql_and_values(
            DbBackend::Sqlite,
            "VACUUM main INTO $1",
            [name.into()],
        ))
        .await?;
    Ok(())
}

/// The path as text, for a parameter of a statement.
pub(super) fn name_for_sqlite(file: &Path) -> Result<&str, Error> {
    file.to_str()
        .ok_or_else(|| Error::invalid("file", "Must be a name in UTF-8"))
}

/// The first damage that SQLite finds in the file, if any.
pub(super) async fn find_damage(
    connection: &impl ConnectionTrait,
) -> Result<Option<String>, Error> {
    let found = query_one(connection, "PRAGMA integrity_check(1)")
        .await?
        .try_get_by_index::<String>(0)?;
    Ok((found != "ok").then_some(found))
}

/// The number that a query returns.
pub(super) async fn count(connection: &impl ConnectionTrait, sql: &str) -> Result<i64, Error> {
    Ok(query_one(connection, sql).await?.try_get_by_index(0)?)
}

async fn query_one(
    connection: &impl ConnectionTrait,
    sql: &str,
) -> Result<sea_orm::QueryResult, Error> {
    connection
        .query_one_raw(Statement::from_string(DbBackend::Sqlite, sql))
        .await?
        .ok_or_else(|| damaged("answer"))
}

/// The error for PostgreSQL, which has its own tools to `what`, such as `"back it up"`.
pub(super) fn not_on_postgres(what: &str) -> Error {
    Error::invalid(
        "database_url",
        format!(
            "PostgreSQL has its own tools: {what} with pg_dump or a base backup; see docs/deploy.md"
        ),
    )
}
