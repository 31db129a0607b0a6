//! A form as a browser submits it without a script: the checks before it is read, and the page that shows it again.

use app::{
    done::Done,
    error::{AppError, ErrorCode},
    ssr::{self, RequestContext, status_of},
    urls::{self, TenantQuery},
};
use axum::{
    extract::{Query, Request},
    response::{IntoResponse as _, Redirect, Response},
};
use domain::store::sessions::SignedIn;
use http::{
    StatusCode, Uri,
    header::{LOCATION, SET_COOKIE},
    request::Parts,
};
use leptos::prelude::provide_context;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    form::read_form,
    render::{as_page, context_of, render},
};
use crate::{cookies::Cookies, state::AppState};

/// A line break in a submitted form; the API uses `\n`.
pub(super) const LINE_BREAK: &str = "\r\n";

/// The button of the form that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Button {
    /// Shows the effect of the changes without saving them.
    Check,
    /// Saves the changes.
    Save,
}

/// The query of a page's URL.
#[derive(Deserialize)]
struct Address {
    tenant: Option<String>,
}

/// The tenant in the URL. `None` if the query cannot be parsed.
fn tenant_of(request: &Request) -> Option<TenantQuery> {
    let Query(address) = Query::<Address>::try_from_uri(request.uri()).ok()?;
    Some(TenantQuery(address.tenant))
}

/// The response to a query that cannot be parsed.
fn incomplete_address() -> Response {
    (StatusCode::BAD_REQUEST, "The address is not complete.\n").into_response()
}

/// My account in this tenant.
fn account_uri(tenant: &TenantQuery) -> Uri {
    (tenant.url(urls::ACCOUNT).parse()).unwrap_or_else(|_| Uri::from_static(urls::ACCOUNT))
}

/// A submitted form.
pub(super) struct SubmittedForm {
    pub(super) state: AppState,
    pub(super) context: RequestContext,
    /// The tenant in the URL, for super users.
    pub(super) tenant: TenantQuery,
    pub(super) parts: Parts,
}

impl SubmittedForm {
    /// Checks the session, then receives the form `T`. Missing and additional fields are refused.
    pub(super) async fn receive<T: DeserializeOwned>(
        state: &AppState,
        request: Request,
    ) -> Result<(Self, T), Response> {
        let context = context_of(state, &request);
        // The role is checked before the form is parsed.
        match ssr::signed_in(&context).await {
            Ok(user) if user.user.role.manages_keys() => {}
            // The page renders the refusal.
            Ok(_) => {
                let (parts, _) = request.into_parts();
                let uri = parts.uri.clone();
                return Err(render(state, as_page(parts, uri), || ()).await);
            }
            Err(error) if error.code == ErrorCode::NotSignedIn => {
                let address = request.uri().path_and_query();
                let address = address.map_or(urls::API_KEYS, |address| address.as_str());
                return Err(Redirect::to(&urls::sign_in(address)).into_response());
            }
            Err(error) if error.code == ErrorCode::SecondFactorNeeded => {
                return Err(Redirect::to(urls::SECOND_FACTOR).into_response());
            }
            Err(error) => return Err(status_of(error.code).into_response()),
        }
        let tenant = tenant_of(&request).ok_or_else(incomplete_address)?;
        Self::read(state, context, tenant, request).await
    }

    /// Checks the session, then receives the form `T` of My account, which every user may send. A super user's URL may name the tenant whose
    /// menu the page shows.
    pub(super) async fn receive_own<T: DeserializeOwned>(
        state: &AppState,
        request: Request,
    ) -> Result<(Self, SignedIn, T), Response> {
        let context = context_of(state, &request);
        let user = match ssr::signed_in(&context).await {
            Ok(user) => user,
            Err(error) if error.code == ErrorCode::NotSignedIn => {
                return Err(Redirect::to(&urls::sign_in(urls::ACCOUNT)).into_response());
            }
            Err(error) if error.code == ErrorCode::SecondFactorNeeded => {
                return Err(Redirect::to(urls::SECOND_FACTOR).into_response());
            }
            Err(error) => return Err(status_of(error.code).into_response()),
        };
        let tenant = tenant_of(&request).ok_or_else(incomplete_address)?;
        if tenant.0.is_some() && user.operator().is_none() {
            // The page renders the refusal of the tenant.
            let (parts, _) = request.into_parts();
            let page = as_page(parts, account_uri(&tenant));
            return Err(render(state, page, || ()).await);
        }
        let (submitted, fields) = Self::read(state, context, tenant, request).await?;
        Ok((submitted, user, fields))
    }

    async fn read<T: DeserializeOwned>(
        state: &AppState,
        context: RequestContext,
        tenant: TenantQuery,
        request: Request,
    ) -> Result<(Self, T), Response> {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts.clone(), body);
        let fields = read_form::<T>(request).await?;
        let submitted = Self {
            state: state.clone(),
            context,
            tenant,
            parts,
        };
        Ok((submitted, fields))
    }

    /// Redirects to My account, which confirms the change.
    pub(super) fn back_to_account(&self, done: Done) -> Response {
        self.redirect(&self.tenant.url(urls::ACCOUNT), done)
    }

    /// Renders My account with `notice` as context.
    pub(super) async fn show_account<T: Clone + Send + Sync + 'static>(
        self,
        status: StatusCode,
        notice: T,
    ) -> Response {
        let url = self.tenant.url(urls::ACCOUNT);
        self.show_page(&url, status, notice).await
    }

    /// Renders the page at `url` with `notice` as context.
    pub(super) async fn show_page<T: Clone + Send + Sync + 'static>(
        self,
        url: &str,
        status: StatusCode,
        notice: T,
    ) -> Response {
        let uri = (url.parse()).unwrap_or_else(|_| Uri::from_static(urls::ACCOUNT));
        let page = as_page(self.parts, uri);
        let mut response = render(&self.state, page, move || provide_context(notice.clone())).await;
        // Another status means that the page could not be rendered.
        if response.status() == StatusCode::OK {
            *response.status_mut() = status;
        }
        response
    }

    pub(super) fn tenant(&self) -> Option<&str> {
        self.tenant.0.as_deref()
    }

    /// Redirects after success, so that a reload repeats nothing. The next page confirms the change.
    pub(super) fn redirect(&self, url: &str, done: Done) -> Response {
        self.confirmed(Redirect::to(url).into_response(), done)
    }

    /// The response, with the cookie by which the next page confirms the change.
    pub(super) fn confirmed(&self, mut response: Response, done: Done) -> Response {
        if let Some(cookie) = Cookies::new(&self.state.config).set_done(done) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// Renders the page of the form with the context that `context` returns for the error, which names the request's id. The status is that
    /// of the error, or 200 without one. If the session has ended, redirects to sign-in.
    pub(super) async fn render_with<T: Clone + Send + Sync + 'static>(
        self,
        error: Option<AppError>,
        context: impl FnOnce(Option<AppError>) -> T,
    ) -> Response {
        let code = error.as_ref().map(|error| error.code);
        if code == Some(ErrorCode::NotSignedIn) {
            let address = self.parts.uri.path_and_query();
            let address = address.map_or(urls::API_KEYS, |address| address.as_str());
            return Redirect::to(&urls::sign_in(address)).into_response();
        }
        let error = error.map(|error| error.with_request_id(&self.context.request_id));
        let provided = context(error);
        let uri = self.parts.uri.clone();
        let page = as_page(self.parts, uri);
        let mut response =
            render(&self.state, page, move || provide_context(provided.clone())).await;
        // The page may have set a more specific status, such as 404 for an unknown key or group.
        // Without a tenant it is a redirect to the list of tenants, which does not apply to a form.
        if code == Some(ErrorCode::TenantNeeded) {
            response.headers_mut().remove(LOCATION);
            *response.status_mut() = status_of(ErrorCode::TenantNeeded);
        } else if response.status() == StatusCode::OK {
            *response.status_mut() = code.map_or(StatusCode::OK, status_of);
        }
        response
    }
}
