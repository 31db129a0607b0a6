//! The name of a request: in its answer, in each of its log lines, and in the problem that it is told.

use std::{fmt, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use domain::client_address::ClientAddress;
use http::{HeaderName, HeaderValue, Method};
use uuid::{Uuid, fmt::Hyphenated};

use crate::{api::is_api, client};

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
    route: Option<MatchedPath>,
    pub(crate) client: ClientAddress,
}

impl RequestContext {
    /// As the route table writes it; empty where there is none.
    pub(crate) fn route(&self) -> &str {
        self.route.as_ref().map_or("", MatchedPath::as_str)
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

/// Names the request for all of its log lines, and writes one when it is answered: that of a good key which was served is for who
/// looks closely. There may be thousands of them a second.
pub(crate) async fn name_request(mut request: Request, next: Next) -> Response {
    let id = RequestId(Uuid::now_v7());
    request.extensions_mut().insert(id);
    let started = Instant::now();
    let context = RequestContext {
        id,
        method: request.method().clone(),
        route: request.extensions().get::<MatchedPath>().cloned(),
        client: client::of(request.extensions()),
    };
    CURRENT
        .scope(context, async move {
            let is_api = is_api(request.uri().path());
            let mut response = next.run(request).await;
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
