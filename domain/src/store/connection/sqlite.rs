//! SQLite: a file beside the server, in WAL mode.

use sea_orm::{
    DatabaseConnection, SqlxSqliteConnector,
    sqlx::{
        self, ConnectOptions as _, Connection as _,
        sqlite::{
            SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
            SqliteSynchronous,
        },
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

use super::{
    file::{owner_file, real_path},
    lists::{LANES, Lists},
    pools::{Connections, invalid_url},
    server_lock::{HeldFile, ServerLock},
    writer::{Guard, Writer},
};
use crate::{
    Error,
    store::{
        deadline::DATABASE_TIMEOUT,
        error::{is_busy, unavailable},
    },
};

/// Number of connections for checks, and as many again for lookups. Readers wait neither for each other nor for the writer.
const READERS: u32 = 2;

/// The cache of each connection that reads, in KiB (negative: not pages): the upper pages of a few indexes. The other pages are read from the
/// operating system's cache, which all connections share; SQLite's default of 2 MiB for each is memory without a measurable gain.
const READER_CACHE: &str = "-512";

/// Number of virtual machine instructions between two tests whether a caller still waits for the statement: some tens of microseconds.
const INSTRUCTIONS: i32 = 1_000;

const RETRY_AFTER: Duration = Duration::from_millis(20);

pub(super) async fn connect(url: &str, serves: bool) -> Result<Connections, Error> {
    let options = connect_options(url)?;
    let file = real_path(options.get_filename())?;
    if has_mode(url, "rwc") && !file.exists() {
        // Created before SQLite would create it, to set its permissions; the write-ahead log gets the same ones.
        drop(owner_file(&file)?);
        tracing::info!("created the database {}", file.display());
    }
    let held = HeldFile::open(&file)?;
    let lock = if serves {
        Some(ServerLock::take(&file, &held).await?)
    } else {
        held.refuse_another_name(&file)?;
        None
    };

    // The writer connects first: it turns the write-ahead log on.
    let guard = Arc::<Guard>::default();
    let writer = open(guard.watch(pool(1)), options.clone()).await?;
    if serves {
        refuse_damage(&writer, &file).await?;
    }
    let options = options
        .pragma("query_only", "on")
        .pragma("cache_size", READER_CACHE);
    let checks = open(pool(READERS), options.clone()).await?;
    let lookups = open(pool(READERS), options.clone()).await?;
    let mut lanes = Vec::new();
    for _ in 0..LANES {
        lanes.push(SqlxSqliteConnector::from_sqlx_sqlite_pool(
            open_lane(options.clone()).await?,
        ));
    }
    let change_reader = match lock {
        Some(_) => Some(open(pool(1), options).await?),
        None => None,
    };
    Ok(Connections {
        checks: SqlxSqliteConnector::from_sqlx_sqlite_pool(checks),
        lookups: SqlxSqliteConnector::from_sqlx_sqlite_pool(lookups),
        lists: Lists::new(lanes),
        writer: Writer::on_sqlite(SqlxSqliteConnector::from_sqlx_sqlite_pool(writer), guard),
        file: Some(file),
        change_reader: change_reader.map(SqlxSqliteConnector::from_sqlx_sqlite_pool),
        postgres: None,
        _lock: lock,
        held: Some(held),
        statements: Arc::default(),
    })
}

/// Largest size in bytes of a file that is checked at the start: checking a larger one would delay it by seconds.
const LOOKED_THROUGH: u64 = 64 * 1024 * 1024;

/// Refuses a file in which SQLite finds damage: a server would verify keys against the remaining data.
async fn refuse_damage(writer: &SqlitePool, file: &Path) -> Result<(), Error> {
    if fs::metadata(file).is_ok_and(|metadata| metadata.len() > LOOKED_THROUGH) {
        return Ok(());
    }
    let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(writer)
        .await
        .map_err(unavailable)?;
    if found == "ok" {
        return Ok(());
    }
    Err(unavailable(format!(
        "the file is damaged ({}): restore a backup",
        found.replace('\n', " ")
    )))
}

/// The canonical path of the file in the URL.
///
/// # Errors
/// [`Error::Invalid`] for a URL that names no file; [`Error::Unavailable`] if the folder does not exist.
pub(crate) fn file_of(url: &str) -> Result<PathBuf, Error> {
    real_path(connect_options(url)?.get_filename())
}

/// Opens one connection to an existing file, in its present journal mode. Foreign keys are not enforced.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn alone(file: &Path) -> Result<DatabaseConnection, Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(false)
        // Without a write-ahead log, a commit is durable only when the removal of the rollback journal is on the disk as well.
        .synchronous(SqliteSynchronous::Extra)
        .busy_timeout(DATABASE_TIMEOUT)
        // Statements on this connection are slow by nature.
        .disable_statement_logging();
    let pool = open(pool(1), options).await?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

fn connect_options(url: &str) -> Result<SqliteConnectOptions, Error> {
    let options = SqliteConnectOptions::from_str(url).map_err(|_| invalid_url())?;
    // sqlx turns `sqlite::memory:` into a file name with this prefix.
    let in_memory = has_mode(url, "memory")
        || options
            .get_filename()
            .to_string_lossy()
            .starts_with("file:sqlx-in-memory-");
    if in_memory || options.get_filename().as_os_str().is_empty() {
        return Err(Error::invalid(
            "database_url",
            "Must name a file: a SQLite database in memory would be gone at exit",
        ));
    }
    Ok(options
        .journal_mode(SqliteJournalMode::Wal)
        // A confirmed revocation must survive a power cut; NORMAL loses the last commits of a WAL.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(DATABASE_TIMEOUT))
}

/// Opens a connection on which SQLite stops a statement as soon as its caller is gone: a time limit alone would end only the wait.
///
/// The pool has one connection, so the release of a connection means that this connection's statement must stop. sqlx releases a connection
/// when its holder is dropped, and hands it out again only after the statement has ended.
async fn open_lane(options: SqliteConnectOptions) -> Result<SqlitePool, Error> {
    let is_held = Arc::new(AtomicBool::new(true));
    let (connected, acquired, released) = (Arc::clone(&is_held), Arc::clone(&is_held), is_held);
    pool(1)
        .after_connect(move |connection, _| {
            let is_held = Arc::clone(&connected);
            Box::pin(async move {
                is_held.store(true, Ordering::Relaxed);
                connection
                    .lock_handle()
                    .await?
                    .set_progress_handler(INSTRUCTIONS, move || is_held.load(Ordering::Relaxed));
                Ok(())
            })
        })
        .before_acquire(move |_, _| {
            acquired.store(true, Ordering::Relaxed);
            Box::pin(async { Ok(true) })
        })
        .after_release(move |_, _| {
            released.store(false, Ordering::Relaxed);
            Box::pin(async { Ok(true) })
        })
        .connect_with(options)
        .await
        .map_err(unavailable)
}

/// Retries while the file is busy: turning the write-ahead log on in a new file fails at once if another process does the same, because
/// SQLite ignores the busy timeout there.
async fn open(pool: SqlitePoolOptions, options: SqliteConnectOptions) -> Result<SqlitePool, Error> {
    let deadline = Instant::now() + DATABASE_TIMEOUT;
    loop {
        match pool.clone().connect_with(options.clone()).await {
            Ok(pool) => return Ok(pool),
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Err(error) => return Err(unavailable(error)),
        }
    }
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(DATABASE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        // No network can cut a connection to a file.
        .test_before_acquire(false)
        // Readers begin no transaction. A connection that was left in one would keep returning an old state.
        .after_release(|connection, _| {
            let is_idle = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_idle) })
        })
}

/// Whether the URL sets that mode. `SqliteConnectOptions` does not expose it, and panics when it turns some file names into a URL.
fn has_mode(url: &str, mode: &str) -> bool {
    url.split_once('?').is_some_and(|(_, parameters)| {
        parameters
            .split('&')
            .any(|parameter| parameter.split_once('=') == Some(("mode", mode)))
    })
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait};
    use tempfile::TempDir;

    use super::{Connections, READERS, connect};

    async fn pragma(connection: &impl ConnectionTrait, name: &str) -> String {
        let row = connection
            .query_one_raw(Statement::from_string(
                DbBackend::Sqlite,
                format!("PRAGMA {name}"),
            ))
            .await
            .unwrap()
            .unwrap();
        row.try_get_by_index::<String>(0)
            .or_else(|_| {
                row.try_get_by_index::<i64>(0)
                    .map(|number| number.to_string())
            })
            .unwrap()
    }

    async fn opened() -> (TempDir, Connections) {
        let folder = TempDir::new().unwrap();
        let url = format!(
            "sqlite://{}?mode=rwc",
            folder.path().join("latchkey.db").display()
        );
        let connections = connect(&url, false).await.unwrap();
        (folder, connections)
    }

    async fn assert_durable(connection: &impl ConnectionTrait) {
        for (name, value) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("busy_timeout", "3000"),
        ] {
            assert_eq!(pragma(connection, name).await, value, "{name}");
        }
    }

    #[tokio::test]
    async fn every_connection_is_durable_and_keeps_the_foreign_keys() {
        let (_folder, connections) = opened().await;
        assert_durable(&connections.writer.connection).await;
        // As many open transactions as there are readers: each has a connection of its own.
        let mut open = Vec::new();
        for _ in 0..READERS {
            open.push(connections.checks.begin().await.unwrap());
            open.push(connections.lookups.begin().await.unwrap());
        }
        let mut connections = connections;
        for lane in connections.lists.lanes() {
            open.push(lane.begin().await.unwrap());
        }
        for transaction in &open {
            assert_durable(transaction).await;
        }
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let (_folder, mut connections) = opened().await;
        let write = |connection: DatabaseConnection| async move {
            connection.execute_unprepared("CREATE TABLE t (x)").await
        };
        let mut readers = vec![connections.checks, connections.lookups];
        readers.extend(connections.lists.lanes().map(|lane| lane.clone()));
        for reader in readers {
            let refused = write(reader).await.unwrap_err();
            assert!(refused.to_string().contains("readonly"), "{refused}");
        }
        write(connections.writer.connection).await.unwrap();
    }
}
