//! `POST /page-reports`: a page reports why it continues without its script (`app/src/shell/start.js`).

use app::ssr;
use axum::{
    body::Bytes,
    extract::{FromRequest as _, Request, State},
    response::{IntoResponse as _, Response},
};
use domain::log_limit::LogLimit;
use http::StatusCode;
use tracing::Level;

use super::render::context_of;
use crate::state::AppState;

/// Reports logged per reason and minute, over all clients, so that a proxy that changes every page cannot flood the log.
const MAX_LOGGED: u32 = 20;
/// The longest source location in a report, in bytes.
const MAX_LOCATION_LENGTH: usize = 120;

/// One limit per reason.
static LIMITS: [LogLimit; 4] = [
    LogLimit::new("page reports: page changed", Level::WARN, MAX_LOGGED),
    LogLimit::new("page reports: script not loaded", Level::WARN, MAX_LOGGED),
    LogLimit::new("page reports: script trapped", Level::ERROR, MAX_LOGGED),
    LogLimit::new("page reports: script panicked", Level::ERROR, MAX_LOGGED),
];

/// Logs a report of a signed-in user. Other clients get the same response, and nothing is logged.
pub(crate) async fn report(State(state): State<AppState>, request: Request) -> Response {
    let context = context_of(&state, &request);
    let Ok(body) = Bytes::from_request(request, &()).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(reason) = Reason::parse(&body) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    if ssr::signed_in(&context).await.is_ok() && LIMITS[reason.index()].admits_line() {
        reason.log();
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

    /// The index of its limit.
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
}
