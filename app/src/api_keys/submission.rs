//! A change on its way to the server: one at a time, and what is said if no answer comes.

use std::{cell::Cell, pin::Pin, rc::Rc, time::Duration};

use leptos::{prelude::*, task::spawn_local};

use crate::{
    browser,
    error::{AppError, ErrorCode},
};

/// How long a page waits for an answer. The server takes 30 seconds at most.
const PATIENCE: Duration = Duration::from_secs(35);

/// The state of a form that sends a change. While an answer is awaited, the page is not left without a question.
#[derive(Clone, Copy)]
pub struct Submission {
    /// Whether an answer is awaited.
    pub is_busy: RwSignal<bool>,
    /// Why the change was not made, or that nobody knows.
    pub failure: RwSignal<Option<AppError>>,
    /// The change whose outcome is unknown, as a participle, e.g. `rotated`.
    done: &'static str,
    /// Whether the list under a dialog may not show what happened.
    is_stale: Option<RwSignal<bool>>,
}

impl Submission {
    /// A form that was not sent yet, or that the server refused with `failure`. `is_stale` is set when nobody knows whether the change was
    /// made: the list is to be read again then.
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

    /// Sends the change. `call` handles the answer where the change was made.
    pub fn send(self, call: impl Future<Output = Result<(), AppError>> + 'static) {
        self.send_boxed(Box::pin(call));
    }

    fn send_boxed(self, call: Pin<Box<dyn Future<Output = Result<(), AppError>>>>) {
        self.failure.set(None);
        self.is_busy.set(true);
        browser::hold("answer", true);
        let is_over = Rc::new(Cell::new(false));
        let is_late = is_over.clone();
        set_timeout(
            move || {
                if !is_late.replace(true) {
                    self.end(Some(self.unknown()));
                }
            },
            PATIENCE,
        );
        spawn_local(async move {
            let result = call.await;
            // Late or not: what was made is shown, whatever was said meanwhile.
            if !is_over.replace(true) || result.is_ok() {
                self.end(result.err().map(|error| match error.code {
                    ErrorCode::Unreachable => self.unknown(),
                    _ => error,
                }));
            }
        });
    }

    /// The form may be gone by now.
    fn end(self, failure: Option<AppError>) {
        let is_unknown =
            (failure.as_ref()).is_some_and(|failure| failure.code == ErrorCode::OutcomeUnknown);
        if let (true, Some(is_stale)) = (is_unknown, self.is_stale) {
            is_stale.try_set(true);
        }
        self.failure.try_set(failure);
        self.is_busy.try_set(false);
        browser::hold("answer", false);
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
