//! The process of PostgreSQL behind a connection that was given up.
//!
//! While no synchronous standby confirms, a commit waits, and does not notice that its client is gone. A replica that connects again and
//! again would leave one such process each time, until there is no connection left for anybody.

use chrono::{DateTime, Utc};
use sea_orm::sqlx::{self, postgres::PgConnection};

/// The number of a process is given out again: with its start it is that process alone.
const OF_CONNECTION: &str =
    "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()";

/// A role may end what is its own. What it wrote stays, and nobody was answered.
const END: &str = "
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE pid = $1 AND backend_start = $2 AND wait_event = 'SyncRep'";

/// A process of PostgreSQL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backend {
    pid: i32,
    started_at: DateTime<Utc>,
}

impl Backend {
    /// The one that serves this connection.
    pub(super) async fn of(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let (pid, started_at) = sqlx::query_as(OF_CONNECTION).fetch_one(connection).await?;
        Ok(Self { pid, started_at })
    }

    /// Ends it, if it is still there and waits for a standby. Whatever else it does, it notices by itself.
    pub(super) async fn end(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(END)
            .bind(self.pid)
            .bind(self.started_at)
            .execute(connection)
            .await?;
        Ok(())
    }
}
