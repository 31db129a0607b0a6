//! The barrier: a change on PostgreSQL waits until it is in force on every replica.
//!
//! A change returns when every registered replica has confirmed that it applied it, or when [`BOUND`] has passed since the commit. A
//! replica that has not confirmed by then holds no lease: a lease granted after the commit came with the log entry of the change
//! (`poll.rs`), and a lease from before has expired. So the change is in force on every replica, even on one that is cut off, and it
//! waits one second at most.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, FromQueryResult, Statement, Value,
};
use std::time::Duration;
use tokio::time::{sleep, timeout};

use super::{clock, lease::BOUND, replica::Replica};
use crate::{Error, propagation::Propagation, store::deadline::with_timeout};

/// Time between the first two counts of the confirmations; most replicas have confirmed by then.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The own transaction, if it has log entries.
const OWN: &str = "
    SELECT DISTINCT xid::text AS xid FROM key_state_changes
    WHERE xid = pg_current_xact_id_if_assigned()";

/// Adds transactions of others that some replica has not applied yet. A revocation that changes nothing must wait for the preceding one.
const PENDING: &str = "
    SELECT DISTINCT xid::text AS xid FROM key_state_changes AS entry
    WHERE xid = pg_current_xact_id_if_assigned()
        OR (xid >= (
            SELECT coalesce(pg_snapshot_xmin(applied), '0'::xid8) FROM replicas ORDER BY 1 LIMIT 1
        ) AND pg_visible_in_snapshot(xid, pg_current_snapshot()) AND EXISTS (
            SELECT FROM replicas
            WHERE NOT coalesce(pg_visible_in_snapshot(entry.xid, applied), false)))";

/// Deletes entries that every registered replica has applied, and entries of future transactions, which came with a dump of another
/// cluster. A replica that has not confirmed anything may still need any entry. An open transaction retains only its own entries.
const PRUNE: &str = "
    DELETE FROM key_state_changes WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM key_state_changes
        WHERE NOT pg_visible_in_snapshot(xid, pg_current_snapshot())
            OR (EXISTS (SELECT FROM replicas) AND NOT EXISTS (
                SELECT FROM replicas WHERE NOT coalesce(pg_visible_in_snapshot(xid, applied), false)))
        LIMIT 1000))";

/// Counts the replicas, and those that have applied all given transactions.
const COUNT: &str = "
    SELECT count(*) AS replicas, count(*) FILTER (
        WHERE applied IS NOT NULL AND NOT EXISTS (
            SELECT FROM unnest(string_to_array($1, ',')) AS change
            WHERE NOT pg_visible_in_snapshot(change::xid8, applied))
    ) AS refused_on
    FROM replicas";

/// Committed transactions whose changes must be in force on every replica.
#[derive(Debug)]
pub(crate) struct Barrier {
    /// Transaction identifiers (`xid8`) as text.
    transactions: Vec<String>,
}

impl Barrier {
    /// The barrier for `transaction`. With `waits_for_all`, also for earlier changes by others that are not in force on every replica yet.
    pub(crate) async fn of(
        transaction: &DatabaseTransaction,
        waits_for_all: bool,
    ) -> Result<Self, Error> {
        let sql = if waits_for_all { PENDING } else { OWN };
        let query = Statement::from_string(transaction.get_database_backend(), sql);
        let mut transactions = Vec::new();
        for row in transaction.query_all_raw(query).await? {
            transactions.push(row.try_get("", "xid")?);
        }
        Ok(Self { transactions })
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// Waits until every replica has confirmed, at most for [`BOUND`]. Must be called after the commit. `own` is this process's replica.
    pub(crate) async fn wait(
        &self,
        connection: &DatabaseConnection,
        own: Option<&Replica>,
    ) -> Propagation {
        let committed = clock::now();
        if let Some(own) = own {
            own.poll_now();
        }
        let mut propagation = Propagation {
            // Before the first count, 0 of 0 would read as all replicas.
            replicas: 1,
            refused_on: 0,
            after_ms: 0,
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let rest = BOUND.saturating_sub(clock::now().since(committed));
            let counted = timeout(rest, self.count(connection)).await;
            let waited = clock::now().since(committed);
            // Rounded up, because it is an upper bound.
            propagation.after_ms =
                u64::try_from(waited.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
            match counted {
                Ok(Ok((replicas, refused_on))) => {
                    // This server may be missing from the table, as after a restore; it registers again soon.
                    let serving = u32::from(own.is_some());
                    (propagation.replicas, propagation.refused_on) =
                        (replicas.max(serving), refused_on);
                    if refused_on >= propagation.replicas {
                        return propagation;
                    }
                }
                Ok(Err(error)) => tracing::debug!(
                    error = &error as &(dyn std::error::Error + 'static),
                    "cannot count the replicas that applied a change"
                ),
                Err(_) => {}
            }
            let rest = BOUND.saturating_sub(waited);
            if rest.is_zero() {
                let (replicas, refused_on) = (propagation.replicas, propagation.refused_on);
                tracing::warn!(
                    replicas,
                    refused_on,
                    "change confirmed by {refused_on} of {replicas} replicas; remaining leases expired"
                );
                return propagation;
            }
            sleep(pause.min(rest)).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    async fn count(&self, connection: &DatabaseConnection) -> Result<(u32, u32), Error> {
        let numbers = Value::from(self.transactions.join(","));
        let query =
            Statement::from_sql_and_values(connection.get_database_backend(), COUNT, [numbers]);
        let counts = Counts::find_by_statement(query).one(connection).await?;
        let counts = counts.ok_or(Error::Unavailable(
            "the count of replicas returned no row".into(),
        ))?;
        let number = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        Ok((number(counts.replicas), number(counts.refused_on)))
    }
}

#[derive(FromQueryResult)]
struct Counts {
    replicas: i64,
    refused_on: i64,
}

/// Deletes up to 1,000 log entries that are no longer needed.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn prune(connection: &DatabaseConnection) -> Result<(), Error> {
    with_timeout(connection.execute_unprepared(PRUNE)).await?;
    Ok(())
}
