//! PostgreSQL: one pool for each purpose.

use sea_orm::{
    SqlxPostgresConnector,
    sqlx::{
        self, ConnectOptions, Connection, Row,
        postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
    },
};
use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use super::{
    lists::{LANES, Lists},
    pools::{Connections, Postgres, invalid_url},
    primary::Primary,
    writer::Writer,
};
use crate::{
    Error,
    store::{deadline::DATABASE_TIMEOUT, error::unavailable},
};

/// Number of connections for checks and the server's own maintenance.
const CHECKS: u32 = 4;
/// Number of connections for sessions, sign-in and single rows.
const LOOKUPS: u32 = 2;
/// Number of connections for changes. `docs/deploy.md` documents the sum, which includes those for lists.
const WRITERS: u32 = 5;

/// Longest wait for the released connection of a list to show that it can be reused, before its statement is cancelled as abandoned.
const STATEMENT_PATIENCE: Duration = Duration::from_millis(100);

/// Milliseconds after which the server ends the transaction of a silent client and releases its locks.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "30000";

const ENCODING: &str = "SELECT current_setting('server_encoding')";

/// Longest wait for a returned connection to show that it can be reused.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// Number of attempts to replace a connection that does not respond, before sqlx closes it: each takes at most [`DATABASE_TIMEOUT`].
const REPLACEMENTS: u32 = 20;

pub(super) async fn connect(url: &str) -> Result<Connections, Error> {
    let timeout = DATABASE_TIMEOUT.as_millis().to_string();
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| invalid_url())?
        .application_name("latchkey")
        .options([
            ("statement_timeout", timeout.as_str()),
            ("lock_timeout", timeout.as_str()),
            // Keys are counted after a lock is taken, and the count must include what was committed while waiting for it.
            ("default_transaction_isolation", "read committed"),
            (
                "idle_in_transaction_session_timeout",
                IDLE_IN_TRANSACTION_TIMEOUT,
            ),
        ]);

    // The pool would report every cause as a timeout; a first connection outside it reports the actual error.
    let (primary, encoding) = tokio::time::timeout(DATABASE_TIMEOUT, async {
        let mut connection = options.connect().await?;
        let primary = Primary::learn(&mut connection).await?;
        let encoding: String = sqlx::query_scalar(ENCODING)
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>((primary, encoding))
    })
    .await
    .map_err(unavailable)?
    .map_err(unavailable)?;
    if encoding != "UTF8" {
        return Err(unavailable(format!(
            "the PostgreSQL database's encoding is {encoding}: it has to be UTF8"
        )));
    }
    let primary = Arc::new(primary);

    let pool = |connections, process| {
        let member = Member {
            options: options.clone(),
            primary: Arc::clone(&primary),
            process,
        };
        let pool = member.pool(connections).connect_lazy_with(options.clone());
        SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
    };
    let lanes = (0..LANES).map(|_| pool(1, Some(Arc::default()))).collect();
    Ok(Connections {
        checks: pool(CHECKS, None),
        lookups: pool(LOOKUPS, None),
        lists: Lists::new(lanes),
        writer: Writer::on_postgres(pool(WRITERS, None)),
        file: None,
        change_reader: None,
        postgres: Some(Postgres { options, primary }),
        _lock: None,
        held: None,
        statements: Arc::default(),
    })
}

/// Whether the session is in no transaction. A future that is dropped while it begins a transaction leaves it open, and sqlx does not
/// detect it (<https://github.com/launchbadge/sqlx/issues/4393>): the next user of the connection would write into that transaction and
/// commit nothing.
///
/// Sent as text, in one message: every other form consists of several messages, each of which sets `statement_timestamp()` anew.
///
/// # Errors
/// Fails if the transaction is aborted or the connection ends.
async fn is_idle(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::raw_sql("SELECT now() = statement_timestamp()")
        .fetch_one(connection)
        .await?
        .try_get(0)
}

/// Opens and tests the connections of a pool.
#[derive(Clone)]
struct Member {
    options: PgConnectOptions,
    primary: Arc<Primary>,
    /// The server process behind the connection, for a pool of one: the statement of a list whose caller is gone is cancelled, as one on
    /// SQLite is stopped.
    process: Option<Arc<AtomicI32>>,
}

impl Member {
    fn pool(self, connections: u32) -> PgPoolOptions {
        let (connected, acquired, released) = (self.clone(), self.clone(), self);
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(DATABASE_TIMEOUT)
            .after_connect(move |connection, _| {
                let member = connected.clone();
                Box::pin(async move { member.prepare(connection).await })
            })
            // This query replaces the usual ping, and detects a dead connection as well.
            .test_before_acquire(false)
            .before_acquire(move |connection, _| {
                let primary = Arc::clone(&acquired.primary);
                Box::pin(async move { primary.is_at(connection).await })
            })
            // sqlx waits for the server here without a limit: dead connections would fill the pool.
            .after_release(move |connection, _| {
                let member = released.clone();
                Box::pin(async move {
                    match member.end_statement(connection).await {
                        Some(is_idle) => is_idle,
                        None => member.replace(connection).await,
                    }
                })
            })
    }

    async fn prepare(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.primary.prepare(connection).await?;
        if let Some(process) = &self.process {
            let id: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
                .fetch_one(connection)
                .await?;
            process.store(id, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Waits until the connection's last statement has ended, and cancels that of a list. Returns whether the session is then in no
    /// transaction; `None` if the connection does not respond.
    async fn end_statement(
        &self,
        connection: &mut PgConnection,
    ) -> Option<Result<bool, sqlx::Error>> {
        let mut idle = std::pin::pin!(is_idle(connection));
        if let Some(process) = &self.process {
            match tokio::time::timeout(STATEMENT_PATIENCE, &mut idle).await {
                Ok(answered) => return Some(answered),
                Err(_) => self.cancel(process.load(Ordering::Relaxed)).await,
            }
        }
        tokio::time::timeout(RELEASE_TIMEOUT, idle).await.ok()
    }

    /// Cancels the statement of that server process. If that fails, `statement_timeout` ends it.
    async fn cancel(&self, process: i32) {
        let cancelled = tokio::time::timeout(RELEASE_TIMEOUT, async {
            let mut other = self.options.connect().await?;
            sqlx::query("SELECT pg_cancel_backend($1)")
                .bind(process)
                .execute(&mut other)
                .await?;
            other.close().await
        })
        .await;
        match cancelled {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => tracing::debug!(%problem, "cannot cancel a statement"),
            Err(_) => tracing::debug!("cancelling a statement timed out"),
        }
    }

    /// Replaces a connection that does not respond, and drops it: an orderly close, as by sqlx, waits for the server's response if the
    /// connection is encrypted, and keeps its slot in the pool for as long.
    async fn replace(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        for _ in 0..REPLACEMENTS {
            let other = async {
                let mut other = self.options.connect().await?;
                self.prepare(&mut other).await?;
                Ok::<_, sqlx::Error>(other)
            };
            match tokio::time::timeout(DATABASE_TIMEOUT, other).await {
                Ok(Ok(other)) => {
                    *connection = other;
                    return Ok(true);
                }
                Ok(Err(_)) => tokio::time::sleep(RELEASE_TIMEOUT).await,
                Err(_) => {}
            }
        }
        Err(sqlx::Error::PoolTimedOut)
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait, Statement, TransactionTrait};

    use super::{CHECKS, connect};
    use crate::store::test_store::TestStore;

    #[tokio::test]
    async fn p50_what_the_database_is_set_to_weakens_no_promise() {
        let Some(fixture) = TestStore::on_postgres_if_any().await else {
            return;
        };
        for setting in [
            "synchronous_commit = 'local'",
            "default_transaction_isolation = 'serializable'",
        ] {
            let set = format!(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {}', current_database()); END $$",
                setting.replace('\'', "''")
            );
            fixture.execute_script(&set).await;
        }
        let connections = connect(&fixture.options().database_url).await.expect("it");
        for (setting, expected) in [
            ("synchronous_commit", "on"),
            ("transaction_isolation", "read committed"),
        ] {
            let connection = &connections.checks;
            let question = Statement::from_string(
                connection.get_database_backend(),
                format!("SELECT current_setting('{setting}')"),
            );
            let row = connection.query_one_raw(question).await.expect("a row");
            let value: String = row.expect("a row").try_get_by_index(0).expect("a text");
            assert_eq!(value, expected, "{setting}");
        }
    }

    #[tokio::test]
    async fn p65_nothing_is_written_into_a_session_that_somebody_left_in_a_transaction() {
        let Some(fixture) = TestStore::on_postgres_if_any().await else {
            return;
        };
        fixture
            .execute_script("CREATE TABLE numbers (number integer)")
            .await;
        let url = &fixture.options().database_url;
        let connections = connect(url).await.expect("connected");
        let pool = &connections.checks;
        let left = [
            "BEGIN",
            "BEGIN; INSERT INTO numbers VALUES (0)",
            "BEGIN; SELECT 1 / 0",
        ];
        for sql in left {
            // Enough to use every connection of the pool twice.
            for _ in 0..2 * CHECKS {
                let left = pool.execute_unprepared(sql).await;
                assert_eq!(left.is_err(), sql.contains("/ 0"), "{left:?}");
                // A cancelled `begin` also leaves a transaction open, which sqlx does not detect.
                let _ = tokio::time::timeout(std::time::Duration::ZERO, pool.begin()).await;
                let insert = "INSERT INTO numbers VALUES (1)";
                pool.execute_unprepared(insert).await.expect("inserted");
            }
        }
        let other = connect(url).await.expect("connected");
        let count = Statement::from_string(
            pool.get_database_backend(),
            "SELECT sum(number), count(*) FROM numbers",
        );
        let row = other
            .checks
            .query_one_raw(count)
            .await
            .expect("an answer")
            .expect("a row");
        let sums: (i64, i64) = (
            row.try_get_by_index(0).expect("a number"),
            row.try_get_by_index(1).expect("a number"),
        );
        let expected = i64::from(2 * CHECKS) * 3;
        assert_eq!(sums, (expected, expected));
    }
}
