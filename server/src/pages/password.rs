//! `POST /account`, changing the password: a plain form, which works without a script.

use app::{
    account::PasswordNotice,
    done::Done,
    ssr,
    urls::{self, TenantQuery},
};
use axum::{
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::store::{
    own_password::{PasswordChange, PasswordChangeOutcome},
    password::check_length,
};
use http::{HeaderValue, StatusCode, Uri, header, request::Parts};
use leptos::prelude::provide_context;
use serde::Deserialize;

use super::{
    form::read_form,
    render::{as_page, context_of, render},
    wait::{BUSY, in_words, whole_seconds},
};
use crate::{
    clock,
    cookies::{Cookie, Cookies},
    state::AppState,
};

/// The form. No `Debug`: it contains passwords.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordForm {
    /// Only for the browser's password manager; the session determines the user.
    #[serde(rename = "username")]
    _username: Option<String>,
    current_password: String,
    new_password: String,
}

/// Changes the signed-in user's password, which ends their other sessions.
pub(crate) async fn change_password(State(state): State<AppState>, request: Request) -> Response {
    let context = context_of(&state, &request);
    let user = match ssr::signed_in(&context).await {
        Ok(user) => user,
        Err(error) if error.code == app::error::ErrorCode::NotSignedIn => {
            return Redirect::to(&urls::sign_in(urls::ACCOUNT)).into_response();
        }
        Err(error) => return ssr::status_of(error.code).into_response(),
    };
    let (parts, body) = request.into_parts();
    if tenant_of(&parts.uri).is_some() && user.operator().is_none() {
        // The page renders the refusal of the tenant.
        let uri = parts.uri.clone();
        return render(&state, as_page(parts, uri), || ()).await;
    }
    let request = Request::from_parts(parts.clone(), body);
    let form = match read_form::<PasswordForm>(request).await {
        Ok(form) => form,
        Err(refusal) => return refusal,
    };
    if let Some(notice) = missing(&form) {
        return form_page(
            &state,
            parts,
            StatusCode::UNPROCESSABLE_ENTITY,
            notice,
            None,
        )
        .await;
    }
    let cookies = Cookies::new(&state.config);
    let device = cookies.token(Cookie::Device, &parts.headers);
    let change = PasswordChange {
        user: &user.user,
        current: &form.current_password,
        new: &form.new_password,
        client: context.client,
        device: device.as_ref(),
        session: context.session.as_ref(),
    };
    let outcome = state
        .store
        .sign_in()
        .change_password(change, clock::now())
        .await;
    let (status, notice, retry_after) = match outcome {
        Ok(PasswordChangeOutcome::Changed { session, device }) => {
            let mut response = Redirect::to(&account_url(&parts.uri)).into_response();
            let set = [
                cookies.set(Cookie::Session, &session),
                cookies.set(Cookie::Device, &device),
                cookies.set_done(Done::PasswordChanged),
            ];
            for cookie in set.into_iter().flatten() {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            return response;
        }
        Ok(PasswordChangeOutcome::WrongPassword) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            PasswordNotice {
                // Only the length: the other rules are checked after the current password was right.
                new: check_length(&form.new_password)
                    .err()
                    .map(|fault| fault.message),
                ..PasswordNotice::of_current("The current password is wrong.")
            },
            None,
        ),
        Ok(PasswordChangeOutcome::Throttled { retry_after }) => (
            StatusCode::TOO_MANY_REQUESTS,
            PasswordNotice::of_form(format!(
                "Too many attempts. Try again in {}.",
                in_words(retry_after)
            )),
            Some(whole_seconds(retry_after)),
        ),
        Ok(PasswordChangeOutcome::Busy) => (
            StatusCode::SERVICE_UNAVAILABLE,
            PasswordNotice::of_form(BUSY),
            Some(2),
        ),
        Err(domain::Error::Invalid(faults)) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            PasswordNotice::of_new(
                faults
                    .into_iter()
                    .next()
                    .map_or_else(String::new, |fault| fault.message),
            ),
            None,
        ),
        Err(error) => {
            let error = app::error::AppError::from(error).with_request_id(&context.request_id);
            (
                ssr::status_of(error.code),
                PasswordNotice::of_form(error.message),
                None,
            )
        }
    };
    form_page(&state, parts, status, notice, retry_after).await
}

/// The errors of empty fields. An empty password is not an attempt.
fn missing(form: &PasswordForm) -> Option<PasswordNotice> {
    let message = |text: &str, message: &str| text.is_empty().then(|| message.to_owned());
    let current = message(&form.current_password, "Enter your current password.");
    let new = message(&form.new_password, "Enter a new password.");
    (current.is_some() || new.is_some()).then(|| PasswordNotice {
        current,
        new,
        ..PasswordNotice::default()
    })
}

/// The account page with the outcome of its form.
async fn form_page(
    state: &AppState,
    parts: Parts,
    status: StatusCode,
    notice: PasswordNotice,
    retry_after: Option<i64>,
) -> Response {
    let page_uri = account_url(&parts.uri)
        .parse()
        .unwrap_or_else(|_| Uri::from_static(urls::ACCOUNT));
    let page = as_page(parts, page_uri);
    let mut response = render(state, page, move || provide_context(notice.clone())).await;
    *response.status_mut() = status;
    if let Some(seconds) = retry_after {
        let seconds = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// The tenant in the URL.
fn tenant_of(uri: &Uri) -> Option<String> {
    #[derive(Deserialize)]
    struct Address {
        tenant: Option<String>,
    }
    axum::extract::Query::<Address>::try_from_uri(uri)
        .ok()
        .and_then(|address| address.0.tenant)
}

/// The URL of the account page in the tenant of the form's URL.
fn account_url(form: &Uri) -> String {
    TenantQuery(tenant_of(form)).url(urls::ACCOUNT)
}
