//! The interface between pages and server: the context of a request, authentication, and the tenant's scope.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    client_address::ClientAddress,
    id::TenantId,
    session::SessionToken,
    store::{Store, TenantScope, sessions::SignedIn},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_SECURITY_POLICY, LOCATION, RETRY_AFTER, SET_COOKIE},
    request::Parts,
};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;

use crate::{
    done::Done,
    error::{AppError, ErrorCode},
    theme::Theme,
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
    /// Whether the request may come from a session that lacks a second factor, because it sets one up.
    pub may_lack_second_factor: bool,
    /// The theme that the browser's cookie chooses.
    pub theme: Theme,
    /// The ways to sign in.
    pub sign_in: SignInWays,
    /// The tenants that a super user opened last in this browser.
    pub recent_tenants: RecentTenants,
    /// The change before this request, which the page confirms. `None` for server functions.
    pub done: Option<Done>,
    /// Scheme and host of the request, e.g. `https://keys.example`, for the curl command.
    pub origin: Option<String>,
}

/// The ways to sign in.
#[derive(Clone, Debug)]
pub struct SignInWays {
    /// Whether users can sign in with a password.
    pub password: bool,
    /// The text of the button for single sign-on; `None` without single sign-on.
    pub single_sign_on: Option<Arc<str>>,
}

/// Returns the header `Set-Cookie` with a value.
type SetCookie = dyn Fn(&str) -> Option<HeaderValue> + Send + Sync;

/// The tenants that a super user opened last, from a cookie of the browser. They grant nothing: a tenant is read with the rights of the user.
/// The cookie contains identifiers, so that it reveals no customer's name to others who use the browser.
#[derive(Clone)]
pub struct RecentTenants {
    /// The identifiers, the latest first. At most [`Self::MAX`].
    pub ids: Vec<TenantId>,
    set_cookie: Arc<SetCookie>,
}

impl RecentTenants {
    /// The maximum number of tenants.
    pub const MAX: usize = 5;

    /// Parses the value of the cookie, identifiers separated by dots; others are ignored. `set_cookie` returns the header `Set-Cookie` with a
    /// value.
    pub fn new(
        value: &str,
        set_cookie: impl Fn(&str) -> Option<HeaderValue> + Send + Sync + 'static,
    ) -> Self {
        let ids = value.split('.').take(Self::MAX);
        Self {
            ids: ids.filter_map(|id| id.parse().ok()).collect(),
            set_cookie: Arc::new(set_cookie),
        }
    }

    /// Moves a tenant to the front, and sets the cookie if that changes the order. Returns the identifiers.
    #[must_use]
    pub fn open(&self, id: TenantId) -> Vec<TenantId> {
        let others = self.ids.iter().copied().filter(|other| *other != id);
        let ids: Vec<_> = std::iter::once(id).chain(others).take(Self::MAX).collect();
        if ids != self.ids {
            let value: Vec<_> = ids.iter().map(ToString::to_string).collect();
            let cookie = (self.set_cookie)(&value.join("."));
            if let (Some(response), Some(cookie)) = (use_context::<ResponseOptions>(), cookie) {
                response.append_header(SET_COOKIE, cookie);
            }
        }
        ids
    }
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
    /// The icon of the browser's tab.
    pub icon: Option<String>,
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
/// [`ErrorCode::NotSignedIn`]; [`ErrorCode::SecondFactorNeeded`] if the session lacks a second factor that the user needs, except on the
/// page that sets it up.
pub async fn signed_in(request: &RequestContext) -> Result<SignedIn, AppError> {
    let not_signed_in = || AppError::new(ErrorCode::NotSignedIn);
    let token = request.session.as_ref().ok_or_else(not_signed_in)?;
    let user = request
        .store
        .sessions()
        .authenticate(token, request.client, request.now)
        .await?
        .ok_or_else(not_signed_in)?;
    if user.lacks_second_factor() && !request.may_lack_second_factor {
        return Err(AppError::new(ErrorCode::SecondFactorNeeded));
    }
    Ok(user)
}

/// Returns the scope of the tenant that `user` may manage in this request: an administrator's own tenant, or the one in a super user's URL.
///
/// # Errors
/// [`ErrorCode::Forbidden`] for members; [`ErrorCode::TenantNotYours`] for an administrator who names a tenant, even their own;
/// [`ErrorCode::TenantNeeded`] for a super user who names none; [`ErrorCode::NoSuchTenant`] if it does not exist.
pub async fn tenant_scope(
    store: &Store,
    user: &SignedIn,
    tenant: Option<&str>,
) -> Result<TenantScope, AppError> {
    if let Some(operator) = user.operator() {
        let slug = tenant
            .filter(|slug| !slug.is_empty())
            .ok_or_else(|| AppError::new(ErrorCode::TenantNeeded))?;
        return match store.tenants(&operator).scope(slug).await {
            Err(domain::Error::NotFound(_)) => Err(AppError::no_such_tenant(slug)),
            scope => Ok(scope?),
        };
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

/// The name of the tenant in which a super user acts, for a response that reports a change. `None` for other users, and if it cannot be read:
/// the response must not depend on it.
pub async fn acting_tenant_name(request: &RequestContext, tenant: Option<&str>) -> Option<String> {
    let user = signed_in(request).await.ok()?;
    let tenants = request.store.tenants(&user.operator()?).find(tenant?).await;
    tenants.ok().map(|tenant| tenant.name)
}

/// Runs the body of a server function and sets the status of the response if it fails. Without a session, a call over HTTP gets 401, and
/// a page that is being rendered becomes a redirect to the sign-in page. If a super user's URL names no tenant, a page becomes a redirect to
/// the list of tenants.
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
            (ErrorCode::SecondFactorNeeded, Some(_)) => redirect(&response, urls::SECOND_FACTOR),
            (ErrorCode::TenantNeeded, Some(page)) => {
                let path = page.split_once('?').map_or(page.as_str(), |(path, _)| path);
                redirect(&response, &urls::choice_of_tenant(path));
            }
            (code, _) => set_status(&response, code),
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
        ErrorCode::Forbidden | ErrorCode::TenantNotYours | ErrorCode::SecondFactorNeeded => {
            StatusCode::FORBIDDEN
        }
        ErrorCode::NotFound | ErrorCode::NoSuchTenant => StatusCode::NOT_FOUND,
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

fn set_status(response: &ResponseOptions, code: ErrorCode) {
    if let Some(seconds) = retry_after_of(code) {
        response.insert_header(RETRY_AFTER, seconds);
    }
    response.set_status(status_of(code));
}
