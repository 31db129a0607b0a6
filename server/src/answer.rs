//! What every answer has, whatever was asked: a name, a limit of time, headers, and a body where it is a refusal.
//!
//! One function around the router, and not a tower of layers in it: axum clones all layers below a layer for each request, so that
//! eight of them cost more than everything that they do. For the same reason the functions here return futures and are not `async`:
//! one that is keeps a future that it is given twice, once as it came and once as it is awaited, and both are moved.

use std::{
    convert::Infallible,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

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
    request_id::{self, NamedRequest},
    security_headers::add_security_headers,
    state::AppState,
};

/// How long a request may take. The database's own limit is far below.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The whole service. It has to be served with `ConnectInfo<SocketAddr>` among the extensions of each request.
#[derive(Clone, Debug)]
pub struct Latchkey {
    router: Router,
    state: AppState,
}

impl Latchkey {
    pub(crate) const fn new(router: Router, state: AppState) -> Self {
        Self { router, state }
    }

    fn answer(self, mut request: Request) -> impl Future<Output = Response> + Send {
        let Self { router, state } = self;
        let client = remember_client(&state.config, &mut request);
        let named = NamedRequest::new(&request, client);
        let (id, is_api) = (named.id, is_api(request.uri().path()));
        let is_head = request.method() == Method::HEAD;
        // An answer to HEAD comes without its body, and so without what compressing it would come to.
        let accepted = (request.headers().get(header::ACCEPT_ENCODING))
            .filter(|_| !is_head)
            .cloned();
        request_id::named(named, async move {
            // Not before the API, where gateways pass a browser's `Sec-Fetch-Site` on.
            let refusal = if !names_one_host(request.version(), request.headers()) {
                Some(bad_host())
            } else if is_api {
                None
            } else {
                refuse_other_origins(&state.config, &request)
            };
            let mut response = match refusal {
                Some(refusal) => refusal,
                None => in_time(router.oneshot(request)).await,
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

impl<B> Service<Request<B>> for Latchkey
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
        let answer = self.clone().answer(request.map(Body::new));
        Box::pin(answer.map(Ok))
    }
}

/// The answer where a request does not say which host it is for, or says it twice.
fn bad_host() -> Response {
    (
        StatusCode::BAD_REQUEST,
        "The request needs one Host header with a host name and, where it is not the usual one, a port.\n",
    )
        .into_response()
}

/// The answer to HEAD: that of GET, without its body, and with its length.
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

/// The answer; or that there was none in time, or that a panic stood in its place.
fn in_time(
    answer: impl Future<Output = Result<Response, Infallible>>,
) -> impl Future<Output = Response> {
    let answer = AssertUnwindSafe(answer).catch_unwind();
    tokio::time::timeout(TIMEOUT, answer).map(|answer| match answer {
        Ok(Ok(Ok(response))) => response,
        // The message of a panic is for the log, where the panic itself has written it.
        Ok(Err(_panic)) => {
            tracing::error!("a request panicked");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Latchkey made a mistake. Try again, or ask your operator.\n",
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

    /// It is moved into a box for each request, whole.
    #[test]
    fn what_every_request_moves_along_is_small() {
        let size = size_of_future(Latchkey::answer);
        assert!(size <= 1_536, "{size} bytes");
    }
}
