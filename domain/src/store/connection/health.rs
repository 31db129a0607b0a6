//! Whether changes can be committed: the state for `/readyz`, and log messages when it changes.

use sea_orm::DbErr;
use std::{
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync, time::error::Elapsed};

use crate::{
    Error,
    store::{deadline::with_timeout, error::is_busy},
};

/// How long a commit counts as proof that the next one succeeds, and how long a failed attempt is not repeated: readiness costs at most one
/// commit a second, however often it is queried.
const PROOF: Duration = Duration::from_secs(1);

/// The outcome of the latest commits.
#[derive(Debug, Default)]
pub(crate) struct Health {
    state: Mutex<State>,
    /// Time of the last attempt, if it failed. Locked while an attempt runs.
    trying: sync::Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct State {
    /// Time of the last successful commit; `None` after any failure.
    committed: Option<Instant>,
    /// Time since which commits fail.
    failing: Option<Instant>,
}

impl Health {
    /// Records a successful commit.
    pub(super) fn committed(&self) {
        let failed = {
            let mut state = self.state();
            state.committed = Some(Instant::now());
            state.failing.take()
        };
        if let Some(since) = failed {
            let seconds = since.elapsed().as_secs();
            tracing::info!(seconds, "database writer: commits succeed again");
        }
    }

    /// Records a failure within a transaction: the next commit shows whether the database caused it.
    pub(super) fn doubted(&self) {
        self.state().committed = None;
    }

    /// Records that a transaction could not begin or be committed.
    pub(crate) fn failed(&self, error: &Error) {
        let is_first = {
            let mut state = self.state();
            state.committed = None;
            let is_first = is_failure(error) && state.failing.is_none();
            if is_first {
                state.failing = Some(Instant::now());
            }
            is_first
        };
        if is_first {
            tracing::warn!(
                error = error as &(dyn std::error::Error + 'static),
                "database writer: commits fail, /readyz answers 503 until one succeeds"
            );
        }
    }

    /// Checks that changes can be committed. Runs `attempt`, which commits, unless a commit has succeeded within the last second.
    ///
    /// # Errors
    /// The error of `attempt`; [`Error::Unavailable`] if one failed less than a second ago.
    pub(crate) async fn prove(
        &self,
        attempt: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        if self.is_proven() {
            return Ok(());
        }
        let mut failed = self.trying.lock().await;
        if self.is_proven() {
            return Ok(());
        }
        if failed.is_some_and(|failed| failed.elapsed() < PROOF) {
            return Err(Error::Unavailable("commits fail".into()));
        }
        let proven = with_timeout(attempt).await;
        *failed = proven.is_err().then(Instant::now);
        proven.inspect_err(|error| self.failed(error))
    }

    fn is_proven(&self) -> bool {
        self.state()
            .committed
            .is_some_and(|committed| committed.elapsed() < PROOF)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the database itself failed. A wait for a connection or a lock that took too long is no failure: other transactions were faster.
fn is_failure(error: &Error) -> bool {
    match error {
        Error::OutcomeUnknown(_) => true,
        Error::Unavailable(source) => {
            let is_wait = source.is::<Elapsed>()
                || source.downcast_ref().is_some_and(|error| match error {
                    DbErr::ConnectionAcquire(_) => true,
                    DbErr::Exec(sea_orm::RuntimeErr::SqlxError(error))
                    | DbErr::Query(sea_orm::RuntimeErr::SqlxError(error)) => is_busy(error),
                    _ => false,
                });
            !is_wait
        }
        _ => false,
    }
}
