//! The name of a request: in its answer, in each of its log lines, and in the problem that it is told.

use std::{cell::OnceCell, fmt, future::Future, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    response::Response,
};
use domain::client_address::ClientAddress;
use http::{HeaderName, HeaderValue, Method};
use uuid::{Uuid, fmt::Hyphenated};

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
}

impl RequestContext {
    /// Names the request.
    pub(crate) fn new(request: &mut Request, client: ClientAddress) -> Self {
        let id = RequestId(Uuid::now_v7());
        request.extensions_mut().insert(id);
        Self {
            id,
            method: request.method().clone(),
            route: OnceCell::new(),
            client,
        }
    }

    /// As the route table writes it; empty where there is none.
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

/// Notes which route was meant, for the log lines from now on.
pub(crate) fn note_route(path: &MatchedPath) {
    // Noted once: a request has one route.
    let _ = CURRENT.try_with(|request| request.route.set(path.clone()));
}

/// Answers the request under its name, in which each of its log lines stands, and writes one when it is answered: that of a good key
/// which was served is for who looks closely. There may be thousands of them a second.
pub(crate) async fn named(
    context: RequestContext,
    is_api: bool,
    answer: impl Future<Output = Response>,
) -> Response {
    let id = context.id;
    let started = Instant::now();
    CURRENT
        .scope(context, async move {
            let mut response = answer.await;
            let mut text = [0; Hyphenated::LENGTH];
            if let Ok(value) = HeaderValue::from_str(id.0.hyphenated().encode_lower(&mut text)) {
                response.headers_mut().insert(HEADER, value);
            }
            let status = response.status();
            let milliseconds = started.elapsed().as_millis();
            if is_api && status.is_success() {
                tracing::debug!(status = status.as_u16(), milliseconds, "answered");
            } else {
                tracing::info!(status = status.as_u16(), milliseconds, "answered");
            }
            response
        })
        .await
}
