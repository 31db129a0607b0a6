//! Whether changes can be committed: what `/readyz` says of it, and what the log says when that changes.

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

/// How long a commit proves that the next one succeeds, and how long a failed try is not repeated: readiness costs one commit a second
/// at most, however often it is asked for.
const PROOF: Duration = Duration::from_secs(1);

/// What the last commits have shown.
#[derive(Debug, Default)]
pub(crate) struct Health {
    state: Mutex<State>,
    /// When a try failed last. Held by the one who tries.
    trying: sync::Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct State {
    /// When a commit succeeded last; `None` since anything failed.
    committed: Option<Instant>,
    /// Since when commits fail.
    failing: Option<Instant>,
}

impl Health {
    /// A commit succeeded.
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

    /// Something in a transaction failed: the next one shows whether that was the database.
    pub(super) fn doubted(&self) {
        self.state().committed = None;
    }

    /// A transaction could not begin, or not be committed.
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

    /// Whether changes can be committed. `attempt` commits one; it is made where nothing else has shown it within a second.
    ///
    /// # Errors
    /// That of `attempt`; [`Error::Unavailable`] where one failed less than a second ago.
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
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is the database that failed, and not others who were faster.
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
