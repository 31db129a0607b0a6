//! Renders the pages of `app`, which set their own status.

use app::{
    ssr::{RecentTenants, RequestContext, SignInWays},
    urls,
};
use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::{
    client_address::ClientAddress,
    fair_share::{Bounds, FairShares},
    id::TenantId,
    key::query::KeyQuery,
};
use http::{
    HeaderValue, Method, StatusCode, Uri,
    header::{RETRY_AFTER, SET_COOKIE},
    request::Parts,
};
use http_body_util::BodyExt as _;
use leptos::prelude::provide_context;
use std::{sync::LazyLock, time::Duration};
use tokio::sync::Semaphore;
use url::form_urlencoded;

use crate::{
    client, clock,
    content_coding::compressible,
    cookies::{Cookie, Cookies},
    csrf::{SEC_FETCH_SITE, effective_host},
    request_id,
    state::AppState,
};

/// Pages rendered concurrently per processor. A higher number would use more memory and not be faster.
const RENDERS_PER_CPU: usize = 4;
/// The maximum number of further requests of one requester in the queue.
const QUEUE_LENGTH: usize = 64;
/// The longest wait in the queue. Earlier requests may wait for the database, whose timeout is 3 seconds.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

static RENDER_SLOTS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(render_slots()));

/// At most half of the slots for one requester.
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

/// Identifies a requester for the fair share of slots.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Requester {
    /// The users of one tenant.
    Tenant(TenantId),
    /// The super users.
    Operators,
    /// An anonymous client by its address.
    Stranger(ClientAddress),
}

/// The limit on identifying the requester, so that a page that reports a database outage does not wait for it twice.
const IDENTIFY_TIMEOUT: Duration = Duration::from_millis(250);

impl Requester {
    async fn identify(context: &RequestContext) -> Self {
        let signed_in = tokio::time::timeout(IDENTIFY_TIMEOUT, app::ssr::signed_in(context));
        match signed_in.await {
            Ok(Ok(user)) => {
                request_id::mark_authenticated();
                user.tenant
                    .map_or(Self::Operators, |tenant| Self::Tenant(tenant.id))
            }
            // The page itself reports a failure.
            Ok(Err(_)) | Err(_) => Self::Stranger(context.client),
        }
    }
}

/// `GET` of any page. A search for a whole secret, which a form sends without script, is redirected to one for its last four characters, so
/// that neither the browser's history nor a link keeps the secret.
pub(crate) async fn render_page(State(state): State<AppState>, request: Request) -> Response {
    if let Some(url) = url_without_secret(request.uri()) {
        return Redirect::to(&url).into_response();
    }
    render(&state, request, || ()).await
}

/// The URL with a cut search; `None` if no search contains what looks like a secret.
fn url_without_secret(url: &Uri) -> Option<String> {
    let query = url.query()?;
    let mut has_secret = false;
    let mut cut = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let kept = match &*name {
            "q" => KeyQuery::without_secret(&value),
            _ => &value,
        };
        has_secret |= kept != value;
        cut.append_pair(&name, kept);
    }
    has_secret.then(|| format!("{}?{}", url.path(), cut.finish()))
}

/// `GET` of an unknown path: the not-found page. Other methods get a text.
pub(crate) async fn render_not_found(state: &AppState, request: Request) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || request.uri().path_and_query().is_none() {
        return (StatusCode::NOT_FOUND, "Not found.\n").into_response();
    }
    let mut response = render(state, request, || ()).await;
    // A page of `app` without a row in the route table is not served.
    if response.status().is_success() {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// Renders the page at the request's path; `provide_outcome` provides the result of a preceding form as context.
pub(crate) async fn render(
    state: &AppState,
    request: Request,
    provide_outcome: impl Fn() + Clone + Send + Sync + 'static,
) -> Response {
    let cookies = Cookies::new(&state.config);
    let context = RequestContext {
        done: cookies.done(request.headers()),
        ..context_of(state, &request)
    };
    let is_confirmed = cookies.is_sent(Cookie::Done, request.headers());
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
    let mut response = add_shape(response).await;
    if let (true, Some(cookie)) = (is_confirmed, cookies.clear(Cookie::Done)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    if is_compressible {
        compressible(response)
    } else {
        response
    }
}

/// Completes the document with the shape that its script compares it with.
async fn add_shape(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let document = (body.collect().await.ok())
        .and_then(|collected| String::from_utf8(collected.to_bytes().into()).ok());
    let Some(document) = document else {
        tracing::error!("page rendering incomplete: responding 500");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    Response::from_parts(parts, Body::from(app::with_shape(document)))
}

/// A page reflects its URL beside confidential data. An attacker who makes a browser request chosen URLs and observes response lengths
/// could guess the data from the compression ratio (BREACH), so responses to cross-site requests are not compressed. A browser omits
/// `Sec-Fetch-Site` only on plain HTTP, which hides nothing.
fn is_cross_site(request: &Request) -> bool {
    let site = request.headers().get(SEC_FETCH_SITE);
    site.is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}

/// The request that renders the page at `uri` in response to a form.
pub(crate) fn as_page(form: Parts, uri: Uri) -> Request {
    let mut page = Request::new(Body::empty());
    *page.method_mut() = Method::GET;
    *page.uri_mut() = uri;
    *page.headers_mut() = form.headers;
    *page.extensions_mut() = form.extensions;
    page
}

/// The request context of pages and server functions.
pub(crate) fn context_of(state: &AppState, request: &Request) -> RequestContext {
    let origin = match &state.config.public_url {
        Some(url) => Some(url.origin().ascii_serialization()),
        None => {
            effective_host(request.uri(), request.headers()).map(|host| format!("http://{host}"))
        }
    };
    let cookies = Cookies::new(&state.config);
    RequestContext {
        recent_tenants: RecentTenants::new(
            cookies.recent_tenants(request.headers()),
            move |tenants| cookies.set_recent_tenants(tenants),
        ),
        may_lack_second_factor: urls::is_set_up_of_second_factor(request.uri().path()),
        theme: cookies.theme(request.headers()),
        store: state.store.clone(),
        client: client::address_of(request.extensions()),
        session: cookies.token(Cookie::Session, request.headers()),
        bundle: state.bundle.clone(),
        now: clock::now(),
        request_id: request_id::current_id(),
        support_url: state.config.support_url.clone(),
        sign_in: SignInWays {
            password: state.config.password_sign_in,
            single_sign_on: (state.single_sign_on.as_ref()).map(|_| state.config.oidc_name.clone()),
        },
        done: None,
        origin,
    }
}
