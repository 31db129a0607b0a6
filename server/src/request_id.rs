//! The name of a request: in its answer, in each of its log lines, and in the problem that it is told.

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
use domain::client_address::ClientAddress;
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, Method};
use uuid::{Uuid, fmt::Hyphenated};

use crate::api::is_api;

/// The header that carries it.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A request's name. Always made here: one that a client sends could be another request's, or no name at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId(Uuid);

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

/// What every log line of a request says of it: which route was meant, never the URL itself. People put secrets into queries, and the
/// path of an unknown route can be anything.
pub(crate) struct RequestContext {
    pub(crate) id: RequestId,
    pub(crate) method: Method,
    route: OnceCell<MatchedPath>,
    pub(crate) client: ClientAddress,
    is_routine: bool,
    /// Whether its outcome is in the log already.
    is_logged: Cell<bool>,
}

impl RequestContext {
    /// Names the request.
    pub(crate) fn new(request: &Request, client: ClientAddress) -> Self {
        Self {
            id: RequestId(Uuid::now_v7()),
            method: request.method().clone(),
            route: OnceCell::new(),
            client,
            is_routine: is_routine(request),
            is_logged: Cell::new(false),
        }
    }

    /// As the route table writes it; empty where there is none, and where it was refused before anybody looked.
    pub(crate) fn route(&self) -> &str {
        self.route.get().map_or("", MatchedPath::as_str)
    }
}

tokio::task_local! {
    // No span of `tracing`: that is put into words when it is opened, for each request, whether it has anything to say or not.
    static CURRENT: RequestContext;
}

/// What `read` makes of the request that this task answers; `None` where it answers none.
pub(crate) fn current<T>(read: impl FnOnce(&RequestContext) -> T) -> Option<T> {
    CURRENT.try_with(read).ok()
}

/// The id of the request that this task handles; empty outside a request.
pub(crate) fn current_id() -> String {
    current(|request| request.id.to_string()).unwrap_or_default()
}

/// Notes which route was meant, for the log lines from now on.
pub(crate) fn set_route(path: &MatchedPath) {
    // Noted once: a request has one route.
    let _ = CURRENT.try_with(|request| request.route.set(path.clone()));
}

/// Notes that the log says already how the request ended, as it does of a refused key.
pub(crate) fn mark_logged() {
    let _ = CURRENT.try_with(|request| request.is_logged.set(true));
}

/// Whether there may be thousands of these a second: what integrations read, and what is asked about their keys; and what a proxy asks
/// every second.
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

/// Answers the request under its name, in which each of its log lines stands, and writes one when it is answered: that of a routine
/// request that went well is for who looks closely.
pub(crate) fn with_request(
    context: RequestContext,
    answer: impl Future<Output = Response>,
) -> impl Future<Output = Response> {
    let (id, is_routine) = (context.id, context.is_routine);
    let started = Instant::now();
    let answer = answer.map(move |mut response| {
        let mut text = [0; Hyphenated::LENGTH];
        if let Ok(value) = HeaderValue::from_str(id.0.hyphenated().encode_lower(&mut text)) {
            response.headers_mut().insert(HEADER, value);
        }
        let status = response.status();
        // A wider number would be written as a text.
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let is_logged = current(|request| request.is_logged.get()) == Some(true);
        if is_logged || (is_routine && status.is_success()) {
            tracing::debug!(status = status.as_u16(), milliseconds, "answered");
        } else {
            tracing::info!(status = status.as_u16(), milliseconds, "answered");
        }
        response
    });
    CURRENT.scope(context, answer)
}
