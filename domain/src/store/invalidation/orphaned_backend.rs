//! The process of PostgreSQL behind a connection that was given up.
//!
//! While no synchronous standby confirms, a commit waits, and does not notice that its client is gone. A replica that connects again and
//! again would leave one such process each time, until there is no connection left for anybody.

use chrono::{DateTime, Utc};
use sea_orm::sqlx::{self, postgres::PgConnection};

/// The number of a process is given out again: with its start it is that process alone. A role may end what is its own; what it wrote
/// stays, and nobody was answered. One question for both: the way may be long.
const TAKE_OVER: &str = "
    WITH ended AS (
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE pid = $1 AND backend_start = $2 AND wait_event = 'SyncRep'
    )
    SELECT pid, backend_start, (SELECT count(*) FROM ended) FROM pg_stat_activity
    WHERE pid = pg_backend_pid()";

/// A process of PostgreSQL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backend {
    pid: i32,
    started_at: DateTime<Utc>,
}

impl Backend {
    /// The one that serves this connection. Ends the one before it, if that is still there and waits for a standby; whatever else that
    /// does, it notices by itself that nobody is there.
    pub(super) async fn take_over(
        connection: &mut PgConnection,
        before: Option<Self>,
    ) -> Result<Self, sqlx::Error> {
        let (pid, started_at, _ended): (_, _, i64) = sqlx::query_as(TAKE_OVER)
            .bind(before.map(|backend| backend.pid))
            .bind(before.map(|backend| backend.started_at))
            .fetch_one(connection)
            .await?;
        Ok(Self { pid, started_at })
    }
}
