//! How a change on PostgreSQL waits until it holds on every replica: *the revocation barrier*.
//!
//! A change is answered when every replica on the list has said that it has stamped it, or when [`BOUND`] has gone by since the
//! commit. A replica that has said nothing until then has no lease either: one that was given after the commit would have come with
//! the note of it (`poll.rs`), and one from before has run out. So the answer is true of every replica, also of one that is cut off,
//! and costs who makes the change a second at most.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, FromQueryResult, Statement, Value,
};
use std::time::Duration;
use tokio::time::{sleep, timeout};

use super::{clock, lease::BOUND, replica::Replica};
use crate::{Error, propagation::Propagation, store::deadline::with_timeout};

/// How long after the commit the replicas are asked the second time: most have answered by then.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// What a transaction has noted itself.
const OWN: &str = "
    SELECT DISTINCT xid::text AS xid FROM key_state_changes
    WHERE xid = pg_current_xact_id_if_assigned()";

/// And what others have noted that some replica has not stamped: who finds done what it wants to do, waits for it all the same.
const PENDING: &str = "
    SELECT DISTINCT xid::text AS xid FROM key_state_changes AS note
    WHERE xid = pg_current_xact_id_if_assigned()
        OR (xid >= (
            SELECT coalesce(pg_snapshot_xmin(applied), '0'::xid8) FROM replicas ORDER BY 1 LIMIT 1
        ) AND pg_visible_in_snapshot(xid, pg_current_snapshot()) AND EXISTS (
            SELECT FROM replicas
            WHERE NOT coalesce(pg_visible_in_snapshot(note.xid, applied), false)))";

/// Those that everybody on the list has stamped, and those from the future, which came with a dump of another cluster. Who has said
/// nothing yet may need any of the others. A transaction that stays open holds up none but its own.
const PRUNE: &str = "
    DELETE FROM key_state_changes WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM key_state_changes
        WHERE NOT pg_visible_in_snapshot(xid, pg_current_snapshot())
            OR (EXISTS (SELECT FROM replicas) AND NOT EXISTS (
                SELECT FROM replicas WHERE NOT coalesce(pg_visible_in_snapshot(xid, applied), false)))
        LIMIT 1000))";

const ASK: &str = "
    SELECT count(*) AS replicas, count(*) FILTER (
        WHERE applied IS NOT NULL AND NOT EXISTS (
            SELECT FROM unnest(string_to_array($1, ',')) AS change
            WHERE NOT pg_visible_in_snapshot(change::xid8, applied))
    ) AS refused_on
    FROM replicas";

/// Changes that are to hold everywhere.
#[derive(Debug)]
pub(crate) struct Barrier {
    /// The numbers of their transactions.
    transactions: Vec<String>,
}

impl Barrier {
    /// Those that `transaction` has made; with those that others have made and that do not hold everywhere yet, where it `waits_for_all`.
    pub(crate) async fn of(
        transaction: &DatabaseTransaction,
        waits_for_all: bool,
    ) -> Result<Self, Error> {
        let sql = if waits_for_all { PENDING } else { OWN };
        let question = Statement::from_string(transaction.get_database_backend(), sql);
        let mut transactions = Vec::new();
        for row in transaction.query_all_raw(question).await? {
            transactions.push(row.try_get("", "xid")?);
        }
        Ok(Self { transactions })
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// Waits until they hold on every replica. To be called when they are committed. `own` is the replica that this process is.
    pub(crate) async fn wait(
        &self,
        connection: &DatabaseConnection,
        own: Option<&Replica>,
    ) -> Propagation {
        let committed = clock::now();
        if let Some(own) = own {
            own.poll_now();
        }
        let mut receipt = Propagation {
            // Before anybody has said how many: 0 of 0 would be all of them.
            replicas: 1,
            refused_on: 0,
            after_ms: 0,
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let rest = BOUND.saturating_sub(clock::now().since(committed));
            let asked = timeout(rest, self.ask(connection)).await;
            let waited = clock::now().since(committed);
            // Rounded up: by then they knew.
            receipt.after_ms =
                u64::try_from(waited.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
            match asked {
                Ok(Ok((replicas, refused_on))) => {
                    // A server that is not on the list, as after a restore, is a replica all the same: it registers again soon.
                    let serving = u32::from(own.is_some());
                    (receipt.replicas, receipt.refused_on) = (replicas.max(serving), refused_on);
                    if refused_on >= receipt.replicas {
                        return receipt;
                    }
                }
                Ok(Err(error)) => tracing::debug!(
                    error = &error as &(dyn std::error::Error + 'static),
                    "cannot ask which replicas know of a change"
                ),
                Err(_) => {}
            }
            let rest = BOUND.saturating_sub(waited);
            if rest.is_zero() {
                tracing::warn!(
                    replicas = receipt.replicas,
                    refused_on = receipt.refused_on,
                    "not every replica has said that it knows of a change: their leases have run out instead"
                );
                return receipt;
            }
            sleep(pause.min(rest)).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    async fn ask(&self, connection: &DatabaseConnection) -> Result<(u32, u32), Error> {
        let numbers = Value::from(self.transactions.join(","));
        let question =
            Statement::from_sql_and_values(connection.get_database_backend(), ASK, [numbers]);
        let counts = Counts::find_by_statement(question).one(connection).await?;
        let counts = counts.ok_or(Error::Unavailable("no answer".into()))?;
        let number = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        Ok((number(counts.replicas), number(counts.refused_on)))
    }
}

#[derive(FromQueryResult)]
struct Counts {
    replicas: i64,
    refused_on: i64,
}

/// Deletes some of the notes that have done their work.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn prune(connection: &DatabaseConnection) -> Result<(), Error> {
    with_timeout(connection.execute_unprepared(PRUNE)).await?;
    Ok(())
}
