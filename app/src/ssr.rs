//! The one fence between the pages and the server: what one request is, who is signed in, and in which tenant it acts.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    client_address::ClientAddress,
    session::SessionToken,
    store::{Store, TenantScope, sessions::SignedIn},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_SECURITY_POLICY, LOCATION, RETRY_AFTER},
    request::Parts,
};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;

use crate::{
    error::{AppError, ErrorCode},
    urls,
};

pub use crate::sign_in::SignInFailure;

/// What the server hands to every page and server function of one request, as leptos context.
#[derive(Clone)]
pub struct RequestContext {
    /// The database.
    pub store: Store,
    /// From where the request comes.
    pub client: ClientAddress,
    /// The session cookie's token, unjudged.
    pub session: Option<SessionToken>,
    /// The browser's files.
    pub bundle: Arc<Bundle>,
    /// When the request came in.
    pub now: DateTime<Utc>,
    /// Scheme and host as the browser knows them, e.g. `https://keys.example`; for the curl line.
    pub origin: Option<String>,
}

/// The browser's files, as URLs. Empty where the server was built without Trunk; the pages then come without scripts.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    /// The JavaScript module whose default export starts the WebAssembly.
    pub script: Option<String>,
    /// The WebAssembly.
    pub wasm: Option<String>,
    /// Stylesheets, in order.
    pub styles: Vec<String>,
}

/// The header `Content-Security-Policy` of a page whose scripts carry `nonce`.
#[must_use]
pub fn content_security_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )
}

/// The header `Content-Security-Policy` of a page that has no script at all.
pub const CONTENT_SECURITY_POLICY_WITHOUT_SCRIPTS: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'";

/// The request that is being answered.
///
/// # Errors
/// [`ErrorCode::Internal`] where the server provided none.
pub fn request() -> Result<RequestContext, AppError> {
    use_context::<RequestContext>().ok_or_else(|| AppError::new(ErrorCode::Internal))
}

/// Who is signed in, as the database says now.
///
/// # Errors
/// [`ErrorCode::NotSignedIn`].
pub async fn signed_in(request: &RequestContext) -> Result<SignedIn, AppError> {
    let not_signed_in = || AppError::new(ErrorCode::NotSignedIn);
    let token = request.session.as_ref().ok_or_else(not_signed_in)?;
    request
        .store
        .sessions()
        .authenticate(token, request.client, request.now)
        .await?
        .ok_or_else(not_signed_in)
}

/// The tenant whose keys `user` may manage in this request: a tenant administrator's own, or the one that a super user names.
///
/// # Errors
/// [`ErrorCode::Forbidden`] for members; [`ErrorCode::TenantNotYours`] for an administrator who names a tenant, also their own;
/// [`ErrorCode::TenantNeeded`] for a super user who names none; [`ErrorCode::NotFound`] where there is no such tenant.
pub async fn tenant_scope(
    store: &Store,
    user: &SignedIn,
    tenant: Option<&str>,
) -> Result<TenantScope, AppError> {
    if let Some(operator) = user.operator() {
        let slug = tenant.ok_or_else(|| AppError::new(ErrorCode::TenantNeeded))?;
        return Ok(store.tenants(&operator).scope(slug).await?);
    }
    let own = user
        .administered_tenant()
        .ok_or_else(|| AppError::new(ErrorCode::Forbidden))?;
    match tenant {
        None => Ok(own),
        Some(_) => Err(AppError::new(ErrorCode::TenantNotYours)),
    }
}

/// A request that acts in one tenant.
pub struct TenantRequest {
    /// The tenant and who acts in it.
    pub scope: TenantScope,
    /// Who is signed in.
    pub user: SignedIn,
}

/// The fence of everything that concerns one tenant: who asks, and whether they may.
///
/// # Errors
/// Those of [`signed_in`] and [`tenant_scope`].
pub async fn tenant_request_of(
    request: &RequestContext,
    tenant: Option<&str>,
) -> Result<TenantRequest, AppError> {
    let user = signed_in(request).await?;
    let scope = tenant_scope(&request.store, &user, tenant).await?;
    Ok(TenantRequest { scope, user })
}

/// Runs what a server function does and gives its failure a status. Called over HTTP, a stranger gets 401; in the course of
/// rendering a page, the page becomes a redirect to the sign-in page.
///
/// # Errors
/// Those of `work`, unchanged.
pub async fn answer<T>(work: impl Future<Output = Result<T, AppError>>) -> Result<T, AppError> {
    let response = use_context::<ResponseOptions>();
    let page = use_context::<Parts>()
        .and_then(|parts| parts.uri.path_and_query().map(ToString::to_string))
        .filter(|path| !path.starts_with(urls::SERVER_FUNCTIONS));
    let result = work.await;
    if let (Err(error), Some(response)) = (&result, response) {
        match (error.code, page) {
            (ErrorCode::NotSignedIn, Some(page)) => redirect(&response, &urls::sign_in(&page)),
            (code, page) => set_status(&response, code, page.is_some()),
        }
    }
    result
}

/// Answers the page that is being rendered with a redirect: 303, whatever the request accepts.
pub fn redirect(response: &ResponseOptions, location: &str) {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.set_status(StatusCode::SEE_OTHER);
        response.insert_header(LOCATION, location);
    }
}

/// Gives the page that is being rendered the status 404.
pub fn set_not_found() {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(StatusCode::NOT_FOUND);
    }
}

/// Whether the page that is being rendered becomes live. The sign-in page does not: it is a form, and nothing is gained by a script.
#[must_use]
pub fn page_has_script() -> bool {
    use_context::<Parts>().is_none_or(|parts| parts.uri.path() != urls::SIGN_IN)
}

/// Sets the policy of the page that is being rendered.
pub fn set_content_security_policy(nonce: &str) {
    if let (Some(response), Ok(policy)) = (
        use_context::<ResponseOptions>(),
        HeaderValue::from_str(&content_security_policy(nonce)),
    ) {
        response.insert_header(CONTENT_SECURITY_POLICY, policy);
    }
}

/// The status of a failure.
#[must_use]
pub const fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::NotSignedIn => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden | ErrorCode::TenantNotYours => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::TenantNeeded | ErrorCode::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::KeyLimitReached
        | ErrorCode::KeyRevoked
        | ErrorCode::Conflict
        | ErrorCode::AlreadyDone => StatusCode::CONFLICT,
        ErrorCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unavailable | ErrorCode::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal | ErrorCode::Unreachable => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The value of `Retry-After` for a failure that passes by itself.
#[must_use]
pub const fn retry_after_of(code: ErrorCode) -> Option<HeaderValue> {
    match code {
        ErrorCode::TooManyRequests => Some(HeaderValue::from_static("1")),
        ErrorCode::Unavailable | ErrorCode::OutcomeUnknown => Some(HeaderValue::from_static("5")),
        _ => None,
    }
}

fn set_status(response: &ResponseOptions, code: ErrorCode, is_page: bool) {
    // The page that lists the tenants is an answer; a server function without its tenant is not.
    if code == ErrorCode::TenantNeeded && is_page {
        return;
    }
    if let Some(seconds) = retry_after_of(code) {
        response.insert_header(RETRY_AFTER, seconds);
    }
    response.set_status(status_of(code));
}
