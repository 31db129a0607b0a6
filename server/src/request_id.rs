//! The request id: in the response, in every log line of the request, and in problems.

use std::{
    cell::{Cell, OnceCell},
    fmt,
    future::Future,
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request},
    response::Response,
};
use domain::{
    client_address::ClientAddress,
    log_limit::{LogLimit, REQUEST_LINES},
};
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, Method};
use tracing::Level;
use uuid::{Uuid, fmt::Hyphenated};

use crate::api::is_api;

/// The response header of the request id.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Identifies a request. Always generated here: an id sent by a client could be reused or malformed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId(Uuid);

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

/// The fields in every log line of a request. They contain the route but not the URL, whose path and query can contain secrets.
pub(crate) struct RequestContext {
    pub(crate) id: RequestId,
    pub(crate) method: Method,
    route: OnceCell<MatchedPath>,
    pub(crate) client: ClientAddress,
    is_routine: bool,
    /// Whether the outcome is logged already.
    is_logged: Cell<bool>,
    /// Whether the request's key or session was accepted.
    is_authenticated: Cell<bool>,
}

impl RequestContext {
    /// Generates the request's id.
    pub(crate) fn new(request: &Request, client: ClientAddress) -> Self {
        Self {
            id: RequestId(Uuid::now_v7()),
            method: request.method().clone(),
            route: OnceCell::new(),
            client,
            is_routine: is_routine(request),
            is_logged: Cell::new(false),
            is_authenticated: Cell::new(false),
        }
    }

    /// The path pattern of the route; empty if no route matched or the request was refused before routing.
    pub(crate) fn route(&self) -> &str {
        self.route.get().map_or("", MatchedPath::as_str)
    }
}

tokio::task_local! {
    // A task local and not a tracing span, whose fields would be formatted for every request even if it logs nothing.
    static CURRENT: RequestContext;
}

/// Calls `read` with the request that this task serves; `None` outside of a request.
pub(crate) fn current<T>(read: impl FnOnce(&RequestContext) -> T) -> Option<T> {
    CURRENT.try_with(read).ok()
}

/// The id of the request that this task handles; empty outside a request.
pub(crate) fn current_id() -> String {
    current(|request| request.id.to_string()).unwrap_or_default()
}

/// Sets the route for the log lines that follow.
pub(crate) fn set_route(path: &MatchedPath) {
    // Set once: a request has one route.
    let _ = CURRENT.try_with(|request| request.route.set(path.clone()));
}

/// Marks the outcome as logged, as that of a refused key is by the verifier.
pub(crate) fn mark_logged() {
    let _ = CURRENT.try_with(|request| request.is_logged.set(true));
}

/// Marks the request's key or session as accepted: its completion is then logged without a limit.
pub(crate) fn mark_authenticated() {
    let _ = CURRENT.try_with(|request| request.is_authenticated.set(true));
}

/// Limits the completion lines of requests without an accepted key or session.
static ANONYMOUS_LINES: LogLimit = LogLimit::new(
    "requests without a session or key",
    Level::INFO,
    REQUEST_LINES,
);

/// Whether such requests may come thousands of times per second: reads of the API, key checks, and health checks.
fn is_routine(request: &Request) -> bool {
    const CHECKS: [&str; 2] = ["/api/v1/verify", "/api/v1/forward-auth"];
    let path = request.uri().path();
    if matches!(path, "/healthz" | "/readyz") {
        return true;
    }
    is_api(path)
        && (matches!(*request.method(), Method::GET | Method::HEAD)
            || CHECKS.iter().any(|check| path.starts_with(check)))
}

/// Runs `response` with the request's fields in scope and logs its completion: successful routine requests at level debug.
pub(crate) fn with_request(
    context: RequestContext,
    response: impl Future<Output = Response>,
) -> impl Future<Output = Response> {
    let (id, is_routine) = (context.id, context.is_routine);
    let started = Instant::now();
    let response = response.map(move |mut response| {
        let mut text = [0; Hyphenated::LENGTH];
        if let Ok(value) = HeaderValue::from_str(id.0.hyphenated().encode_lower(&mut text)) {
            response.headers_mut().insert(HEADER, value);
        }
        let status = response.status();
        // A u128 would be logged as a string.
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (is_logged, is_authenticated) =
            current(|request| (request.is_logged.get(), request.is_authenticated.get()))
                .unwrap_or_default();
        if is_logged || (is_routine && status.is_success()) {
            tracing::debug!(status = status.as_u16(), milliseconds, "answered");
        } else if is_authenticated || ANONYMOUS_LINES.admits_line() {
            tracing::info!(status = status.as_u16(), milliseconds, "answered");
        }
        response
    });
    CURRENT.scope(context, response)
}
