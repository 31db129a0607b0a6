//! A change that is sent to the server, one at a time.

use std::{cell::Cell, pin::Pin, rc::Rc, time::Duration};

use leptos::{prelude::*, task::spawn_local};

use crate::{
    browser,
    error::{AppError, ErrorCode},
};

/// The limit on waiting for the response. The server takes at most 30 seconds.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(35);

/// The state of a form that sends a change. While a response is awaited, leaving the page asks first.
#[derive(Clone, Copy)]
pub struct Submission {
    /// Whether a response is awaited.
    pub is_busy: RwSignal<bool>,
    /// The error of the change, or the message that its outcome is unknown.
    pub failure: RwSignal<Option<AppError>>,
    /// The change as a participle, e.g. `rotated`, for the message of an unknown outcome.
    done: &'static str,
    /// Set if the list is outdated, so that it is reloaded: the outcome of the change is unknown, or the key is revoked.
    is_stale: Option<RwSignal<bool>>,
}

impl Submission {
    /// A form that was not sent yet, or that the server rejected with `failure`.
    #[must_use]
    pub fn new(
        done: &'static str,
        failure: Option<AppError>,
        is_stale: Option<RwSignal<bool>>,
    ) -> Self {
        Self {
            is_busy: RwSignal::new(false),
            failure: RwSignal::new(failure),
            done,
            is_stale,
        }
    }

    /// Sends the change. `call` handles the response of a change that was made.
    pub fn send(self, call: impl Future<Output = Result<(), AppError>> + 'static) {
        self.send_boxed(Box::pin(call));
    }

    fn send_boxed(self, call: Pin<Box<dyn Future<Output = Result<(), AppError>>>>) {
        self.failure.set(None);
        self.is_busy.set(true);
        browser::hold("response", true);
        let is_over = Rc::new(Cell::new(false));
        let is_late = is_over.clone();
        set_timeout(
            move || {
                if !is_late.replace(true) {
                    self.end(Some(self.unknown()));
                }
            },
            RESPONSE_TIMEOUT,
        );
        spawn_local(async move {
            let result = call.await;
            // A late success is shown too, even after the timeout was reported.
            if !is_over.replace(true) || result.is_ok() {
                self.end(result.err().map(|error| match error.code {
                    ErrorCode::Unreachable => self.unknown(),
                    _ => error,
                }));
            }
        });
    }

    /// Ends the wait. The form may be gone by now.
    fn end(self, failure: Option<AppError>) {
        let is_outdated = (failure.as_ref()).is_some_and(|failure| {
            matches!(
                failure.code,
                ErrorCode::OutcomeUnknown | ErrorCode::KeyRevoked
            )
        });
        if let (true, Some(is_stale)) = (is_outdated, self.is_stale) {
            is_stale.try_set(true);
        }
        self.failure.try_set(failure);
        self.is_busy.try_set(false);
        browser::hold("response", false);
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
