//! Renders the pages of `app`, which themselves decide what they say and with which status.

use app::ssr::RequestContext;
use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use domain::{
    client_address::ClientAddress,
    fair_share::{Bounds, FairShares},
    id::TenantId,
};
use http::{HeaderValue, Method, StatusCode, Uri, header::RETRY_AFTER, request::Parts};
use http_body_util::BodyExt as _;
use leptos::prelude::provide_context;
use std::{sync::LazyLock, time::Duration};
use tokio::sync::Semaphore;

use crate::{
    client, clock,
    content_coding::compressible,
    cookies::{Cookie, Cookies},
    csrf::{SEC_FETCH_SITE, effective_host},
    request_id,
    state::AppState,
};

/// Pages that are rendered at once, for each processor: a flood of sign-ins asks for hundreds, and more of them at once than there are
/// processors are ready no sooner.
const RENDERS_PER_CPU: usize = 4;
/// How many more of one asker may wait for that.
const QUEUE_LENGTH: usize = 64;
/// How long a page may wait for its place: those before it may be waiting for the database, which has 3 seconds.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

static RENDER_SLOTS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(render_slots()));

/// Half of the places for one asker: the other half is left to all others.
static FAIR_SHARES: LazyLock<FairShares<Requester>> = LazyLock::new(|| {
    FairShares::new(Bounds {
        at_once: (render_slots() / 2).max(1),
        queue: QUEUE_LENGTH,
        patience: QUEUE_TIMEOUT,
    })
});

fn render_slots() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    RENDERS_PER_CPU * processors
}

/// Whose pages share the places that one asker may take.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Requester {
    /// The people of one tenant.
    Tenant(TenantId),
    /// The super users.
    Operators,
    /// Who is not signed in, from one address.
    Stranger(ClientAddress),
}

/// How long it may take to find out who asks. A page that says that the database is away is not to wait for it twice.
const IDENTIFY_TIMEOUT: Duration = Duration::from_millis(250);

impl Requester {
    async fn identify(context: &RequestContext) -> Self {
        let signed_in = tokio::time::timeout(IDENTIFY_TIMEOUT, app::ssr::signed_in(context));
        match signed_in.await {
            Ok(Ok(user)) => user
                .tenant
                .map_or(Self::Operators, |tenant| Self::Tenant(tenant.id)),
            // The page itself says why, where it is a failure.
            Ok(Err(_)) | Err(_) => Self::Stranger(context.client),
        }
    }
}

/// `GET` of any page.
pub(crate) async fn render_page(State(state): State<AppState>, request: Request) -> Response {
    render(&state, request, || ()).await
}

/// `GET` of a path that is no route: the page that says so. Other methods have no page to show.
pub(crate) async fn render_not_found(state: &AppState, request: Request) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || request.uri().path_and_query().is_none() {
        return (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response();
    }
    let mut response = render(state, request, || ()).await;
    // The app may know a page there that has no row in the route table; without one it is not served.
    if response.status().is_success() {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// Renders the page at the request's path; `provide_outcome` provides, as context, what a form before it came to.
pub(crate) async fn render(
    state: &AppState,
    request: Request,
    provide_outcome: impl Fn() + Clone + Send + Sync + 'static,
) -> Response {
    let context = context_of(state, &request);
    let Some(_share) = FAIR_SHARES.enter(Requester::identify(&context).await).await else {
        return (
            StatusCode::TOO_MANY_REQUESTS,
            [(RETRY_AFTER, HeaderValue::from_static("5"))],
            "Too many of your pages are asked for at once. Try again in a moment.\n",
        )
            .into_response();
    };
    let Ok(_slot) = tokio::time::timeout(QUEUE_TIMEOUT, RENDER_SLOTS.acquire()).await else {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(RETRY_AFTER, HeaderValue::from_static("5"))],
            "Too many pages are asked for at once. Try again in a moment.\n",
        )
            .into_response();
    };
    let is_compressible = !is_cross_site(&request);
    let provide = move || {
        provide_context(context.clone());
        provide_outcome();
    };
    let response = leptos_axum::render_app_async_with_context(provide, app::shell)(request).await;
    let response = add_shape(response).await;
    if is_compressible {
        compressible(response)
    } else {
        response
    }
}

/// The whole document, with the shape that its script compares it with.
async fn add_shape(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let document = (body.collect().await.ok())
        .and_then(|collected| String::from_utf8(collected.to_bytes().into()).ok());
    let Some(document) = document else {
        tracing::error!("a page was not rendered to its end");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    Response::from_parts(parts, Body::from(app::with_shape(document)))
}

/// A page repeats what its address says beside what only the person who is signed in may see. Who has a browser ask for addresses of
/// their choice, and sees how long the answers are, could guess the latter from how well they compress (BREACH). So an answer to another
/// site's link is not compressed. Where a browser sends no `Sec-Fetch-Site`, the connection is plain HTTP and hides nothing anyway.
fn is_cross_site(request: &Request) -> bool {
    let site = request.headers().get(SEC_FETCH_SITE);
    site.is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}

/// The request for the page at `uri` that answers a form, in the place of the request that brought the form.
pub(crate) fn as_page(form: Parts, uri: Uri) -> Request {
    let mut page = Request::new(Body::empty());
    *page.method_mut() = Method::GET;
    *page.uri_mut() = uri;
    *page.headers_mut() = form.headers;
    *page.extensions_mut() = form.extensions;
    page
}

/// What pages and server functions get to know of a request.
pub(crate) fn context_of(state: &AppState, request: &Request) -> RequestContext {
    let origin = match &state.config.public_url {
        Some(url) => Some(url.origin().ascii_serialization()),
        None => {
            effective_host(request.uri(), request.headers()).map(|host| format!("http://{host}"))
        }
    };
    RequestContext {
        store: state.store.clone(),
        client: client::address_of(request.extensions()),
        session: Cookies::new(&state.config).token(Cookie::Session, request.headers()),
        bundle: state.bundle.clone(),
        now: clock::now(),
        request_id: request_id::current_id(),
        origin,
    }
}
