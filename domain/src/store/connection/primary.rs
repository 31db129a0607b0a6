//! Detects the primary among PostgreSQL servers.
//!
//! After a fail-over the old primary may come back as a standby, which returns an earlier state; or, if it was never stopped, continue to
//! accept writes. Every promotion begins a new *timeline*, with a higher number
//! (<https://www.postgresql.org/docs/current/continuous-archiving.html>). So a server on an earlier timeline than one already seen is
//! refused.

use sea_orm::sqlx::{self, postgres::PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::store::error::is_unavailability;

/// The first eight digits of the name of a write-ahead file are its timeline. A standby returns NULL.
const TIMELINE: &str = "
    SELECT CASE WHEN pg_is_in_recovery() THEN NULL
        ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END";

/// A confirmed change must survive a crash, and exist on the standby that takes over. `remote_apply` is stricter, and is kept.
const DURABLE: &str = "
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

const IS_STANDBY: &str = "SELECT pg_is_in_recovery()";

/// The newest known primary.
#[derive(Debug, Default)]
pub(crate) struct Primary {
    /// The newest timeline seen; 0 if the server does not reveal it, as some managed ones do not.
    newest: AtomicU32,
}

impl Primary {
    /// Reads the timeline on a first connection.
    ///
    /// # Errors
    /// Fails if it is a standby, or if the connection ends.
    pub(super) async fn learn(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let primary = Self::default();
        match timeline(connection).await {
            Ok(Some(timeline)) => primary.newest.store(timeline, Ordering::Relaxed),
            Ok(None) => return Err(refused("the PostgreSQL server is a standby")),
            Err(problem @ sqlx::Error::Database(_)) if !is_unavailability(&problem) => {
                tracing::info!(
                    %problem,
                    "PostgreSQL timeline not readable: a former primary cannot be detected"
                )
            }
            Err(error) => return Err(error),
        }
        Ok(primary)
    }

    /// Whether this connection leads to the primary.
    ///
    /// # Errors
    /// Fails if the connection ends.
    pub(super) async fn is_at(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        if self.newest.load(Ordering::Relaxed) == 0 {
            let is_standby: bool = sqlx::query_scalar(IS_STANDBY).fetch_one(connection).await?;
            return Ok(!is_standby);
        }
        Ok(timeline(connection)
            .await?
            .is_some_and(|timeline| self.newest.fetch_max(timeline, Ordering::Relaxed) <= timeline))
    }

    /// Prepares a new connection to the primary.
    ///
    /// # Errors
    /// Fails if it leads to another server, or ends.
    pub(crate) async fn prepare(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if !self.is_at(connection).await? {
            return Err(refused(
                "the PostgreSQL server is a standby or a former primary",
            ));
        }
        sqlx::query(DURABLE).execute(connection).await?;
        Ok(())
    }
}

async fn timeline(connection: &mut PgConnection) -> Result<Option<u32>, sqlx::Error> {
    let digits: Option<String> = sqlx::query_scalar(TIMELINE).fetch_one(connection).await?;
    digits
        .map(|digits| {
            u32::from_str_radix(&digits, 16).map_err(|error| sqlx::Error::Decode(error.into()))
        })
        .transpose()
}

fn refused(reason: &'static str) -> sqlx::Error {
    sqlx::Error::Configuration(reason.into())
}
