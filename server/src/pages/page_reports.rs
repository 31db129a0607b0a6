//! `POST /page-reports`: a page reports why it continues without its script (`app/src/shell/start.js`).

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use app::ssr;
use axum::{
    body::Bytes,
    extract::{FromRequest as _, Request, State},
    response::{IntoResponse as _, Response},
};
use http::StatusCode;

use super::render::context_of;
use crate::state::AppState;

/// Reports logged per reason and [`WINDOW`], over all clients, so that a proxy that changes every page cannot flood the log.
const MAX_LOGGED: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);
/// The longest source location in a report, in bytes.
const MAX_LOCATION_LENGTH: usize = 120;

/// One per reason, so that a frequent reason does not hide a rare one.
static LIMITERS: Mutex<[LogLimiter; 4]> = Mutex::new([LogLimiter::NEW; 4]);

/// Logs a report of a signed-in user. Other clients get the same response, and nothing is logged.
pub(crate) async fn report(State(state): State<AppState>, request: Request) -> Response {
    let context = context_of(&state, &request);
    let Ok(body) = Bytes::from_request(request, &()).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(reason) = Reason::parse(&body) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    if ssr::signed_in(&context).await.is_ok() {
        let decision = {
            let mut limiters = LIMITERS.lock().unwrap_or_else(PoisonError::into_inner);
            limiters[reason.index()].take(Instant::now())
        };
        match decision {
            LogDecision::Log => reason.log(),
            LogDecision::LogAndSuppress => {
                reason.log();
                tracing::warn!("page reports suppressed for this reason until the minute ends");
            }
            LogDecision::Suppress => {}
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

/// The reason for which a page continues without its script. It contains no page content.
#[derive(Debug, PartialEq, Eq)]
enum Reason<'a> {
    /// A proxy changed the page's HTML.
    Changed,
    /// The script did not load or start.
    NotLoaded,
    /// WebAssembly trapped.
    Trapped,
    /// The script panicked at this source location.
    Panicked(&'a str),
}

impl<'a> Reason<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        match std::str::from_utf8(body).ok()? {
            "changed" => Some(Self::Changed),
            "not loaded" => Some(Self::NotLoaded),
            "trapped" => Some(Self::Trapped),
            text => {
                let location = text.strip_prefix("panicked ")?;
                let is_location = location.len() <= MAX_LOCATION_LENGTH
                    && (location.bytes())
                        .all(|byte| byte.is_ascii_alphanumeric() || b"/\\._-:".contains(&byte));
                is_location.then_some(Self::Panicked(location))
            }
        }
    }

    /// The index of its limiter.
    const fn index(&self) -> usize {
        match self {
            Self::Changed => 0,
            Self::NotLoaded => 1,
            Self::Trapped => 2,
            Self::Panicked(_) => 3,
        }
    }

    fn log(&self) {
        match self {
            Self::Changed => tracing::warn!(
                "page script not started: the page's HTML was changed by a proxy or a browser extension; the page works without it"
            ),
            Self::NotLoaded => tracing::warn!(
                "page script not started: it could not be loaded; the page works without it"
            ),
            Self::Trapped => {
                tracing::error!(
                    "page script stopped: a WebAssembly trap; the page works without it"
                );
            }
            Self::Panicked(location) => {
                tracing::error!(
                    location,
                    "page script stopped: a panic; the page works without it"
                );
            }
        }
    }
}

/// Counts reports per window.
struct LogLimiter {
    opened: Option<Instant>,
    count: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum LogDecision {
    Log,
    LogAndSuppress,
    Suppress,
}

impl LogLimiter {
    const NEW: Self = Self {
        opened: None,
        count: 0,
    };

    fn take(&mut self, now: Instant) -> LogDecision {
        let is_over =
            (self.opened).is_none_or(|opened| now.saturating_duration_since(opened) >= WINDOW);
        if is_over {
            self.opened = Some(now);
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        match self.count {
            ..MAX_LOGGED => LogDecision::Log,
            MAX_LOGGED => LogDecision::LogAndSuppress,
            _ => LogDecision::Suppress,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_of_four_and_carries_no_other_text() {
        assert_eq!(Reason::parse(b"changed"), Some(Reason::Changed));
        assert_eq!(Reason::parse(b"not loaded"), Some(Reason::NotLoaded));
        assert_eq!(Reason::parse(b"trapped"), Some(Reason::Trapped));
        assert_eq!(
            Reason::parse(b"panicked app/src/a.rs:1:2"),
            Some(Reason::Panicked("app/src/a.rs:1:2"))
        );
        let long = format!("panicked {}", "a".repeat(MAX_LOCATION_LENGTH + 1));
        for other in [
            "",
            "Changed",
            "changed\n",
            "panicked",
            "panicked my secret is here",
            "panicked a\nb",
            &long,
        ] {
            assert_eq!(Reason::parse(other.as_bytes()), None, "{other:?}");
        }
        assert_eq!(Reason::parse(b"\xff"), None);
    }

    #[test]
    fn a_flood_is_logged_in_part_and_the_next_minute_anew() {
        let mut limiter = LogLimiter::NEW;
        let start = Instant::now();
        for _ in 1..MAX_LOGGED {
            assert_eq!(limiter.take(start), LogDecision::Log);
        }
        assert_eq!(limiter.take(start), LogDecision::LogAndSuppress);
        assert_eq!(limiter.take(start + WINDOW / 2), LogDecision::Suppress);
        assert_eq!(limiter.take(start + WINDOW), LogDecision::Log);
    }
}
