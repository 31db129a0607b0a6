//! Wraps the router: request id, client address, CSRF check, timeout, problem body, compression, security headers.
//!
//! This is one function instead of tower layers: axum clones all inner layers per request, and eight layers cost more than their work. The
//! functions here return futures and are not `async`: an `async fn` stores a future argument twice (captured and awaited), which doubles
//! its size.

use std::{
    convert::Infallible,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use app::error::internal_error;
use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use http::{Method, StatusCode, header};
use tower::{BoxError, Service, ServiceExt as _};

use crate::{
    api::{error::write_problem, is_api},
    client::remember_client,
    content_coding::{compress, is_compressible},
    csrf::refuse_other_origins,
    host::names_one_host,
    request_id::{self, RequestContext},
    security_headers::add_security_headers,
    state::AppState,
};

/// The limit on a whole request. The database's own timeout is much shorter.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The whole service. Each request needs `ConnectInfo<SocketAddr>` in its extensions.
#[derive(Clone, Debug)]
pub struct LatchkeyService {
    router: Router,
    state: AppState,
}

impl LatchkeyService {
    pub(crate) const fn new(router: Router, state: AppState) -> Self {
        Self { router, state }
    }

    fn serve_request(self, mut request: Request) -> impl Future<Output = Response> + Send {
        let Self { router, state } = self;
        let client = remember_client(&state.config, &mut request);
        let named = RequestContext::new(&request, client);
        let (id, is_api) = (named.id, is_api(request.uri().path()));
        let is_head = request.method() == Method::HEAD;
        // A response to HEAD is not compressed, because its body is dropped.
        let accepted = (request.headers().get(header::ACCEPT_ENCODING))
            .filter(|_| !is_head)
            .cloned();
        request_id::with_request(named, async move {
            // The API is exempt: gateways forward a browser's `Sec-Fetch-Site`.
            let refusal = if !names_one_host(request.version(), request.headers()) {
                Some(bad_host())
            } else if is_api {
                None
            } else {
                refuse_other_origins(&state.config, &request)
            };
            let mut response = match refusal {
                Some(refusal) => refusal,
                None => with_timeout(router.oneshot(request)).await,
            };
            if is_api {
                response = write_problem(response, id);
            }
            if is_compressible(&response) {
                response = Box::pin(compress(accepted, response)).await;
            }
            if is_head {
                response = without_body(response);
            }
            add_security_headers(&state.config, response.headers_mut());
            response
        })
    }
}

impl<B> Service<Request<B>> for LatchkeyService
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let response = self.clone().serve_request(request.map(Body::new));
        Box::pin(response.map(Ok))
    }
}

/// Refuses a request without a valid `Host`, or with two.
fn bad_host() -> Response {
    (
        StatusCode::BAD_REQUEST,
        "The request needs one Host header with a host name and, where it is not the usual one, a port.\n",
    )
        .into_response()
}

/// The response to HEAD: that of GET with its `Content-Length` and without its body.
fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact()
        && length > 0
    {
        parts
            .headers
            .entry(header::CONTENT_LENGTH)
            .or_insert_with(|| length.into());
    }
    Response::from_parts(parts, Body::empty())
}

/// The response; 503 after [`TIMEOUT`], 500 if the handler panics.
fn with_timeout(
    response: impl Future<Output = Result<Response, Infallible>>,
) -> impl Future<Output = Response> {
    let response = AssertUnwindSafe(response).catch_unwind();
    tokio::time::timeout(TIMEOUT, response).map(|outcome| match outcome {
        Ok(Ok(Ok(response))) => response,
        // The panic hook has logged the message and its location.
        Ok(Err(_panic)) => {
            tracing::error!("request handler panicked: responding 500");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("{}\n", internal_error(&request_id::current_id())),
            )
                .into_response()
        }
        Err(_elapsed) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, F: Future>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// axum boxes this future per request.
    #[test]
    fn the_future_of_a_request_is_small() {
        let size = size_of_future(LatchkeyService::serve_request);
        assert!(size <= 1_536, "{size} bytes");
    }
}
