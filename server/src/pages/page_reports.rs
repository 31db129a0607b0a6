//! `POST /page-reports`: a page in a browser reports that it goes on without its script, and why (`app/src/shell/start.js`).

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

/// Reports for one reason that are logged in one [`WINDOW`], whoever sends them: a proxy that changes every page must not flood the log.
const MAX_LOGGED: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);
/// The longest location in the source, in bytes.
const MAX_LOCATION_LENGTH: usize = 120;

/// One for each reason, so that a frequent one does not hide a rare one.
static LIMITERS: Mutex<[LogLimiter; 4]> = Mutex::new([LogLimiter::NEW; 4]);

/// Writes one line to the log for a report of somebody who is signed in. Strangers get the same answer, and no line.
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
                tracing::warn!("further reports of this kind are not logged for a minute");
            }
            LogDecision::Suppress => {}
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

/// Why a page goes on without its script. Nothing of what the page shows is in it.
#[derive(Debug, PartialEq, Eq)]
enum Reason<'a> {
    /// The page is not the one that the server sent.
    Changed,
    /// Its script did not come, or did not start.
    NotLoaded,
    /// Its script stopped.
    Trapped,
    /// Its script panicked at this location in the source.
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

    /// Which limiter counts it.
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

/// Counts reports in windows of time.
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
