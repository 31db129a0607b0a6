//! A change on its way to the server: one at a time, and what is said if no answer comes.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};

use crate::{
    browser,
    error::{AppError, ErrorCode},
};

/// How long a page waits for an answer. The server takes 30 seconds at most.
const PATIENCE: Duration = Duration::from_secs(35);

/// Set in the list when a dialog over it has sent a change whose outcome is unknown: the list is read again when the dialog closes.
#[derive(Clone, Copy)]
pub struct ListIsStale(pub RwSignal<bool>);

/// The state of a form that sends a change. While an answer is awaited, the page cannot be left without a question.
#[derive(Clone, Copy)]
pub struct Change {
    /// Whether an answer is awaited.
    pub is_busy: RwSignal<bool>,
    /// Why the change was not made, or that nobody knows.
    pub failure: RwSignal<Option<AppError>>,
    /// What may have happened to the key, e.g. `rotated`.
    done: &'static str,
    attempt: StoredValue<u32>,
    stale: Option<ListIsStale>,
}

impl Change {
    /// A form that was not sent yet, or that the server refused with `failure`.
    #[must_use]
    pub fn new(done: &'static str, failure: Option<AppError>) -> Self {
        let is_busy = RwSignal::new(false);
        Effect::new(move |_| {
            browser::hold_page(move |_| is_busy.try_get_untracked() == Some(true))
        });
        Self {
            is_busy,
            failure: RwSignal::new(failure),
            done,
            attempt: StoredValue::new(0),
            stale: use_context(),
        }
    }

    /// Sends the change, and calls `succeed` or `fail` with what came of it.
    pub fn send<T: 'static>(
        self,
        call: impl Future<Output = Result<T, AppError>> + 'static,
        succeed: impl FnOnce(T) + 'static,
        fail: impl FnOnce(&AppError) + 'static,
    ) {
        let attempt = self.attempt.get_value() + 1;
        self.attempt.set_value(attempt);
        self.failure.set(None);
        self.is_busy.set(true);
        set_timeout(
            move || {
                if self.is_current(attempt) && self.is_busy.try_get_untracked() == Some(true) {
                    self.end(Some(self.unknown()));
                }
            },
            PATIENCE,
        );
        spawn_local(async move {
            let result = call.await;
            match result {
                // Late or not: a secret is shown, whatever was said meanwhile.
                Ok(done) => {
                    self.end(None);
                    succeed(done);
                }
                Err(error) if self.is_current(attempt) => {
                    let error = match error.code {
                        ErrorCode::Unreachable => self.unknown(),
                        _ => error,
                    };
                    fail(&error);
                    self.end(Some(error));
                }
                Err(_) => {}
            }
        });
    }

    /// The form may be gone by now.
    fn is_current(self, attempt: u32) -> bool {
        self.attempt.try_get_value() == Some(attempt)
    }

    fn end(self, failure: Option<AppError>) {
        let is_unknown =
            (failure.as_ref()).is_some_and(|failure| failure.code == ErrorCode::OutcomeUnknown);
        if let (true, Some(ListIsStale(stale))) = (is_unknown, self.stale) {
            stale.try_set(true);
        }
        self.failure.try_set(failure);
        self.is_busy.try_set(false);
    }

    fn unknown(self) -> AppError {
        AppError {
            message: format!(
                "Latchkey did not answer. The key may have been {}: look at the list.",
                self.done
            ),
            ..AppError::new(ErrorCode::OutcomeUnknown)
        }
    }
}
