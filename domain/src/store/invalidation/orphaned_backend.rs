//! Orphaned backends: PostgreSQL processes whose connection this replica has given up.
//!
//! While no synchronous standby confirms, a commit waits and the backend does not detect that its client is gone. A replica that
//! reconnects repeatedly would leave one such backend each time, until no connection slot is free.

use chrono::{DateTime, Utc};
use sea_orm::sqlx::{self, postgres::PgConnection};

/// Terminates the previous backend if it waits for a standby, and returns this connection's own. PIDs are reused, so the start time is
/// compared too. A role may terminate its own backends; the work of this one was committed but never acknowledged. One statement saves a
/// round trip.
const TAKE_OVER: &str = "
    WITH ended AS (
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE pid = $1 AND backend_start = $2 AND wait_event = 'SyncRep'
    )
    SELECT pid, backend_start, (SELECT count(*) FROM ended) FROM pg_stat_activity
    WHERE pid = pg_backend_pid()";

/// A backend, identified by PID and start time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backend {
    pid: i32,
    started_at: DateTime<Utc>,
}

impl Backend {
    /// Returns the backend of this connection, and terminates `before` if it still waits for a standby. A backend in any other state
    /// detects by itself that its client is gone.
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
