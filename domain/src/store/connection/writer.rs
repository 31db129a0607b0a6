//! Every write transaction of the store is made here. It counts as committed only if the database itself confirms it, and a connection in
//! an unknown state is closed.
//!
//! sqlx counts the depth of transactions of a SQLite connection, and counts down only if COMMIT or ROLLBACK succeed. SQLite ends a
//! transaction by itself when the disk is full or fails, so that the count may stay above zero for ever: the next transaction is then a
//! savepoint, whose release commits nothing (`docs/upstream/sqlx-sqlite-transaction-depth.md`). So neither the count nor the driver's
//! result is trusted here:
//!
//! - SQLite calls a hook whenever it commits. A commit without that call is a failure, whatever the driver returns.
//! - A connection returns to the pool only if its count is zero and it accepts a real BEGIN, which fails inside a transaction. A
//!   transaction that was dropped, or whose commit or rollback failed, closes it; the next transaction gets a new one.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
    prelude::async_trait,
    sqlx::{
        self, Connection as _, Executor as _,
        postgres::{PgDatabaseError, PgSeverity},
        sqlite::{SqliteConnection, SqliteError, SqlitePoolOptions},
    },
};
use std::{
    ops::Deref,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::health::Health;
use crate::{
    Error,
    store::{change_line::ChangeLine, deadline::with_timeout},
};

/// Begins write transactions.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    /// A pool of one on SQLite; the pool for changes on PostgreSQL.
    pub(super) connection: DatabaseConnection,
    /// State of the one connection, on SQLite.
    guard: Option<Arc<Guard>>,
    pub(crate) health: Arc<Health>,
}

/// State of the one connection that writes to a SQLite file. It outlives a connection that is closed.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// Number of commits that SQLite reported through its hook.
    commits: AtomicU64,
    /// Whether the connection must be closed.
    is_suspect: AtomicBool,
    /// Locked by a transaction until its outcome is known. The pool returns a connection in a task of its own, which waits for that.
    outcome: Arc<Mutex<()>>,
}

impl Guard {
    /// Makes the pool test each connection before it is used again.
    pub(super) fn watch(self: &Arc<Self>, pool: SqlitePoolOptions) -> SqlitePoolOptions {
        let (connected, released) = (Arc::clone(self), Arc::clone(self));
        pool.after_connect(move |connection, _| {
            let guard = Arc::clone(&connected);
            Box::pin(async move {
                connection.lock_handle().await?.set_commit_hook(move || {
                    guard.commits.fetch_add(1, Ordering::SeqCst);
                    true
                });
                Ok(())
            })
        })
        .before_acquire(|connection, _| {
            let is_idle = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_idle) })
        })
        .after_release(move |connection, _| {
            let guard = Arc::clone(&released);
            Box::pin(async move {
                let _known = guard.outcome.lock().await;
                let is_suspect = guard.is_suspect.swap(false, Ordering::SeqCst);
                let is_good = !is_suspect && is_idle(connection).await;
                if !is_good {
                    tracing::debug!("database writer: connection closed, its state is not known");
                }
                Ok(is_good)
            })
        })
    }
}

/// Whether a connection is in no transaction, by the driver's count and by SQLite itself: BEGIN fails inside a transaction.
async fn is_idle(connection: &mut SqliteConnection) -> bool {
    // In this order, because a rollback by the driver may still be queued before it.
    connection.execute("BEGIN; ROLLBACK").await.is_ok() && !connection.is_in_transaction()
}

impl Writer {
    /// The writer of a SQLite file, over the pool that `guard` watches.
    pub(super) fn on_sqlite(connection: DatabaseConnection, guard: Arc<Guard>) -> Self {
        Self {
            connection,
            guard: Some(guard),
            health: Arc::default(),
        }
    }

    /// The writer on PostgreSQL, over its pool.
    pub(super) fn on_postgres(connection: DatabaseConnection) -> Self {
        Self {
            connection,
            guard: None,
            health: Arc::default(),
        }
    }

    /// Begins a transaction: `BEGIN IMMEDIATE` on SQLite, one at a time.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(crate) async fn begin(&self) -> Result<WriteTransaction, Error> {
        // A deferred transaction that reads and then writes fails at once under contention, whatever the busy timeout.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let begun = with_timeout(self.connection.begin_with_options(options)).await;
        let transaction = begun.inspect_err(|error| self.health.failed(error))?;
        let doubt = match &self.guard {
            None => None,
            Some(guard) => Some(Doubt {
                // Not locked: the pool tested the previous connection before it handed this one out.
                _outcome: Arc::clone(&guard.outcome).lock_owned().await,
                commits_before: guard.commits.load(Ordering::SeqCst),
                is_resolved: false,
                guard: Arc::clone(guard),
            }),
        };
        Ok(WriteTransaction {
            doubt,
            health: Arc::clone(&self.health),
            lines: std::sync::Mutex::default(),
            transaction,
        })
    }
}

/// A write transaction. If it is dropped without [`Self::commit`] or [`Self::roll_back`], it is rolled back and its connection closed.
#[derive(Debug)]
pub(crate) struct WriteTransaction {
    // Declared before the transaction, so that it is dropped first.
    doubt: Option<Doubt>,
    health: Arc<Health>,
    /// The log lines of its changes, written after the commit.
    lines: std::sync::Mutex<Vec<ChangeLine>>,
    transaction: DatabaseTransaction,
}

/// The outcome of a transaction on SQLite while it is unknown. If this is dropped unresolved, the connection is closed.
#[derive(Debug)]
struct Doubt {
    guard: Arc<Guard>,
    commits_before: u64,
    is_resolved: bool,
    _outcome: OwnedMutexGuard<()>,
}

impl Drop for Doubt {
    fn drop(&mut self) {
        if !self.is_resolved {
            self.guard.is_suspect.store(true, Ordering::SeqCst);
        }
    }
}

impl Doubt {
    /// Whether SQLite itself has committed exactly once since the transaction began.
    fn was_committed(&self) -> bool {
        self.guard.commits.load(Ordering::SeqCst) == self.commits_before + 1
    }
}

impl WriteTransaction {
    /// Commits. Must run to its end, even if its caller is gone.
    ///
    /// # Errors
    /// [`Error::OutcomeUnknown`] if the database did not confirm whether it committed. After any other error nothing was changed.
    pub(crate) async fn commit(self) -> Result<(), Error> {
        let Self {
            doubt,
            health,
            transaction,
            ..
        } = self;
        let result = transaction.commit().await;
        let result = match (result, doubt) {
            (Ok(()), Some(doubt)) if !doubt.was_committed() => {
                Err(Error::Unavailable(Box::new(NotCommitted)))
            }
            (Ok(()), doubt) => {
                if let Some(mut doubt) = doubt {
                    doubt.is_resolved = true;
                }
                Ok(())
            }
            (Err(error), _) => Err(failed_commit(error)),
        };
        match &result {
            Ok(()) => health.committed(),
            Err(error) => health.failed(error),
        }
        result
    }

    /// Rolls back because of `error`, which is returned. If the database itself has failed, the connection is closed instead.
    pub(crate) async fn roll_back_for(self, error: Error) -> Error {
        // There is no second wait for a database that does not respond: the transaction ends with its connection.
        if let Error::Unavailable(_) | Error::Internal(_) = error {
            self.health.doubted();
        } else {
            self.roll_back().await;
        }
        error
    }

    /// Rolls back; if that fails, the connection is closed, which ends the transaction too.
    pub(crate) async fn roll_back(self) {
        let Self {
            mut doubt,
            transaction,
            ..
        } = self;
        match with_timeout(transaction.rollback()).await {
            Ok(()) => {
                if let Some(doubt) = &mut doubt {
                    doubt.is_resolved = true;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "database writer: rollback failed, connection closed")
            }
        }
    }

    /// Adds the log line of a change that this transaction makes.
    pub(crate) fn add_line(&self, line: ChangeLine) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }

    /// Takes the log lines of its changes; none remain.
    pub(crate) fn take_lines(&self) -> Vec<ChangeLine> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Deref for WriteTransaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.transaction
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for WriteTransaction {
    fn get_database_backend(&self) -> DbBackend {
        self.transaction.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.transaction.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.transaction.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.transaction.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.transaction.query_all_raw(statement).await
    }
}

/// The driver reports a commit that SQLite did not make.
#[derive(Debug, thiserror::Error)]
#[error("the database has not committed what its driver says it has")]
struct NotCommitted;

/// Determines whether a failed COMMIT changed nothing or its outcome is unknown.
fn failed_commit(error: DbErr) -> Error {
    let nothing_was_changed = match &error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => is_refused_commit(error),
        _ => false,
    };
    if nothing_was_changed {
        error.into()
    } else {
        Error::OutcomeUnknown(Box::new(error))
    }
}

/// Whether the database reported that it did not commit and never will.
fn is_refused_commit(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        // A session that the server ends may have committed before.
        return error.severity() == PgSeverity::Error;
    }
    error
        .try_downcast_ref::<SqliteError>()
        .and_then(|_| error.code()?.parse().ok())
        .is_some_and(is_refused_by_sqlite)
}

/// Busy, locked, full, a violated constraint, and a failed write: the page that ends the transaction is not in the write-ahead log. After a
/// failed sync it is: no connection sees the change, but it may exist after a crash.
const fn is_refused_by_sqlite(code: u32) -> bool {
    const WRITE: u32 = 10 | (3 << 8);
    matches!(code & 0xFF, 5 | 6 | 13 | 19) || code == WRITE
}

#[cfg(test)]
mod tests {
    use sea_orm::TransactionTrait as _;
    use std::time::Duration;
    use tempfile::TempDir;

    use super::*;
    use crate::store::connection::{pools::Connections, sqlite::connect};

    /// A file with a table, and its writer.
    struct WriterFixture {
        _folder: TempDir,
        url: String,
        connections: Connections,
    }

    impl WriterFixture {
        async fn new() -> Self {
            let folder = TempDir::new().expect("a folder");
            let file = folder.path().join("latchkey.db");
            let url = format!("sqlite://{}?mode=rwc", file.display());
            let fixture = Self {
                connections: connect(&url, false).await.expect("connected"),
                url,
                _folder: folder,
            };
            let transaction = fixture.writer().begin().await.expect("begun");
            run(&transaction, "CREATE TABLE numbers (number)").await;
            transaction.commit().await.expect("committed");
            fixture
        }

        const fn writer(&self) -> &Writer {
            &self.connections.writer
        }

        /// Asserts that a write is committed: another connection sees it.
        async fn assert_writes(&self, number: u32) {
            let transaction = self.writer().begin().await.expect("begun");
            let insert = format!("INSERT INTO numbers VALUES ({number})");
            run(&transaction, &insert).await;
            transaction.commit().await.expect("committed");
            let other = connect(&self.url, false).await.expect("connected");
            let count = format!("SELECT count(*) FROM numbers WHERE number = {number}");
            let row = other
                .checks
                .query_one_raw(Statement::from_string(DbBackend::Sqlite, count))
                .await;
            let count: i64 = row
                .expect("an answer")
                .expect("a row")
                .try_get_by_index(0)
                .expect("a number");
            assert_eq!(count, 1, "{number}");
        }
    }

    async fn run(connection: &impl ConnectionTrait, sql: &str) {
        connection.execute_unprepared(sql).await.expect(sql);
    }

    #[tokio::test]
    async fn p65_nothing_is_written_into_a_transaction_that_somebody_left_open() {
        let fixture = WriterFixture::new().await;
        let left_open = [
            "BEGIN",
            "BEGIN IMMEDIATE",
            "SAVEPOINT left_open",
            "BEGIN; INSERT INTO numbers VALUES (0)",
        ];
        for (number, sql) in (1..).zip(left_open) {
            run(&fixture.writer().connection, sql).await;
            fixture.assert_writes(number).await;
        }
    }

    #[tokio::test]
    async fn p65_a_commit_that_sqlite_does_not_make_is_an_error() {
        let fixture = WriterFixture::new().await;
        let begun = fixture.writer().begin().await.expect("begun");
        let WriteTransaction {
            doubt,
            health,
            lines,
            transaction: outer,
        } = begun;
        // The driver's transaction is a savepoint.
        let inner = WriteTransaction {
            doubt,
            health,
            lines,
            transaction: outer.begin().await.expect("begun"),
        };
        run(&inner, "INSERT INTO numbers VALUES (0)").await;
        let committed = inner.commit().await;
        assert!(
            matches!(committed, Err(Error::Unavailable(_))),
            "{committed:?}"
        );
        drop(outer);
        fixture.assert_writes(1).await;
    }

    /// The ways in which a transaction ends after a statement in it has failed.
    const ENDS: [&str; 3] = ["dropped", "rolled back", "committed"];

    async fn end(how: &str, transaction: WriteTransaction, error: DbErr) {
        match how {
            "dropped" => drop(transaction),
            "rolled back" => drop(transaction.roll_back_for(Error::KeyRevoked).await),
            _ => {
                let committed = transaction.commit().await;
                assert!(committed.is_err(), "after {error}");
            }
        }
    }

    #[tokio::test]
    async fn p65_after_a_full_database_the_next_transactions_are_written() {
        let fixture = WriterFixture::new().await;
        let mut number = 0;
        for how in ENDS {
            for _ in 0..3 {
                let writer = fixture.writer();
                run(&writer.connection, "PRAGMA max_page_count = 1").await;
                let transaction = writer.begin().await.expect("begun");
                let error = transaction
                    .execute_unprepared("INSERT INTO numbers VALUES (zeroblob(1000000))")
                    .await
                    .expect_err("it is full");
                assert!(error.to_string().contains("full"), "{error}");
                end(how, transaction, error).await;
                // If the connection was kept, it still has the limit.
                run(&writer.connection, "PRAGMA max_page_count = 1000000").await;
                number += 1;
                fixture.assert_writes(number).await;
            }
        }
    }

    #[tokio::test]
    async fn p65_after_an_interrupted_statement_the_next_transactions_are_written() {
        let fixture = WriterFixture::new().await;
        let mut number = 0;
        for how in ENDS {
            for _ in 0..3 {
                let is_interrupted = Arc::new(AtomicBool::new(false));
                let pool = fixture.writer().connection.get_sqlite_connection_pool();
                let mut connection = pool.acquire().await.expect("a connection");
                let flag = Arc::clone(&is_interrupted);
                connection
                    .lock_handle()
                    .await
                    .expect("the handle")
                    .set_progress_handler(1, move || !flag.load(Ordering::SeqCst));
                drop(connection);
                let transaction = fixture.writer().begin().await.expect("begun");
                run(&transaction, "INSERT INTO numbers VALUES (0)").await;
                is_interrupted.store(true, Ordering::SeqCst);
                let error = transaction
                    .execute_unprepared("INSERT INTO numbers VALUES (1), (2), (3)")
                    .await
                    .expect_err("it is interrupted");
                is_interrupted.store(false, Ordering::SeqCst);
                end(how, transaction, error).await;
                number += 10;
                fixture.assert_writes(number).await;
            }
        }
    }

    #[tokio::test]
    async fn p65_after_transactions_that_were_cancelled_anywhere_the_next_is_written() {
        let fixture = WriterFixture::new().await;
        for number in 1..40 {
            let cancelled = async {
                let transaction = fixture.writer().begin().await?;
                let insert = "INSERT INTO numbers VALUES (0)";
                transaction.execute_unprepared(insert).await?;
                transaction.commit().await
            };
            let after = Duration::from_micros(number * 25);
            let _ = tokio::time::timeout(after, cancelled).await;
            fixture
                .assert_writes(u32::try_from(number).expect("small"))
                .await;
        }
    }
}
