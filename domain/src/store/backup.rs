//! A copy of a SQLite database in one file, made while a server writes to it.
//!
//! `VACUUM INTO` reads one state of the database, as a long list would: whoever writes meanwhile does not wait. The copy is a database
//! of its own, and marked (`mark.rs`): what was revoked after it was made works in it, so nothing but `latchkey restore` may make
//! it one that is served.

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

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// What was changed before then is in it.
    pub taken_at: DateTime<Utc>,
    /// The size of the file.
    pub bytes: u64,
    /// How many tenants there are in it.
    pub tenants: i64,
    /// How many keys, revoked ones too.
    pub keys: i64,
}

/// Copies the database of `database_url` into `file`, which must not be there yet. The database stays as it is, also where this version
/// would bring its schema up to date. What fails leaves nothing there.
///
/// # Errors
/// [`Error::Invalid`] on PostgreSQL, which has tools for that, where there is no database, and for a `file` that cannot be written;
/// [`Error::AlreadyExists`]; [`Error::Internal`] where the copy turns out to be damaged; [`Error::Unavailable`].
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
    // Under another name than the server's, the copy would lack what is in the write-ahead log.
    let held = HeldFile::open(&database)?;
    held.refuse_another_name(&database)?;
    mark::refuse(&database).await?;
    // Not one of a store's readers: they refuse to write, also into another file.
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

/// Two, where the database is one of ours.
pub(super) const OUR_TABLES: &str = "SELECT count(*) FROM main.sqlite_schema \
     WHERE type = 'table' AND name IN ('seaql_migrations', 'audit_events')";

/// Whether there is anything in the file. One that is not there yet, or that somebody is just making, has nothing.
pub(super) fn has_content(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.len() > 0)
}

/// Copies the database of `connection` into `file`. One that is a backup itself keeps the time at which it was made.
pub(super) async fn write(
    connection: &DatabaseConnection,
    file: &Path,
    now: DateTime<Utc>,
) -> Result<Backup, Error> {
    let unfinished = Unfinished::of(file)?;
    vacuum_into(connection, unfinished.path()).await?;
    let copy = sqlite::alone(unfinished.path()).await?;
    let finished = finish(&copy, now).await;
    // Before anything else opens the file: closing any other handle of it takes SQLite's locks away.
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

/// Marks the copy, and looks whether it is whole.
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

/// Copies the database of `connection` into the file, which has to be empty.
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

/// A file as SQLite takes it in a statement.
pub(super) fn name_for_sqlite(file: &Path) -> Result<&str, Error> {
    file.to_str()
        .ok_or_else(|| Error::invalid("file", "Must be a name in UTF-8"))
}

/// The first thing that SQLite finds to be wrong in the file, if any.
pub(super) async fn find_damage(
    connection: &impl ConnectionTrait,
) -> Result<Option<String>, Error> {
    let found = query_one(connection, "PRAGMA integrity_check(1)")
        .await?
        .try_get_by_index::<String>(0)?;
    Ok((found != "ok").then_some(found))
}

/// The number that a query answers.
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

/// What an operator of PostgreSQL is told who wants to `what`.
pub(super) fn not_on_postgres(what: &str) -> Error {
    Error::invalid(
        "database_url",
        format!(
            "PostgreSQL has its own tools: {what} with pg_dump or a base backup; see docs/deploy.md"
        ),
    )
}
