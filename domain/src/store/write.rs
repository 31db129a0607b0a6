//! The one way to change the database. `Ok` commits and returns when the change is visible everywhere; `Err` rolls back before it returns.
//!
//! A write whose future is dropped, or that takes longer than [`DATABASE_TIMEOUT`], is rolled back too. Once the commit has begun, it runs
//! to its end in a task of its own: a caller that goes away must not leave a change that no cache has been told of.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::{JoinError, JoinHandle};
use uuid::Uuid;

use super::{
    change_line::ChangeLine,
    connection::{Database, WriteTransaction},
    deadline::{DATABASE_TIMEOUT, with_timeout},
    invalidation::{Invalidation, barrier::Barrier, replica::Replica, single_node::SingleNode},
    receipts,
};
use crate::{
    Error,
    propagation::{Propagation, Written},
};

/// What a write waits for before it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Until every cache has applied what the write itself changed.
    Plain,
    /// Also until every cache has applied what others changed before: for writes that change the state of a key, a group or a tenant, or
    /// find it as it should be. A revocation that finds the key revoked must not return before the revocation that came first is in effect.
    /// For the same reason it also waits before it returns [`Error::KeyRevoked`], [`Error::Stale`] or [`Error::Repeated`].
    ChangesVerdicts,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Commit,
    RollBack,
}

impl Database {
    /// Runs `work` in a write transaction: `BEGIN IMMEDIATE` on SQLite, one at a time. Commits if it returns `Ok`, rolls back otherwise.
    ///
    /// ```ignore
    /// let written = database.write(Write::Plain, async |transaction| { …; Ok(key) }).await?;
    /// ```
    ///
    /// # Errors
    /// Those of `work`; [`Error::Unavailable`] if the database cannot be reached or takes too long: nothing was changed.
    /// [`Error::OutcomeUnknown`] if it did not confirm the commit.
    pub(crate) async fn write<T>(
        &self,
        kind: Write,
        work: impl AsyncFnOnce(&WriteTransaction) -> Result<T, Error>,
    ) -> Result<Written<T>, Error> {
        let transaction = self.begin_write().await?;
        // Boxed: `work` would otherwise be stored twice in the future of every caller.
        match with_timeout(Box::pin(work(&transaction))).await {
            Ok(value) => {
                let propagation = self.end_write(transaction, kind, Ending::Commit).await?;
                Ok(Written { value, propagation })
            }
            Err(error) if kind == Write::ChangesVerdicts && reports_state(&error) => {
                self.end_write(transaction, kind, Ending::RollBack).await?;
                Err(error)
            }
            Err(error) => Err(transaction.roll_back_for(error).await),
        }
    }

    /// [`Self::write`] without a time limit, for work that takes longer than any request may: migrations and test data. Statements that
    /// can wait for others need a limit of their own.
    ///
    /// # Errors
    /// The errors of [`Self::write`].
    pub(crate) async fn write_without_limit<T>(
        &self,
        work: impl AsyncFnOnce(&WriteTransaction) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let transaction = self.begin_write().await?;
        match work(&transaction).await {
            Ok(value) => {
                let report = self.report(&transaction, Ending::Commit);
                let _waiting = Waiting(report.clone());
                let commit =
                    self.spawn_ending(transaction, Write::Plain, Ending::Commit, None, report);
                joined(commit.await)?;
                Ok(value)
            }
            Err(error) => Err(transaction.roll_back_for(error).await),
        }
    }

    /// Proves that changes can be committed, by a commit that other connections can see, at most one a second.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::OutcomeUnknown`]: not now.
    pub(crate) async fn prove_writes(&self) -> Result<(), Error> {
        let attempt = async {
            self.write(Write::Plain, async |transaction| {
                let statement = match transaction.get_database_backend() {
                    // Writes the number that is there already: a page in the write-ahead log, and a sync.
                    DbBackend::Sqlite => "PRAGMA user_version = 0",
                    // A record in the write-ahead log that changes no table.
                    _ => "SELECT pg_logical_emit_message(true, 'latchkey', '')",
                };
                transaction.execute_unprepared(statement).await?;
                Ok(())
            })
            .await
            .map(drop)
        };
        self.writer().health.prove(attempt).await
    }

    async fn begin_write(&self) -> Result<WriteTransaction, Error> {
        self.writer().begin().await
    }

    async fn end_write(
        &self,
        transaction: WriteTransaction,
        kind: Write,
        ending: Ending,
    ) -> Result<Option<Propagation>, Error> {
        let is_file = transaction.get_database_backend() == DbBackend::Sqlite;
        let report = self.report(&transaction, ending);
        let task = self.spawn_ending(
            transaction,
            kind,
            ending,
            Some(DATABASE_TIMEOUT),
            report.clone(),
        );
        let _waiting = Waiting(report);
        if !is_file {
            // On PostgreSQL the task limits its own time, which includes the wait for the replicas.
            return joined(task.await);
        }
        match tokio::time::timeout(DATABASE_TIMEOUT, task).await {
            Ok(ended) => joined(ended),
            Err(elapsed) => {
                let error = Error::OutcomeUnknown(Box::new(elapsed));
                self.writer().health.failed(&error);
                Err(error)
            }
        }
    }

    /// A server logs its changes. A command reports its one change itself.
    fn report(&self, transaction: &WriteTransaction, ending: Ending) -> Report {
        let lines = if ending == Ending::Commit && self.options().serves {
            transaction.take_lines()
        } else {
            Vec::new()
        };
        Report::of(lines)
    }

    /// Ends the transaction in a task of its own, which outlives the caller. `limit` bounds the COMMIT of PostgreSQL.
    fn spawn_ending(
        &self,
        transaction: WriteTransaction,
        kind: Write,
        ending: Ending,
        limit: Option<Duration>,
        report: Report,
    ) -> JoinHandle<Result<Option<Propagation>, Error>> {
        self.note_write();
        match transaction.get_database_backend() {
            DbBackend::Sqlite => {
                let node = match self.invalidation() {
                    Invalidation::SingleNode(node) => Some(Arc::clone(node)),
                    _ => None,
                };
                tokio::spawn(async move {
                    let ended = end_on_sqlite(transaction, ending, node).await;
                    report.ended(&ended);
                    ended
                })
            }
            _ => {
                let replica = match self.invalidation() {
                    Invalidation::Replica(replica) => Some(Arc::clone(replica)),
                    _ => None,
                };
                let reader = self.checks().clone();
                let health = Arc::clone(&self.writer().health);
                tokio::spawn(async move {
                    let events = report.event_ids();
                    let connection = reader.clone();
                    let ended = end_on_postgres(transaction, kind, ending, limit, reader, replica)
                        .await
                        .inspect_err(|error| health.failed(error));
                    report.ended(&ended);
                    if let (Ok(Some(propagation)), Ending::Commit, false) =
                        (&ended, ending, events.is_empty())
                    {
                        // The response does not wait for the receipt.
                        tokio::spawn(receipts::record(connection, events, *propagation));
                    }
                    ended
                })
            }
        }
    }
}

/// Whether the error states what an earlier change made of the row, and so must not be returned before that change is visible everywhere.
const fn reports_state(error: &Error) -> bool {
    matches!(
        error,
        Error::KeyRevoked | Error::Stale | Error::Repeated { .. }
    )
}

/// The result of a task that ends a transaction. A task that panicked has not told the outcome.
fn joined(
    ended: Result<Result<Option<Propagation>, Error>, JoinError>,
) -> Result<Option<Propagation>, Error> {
    ended.unwrap_or_else(|error| Err(Error::OutcomeUnknown(Box::new(error))))
}

async fn end_on_sqlite(
    transaction: WriteTransaction,
    ending: Ending,
    node: Option<Arc<SingleNode>>,
) -> Result<Option<Propagation>, Error> {
    let ended = match ending {
        Ending::Commit => transaction.commit().await,
        Ending::RollBack => {
            transaction.roll_back().await;
            Ok(())
        }
    };
    // Also after a failed commit: its outcome may be unknown.
    if let Some(node) = node {
        #[cfg(test)]
        node.pause.here().await;
        node.catch_up().await;
    }
    ended.map(|()| None)
}

async fn end_on_postgres(
    transaction: WriteTransaction,
    kind: Write,
    ending: Ending,
    limit: Option<Duration>,
    reader: DatabaseConnection,
    replica: Option<Arc<Replica>>,
) -> Result<Option<Propagation>, Error> {
    let waits_for_all = kind == Write::ChangesVerdicts;
    let barrier = with_timeout(Barrier::of(&transaction, waits_for_all)).await?;
    match (ending, limit) {
        (Ending::RollBack, _) => transaction.roll_back().await,
        (Ending::Commit, None) => transaction.commit().await?,
        (Ending::Commit, Some(limit)) => tokio::time::timeout(limit, transaction.commit())
            .await
            .unwrap_or_else(|elapsed| Err(Error::OutcomeUnknown(Box::new(elapsed))))?,
    }
    if barrier.is_empty() && !waits_for_all {
        return Ok(None);
    }
    Ok(Some(barrier.wait(&reader, replica.as_deref()).await))
}

/// Writes one log line for each audit event of a transaction, once it has ended: by the task of the request, so that the line carries the
/// request's id, or, if the request went away meanwhile, by the task that ended the transaction.
#[derive(Clone)]
struct Report(Arc<Mutex<Pending>>);

struct Pending {
    lines: Vec<ChangeLine>,
    outcome: Option<Outcome>,
    caller_is_gone: bool,
}

#[derive(Clone, Copy)]
enum Outcome {
    Committed,
    Unknown,
    Unchanged,
}

/// Held by the caller while it waits for the end.
struct Waiting(Report);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.update(|pending| pending.caller_is_gone = true);
    }
}

impl Report {
    fn of(lines: Vec<ChangeLine>) -> Self {
        Self(Arc::new(Mutex::new(Pending {
            lines,
            outcome: None,
            caller_is_gone: false,
        })))
    }

    fn event_ids(&self) -> Vec<Uuid> {
        let pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.lines.iter().map(|line| line.event_id).collect()
    }

    fn ended(&self, result: &Result<Option<Propagation>, Error>) {
        self.update(|pending| {
            pending.outcome = Some(match result {
                Ok(_) => Outcome::Committed,
                Err(Error::OutcomeUnknown(_)) => Outcome::Unknown,
                Err(_) => Outcome::Unchanged,
            });
        });
    }

    fn update(&self, change: impl FnOnce(&mut Pending)) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut pending);
        if let (Some(outcome), true) = (pending.outcome, pending.caller_is_gone) {
            for line in std::mem::take(&mut pending.lines) {
                match outcome {
                    Outcome::Committed => line.committed(),
                    Outcome::Unknown => line.unknown(),
                    Outcome::Unchanged => {}
                }
            }
        }
    }
}
