//! The interface between pages and server: the context of a request, authentication, and the tenant's scope.

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

/// The context of a request, which the server provides to every page and server function.
#[derive(Clone)]
pub struct RequestContext {
    /// The database.
    pub store: Store,
    /// The client's address.
    pub client: ClientAddress,
    /// The token of the session cookie, not yet verified.
    pub session: Option<SessionToken>,
    /// The URLs of the browser's files.
    pub bundle: Arc<Bundle>,
    /// The time of the request.
    pub now: DateTime<Utc>,
    /// The id of the request, as in the log and the response header `X-Request-Id`.
    pub request_id: String,
    /// The setting `LATCHKEY_SUPPORT_URL`.
    pub support_url: Option<Arc<str>>,
    /// Scheme and host of the request, e.g. `https://keys.example`, for the curl command.
    pub origin: Option<String>,
}

/// The URLs of the browser's files. Empty if the server was built without Trunk; pages then have no script.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    /// The JavaScript module whose default export starts the WebAssembly.
    pub script: Option<String>,
    /// The WebAssembly.
    pub wasm: Option<String>,
    /// The stylesheets, in order.
    pub styles: Vec<String>,
}

/// The `Content-Security-Policy` of a page whose scripts carry `nonce`.
#[must_use]
pub fn content_security_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )
}

/// The `Content-Security-Policy` of a page without scripts.
pub const CONTENT_SECURITY_POLICY_WITHOUT_SCRIPTS: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'";

/// Returns the context of the current request.
///
/// # Errors
/// [`ErrorCode::Internal`] if the server provided none.
pub fn request() -> Result<RequestContext, AppError> {
    use_context::<RequestContext>().ok_or_else(|| AppError::new(ErrorCode::Internal))
}

/// Authenticates the request's session.
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

/// Returns the scope of the tenant that `user` may manage in this request: an administrator's own tenant, or the one in a super user's URL.
///
/// # Errors
/// [`ErrorCode::Forbidden`] for members; [`ErrorCode::TenantNotYours`] for an administrator who names a tenant, even their own;
/// [`ErrorCode::TenantNeeded`] for a super user who names none; [`ErrorCode::NotFound`] if the tenant does not exist.
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

/// A request within a tenant.
pub struct TenantRequest {
    /// The tenant and the actor.
    pub scope: TenantScope,
    /// The signed-in user.
    pub user: SignedIn,
}

/// Authenticates and authorizes a request within a tenant.
///
/// # Errors
/// As [`signed_in`] and [`tenant_scope`].
pub async fn tenant_request_of(
    request: &RequestContext,
    tenant: Option<&str>,
) -> Result<TenantRequest, AppError> {
    let user = signed_in(request).await?;
    let scope = tenant_scope(&request.store, &user, tenant).await?;
    Ok(TenantRequest { scope, user })
}

/// Runs the body of a server function and sets the status of the response if it fails. Without a session, a call over HTTP gets 401, and
/// a page that is being rendered becomes a redirect to the sign-in page.
///
/// # Errors
/// As `work`. The message of an internal error names the request id.
pub async fn respond<T>(work: impl Future<Output = Result<T, AppError>>) -> Result<T, AppError> {
    let response = use_context::<ResponseOptions>();
    let page = use_context::<Parts>()
        .and_then(|parts| parts.uri.path_and_query().map(ToString::to_string))
        .filter(|path| !path.starts_with(urls::SERVER_FUNCTIONS));
    let result = match (work.await, use_context::<RequestContext>()) {
        (Err(error), Some(request)) => Err(error.with_request_id(&request.request_id)),
        (result, _) => result,
    };
    if let (Err(error), Some(response)) = (&result, response) {
        match (error.code, page) {
            (ErrorCode::NotSignedIn, Some(page)) => redirect(&response, &urls::sign_in(&page)),
            (code, page) => set_status(&response, code, page.is_some()),
        }
    }
    result
}

/// Turns the response into a redirect with status 303, independent of `Accept`.
pub fn redirect(response: &ResponseOptions, location: &str) {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.set_status(StatusCode::SEE_OTHER);
        response.insert_header(LOCATION, location);
    }
}

/// Sets the status of the response to 404.
pub fn set_not_found() {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(StatusCode::NOT_FOUND);
    }
}

/// The path of the page that is being rendered.
#[must_use]
pub fn page_path() -> Option<String> {
    use_context::<Parts>().map(|parts| parts.uri.path().to_owned())
}

/// Sets the `Content-Security-Policy` of the response.
pub fn set_content_security_policy(nonce: &str) {
    if let (Some(response), Ok(policy)) = (
        use_context::<ResponseOptions>(),
        HeaderValue::from_str(&content_security_policy(nonce)),
    ) {
        response.insert_header(CONTENT_SECURITY_POLICY, policy);
    }
}

/// The HTTP status of a failure.
#[must_use]
pub const fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::NotSignedIn => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden | ErrorCode::TenantNotYours => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::TenantNeeded | ErrorCode::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::KeyLimitReached
        | ErrorCode::GroupInUse
        | ErrorCode::KeyRevoked
        | ErrorCode::Conflict
        | ErrorCode::AlreadyDone => StatusCode::CONFLICT,
        ErrorCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unavailable | ErrorCode::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal | ErrorCode::Unreachable => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The value of `Retry-After` for a temporary failure.
#[must_use]
pub const fn retry_after_of(code: ErrorCode) -> Option<HeaderValue> {
    match code {
        ErrorCode::TooManyRequests => Some(HeaderValue::from_static("1")),
        ErrorCode::Unavailable | ErrorCode::OutcomeUnknown => Some(HeaderValue::from_static("5")),
        _ => None,
    }
}

fn set_status(response: &ResponseOptions, code: ErrorCode, is_page: bool) {
    // Without a tenant, a page lists the tenants (200); a server function fails.
    if code == ErrorCode::TenantNeeded && is_page {
        return;
    }
    if let Some(seconds) = retry_after_of(code) {
        response.insert_header(RETRY_AFTER, seconds);
    }
    response.set_status(status_of(code));
}
