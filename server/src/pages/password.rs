//! `POST /account`, changing the password: a plain form, which works without a script.

use app::{account::password::PasswordNotice, done::Done, ssr};
use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::store::{
    own_password::{PasswordChange, PasswordChangeOutcome},
    password::check_length,
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::{
    submitted_form::SubmittedForm,
    wait::{BUSY, in_words, whole_seconds},
};
use crate::{
    client, clock,
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
    let received = SubmittedForm::receive_own::<PasswordForm>(&state, request).await;
    let (submitted, user, form) = match received {
        Ok(received) => received,
        Err(response) => return response,
    };
    if let Some(notice) = missing(&form) {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return submitted.show_account(status, notice).await;
    }
    let cookies = Cookies::new(&state.config);
    let device = cookies.token(Cookie::Device, &submitted.parts.headers);
    let change = PasswordChange {
        user: &user.user,
        current: &form.current_password,
        new: &form.new_password,
        client: submitted.context.client,
        browser: client::browser_of(&submitted.parts.headers),
        device: device.as_ref(),
        session: submitted.context.session.as_ref(),
        authentication: user.session.authentication,
    };
    let outcome = state
        .store
        .sign_in()
        .change_password(change, clock::now())
        .await;
    let (status, notice, retry_after) = match outcome {
        Ok(PasswordChangeOutcome::Changed { session, device }) => {
            let mut response = submitted.back_to_account(Done::PasswordChanged);
            let set = [
                cookies.set(Cookie::Session, &session),
                cookies.set(Cookie::Device, &device),
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
            let error =
                app::error::AppError::from(error).with_request_id(&submitted.context.request_id);
            (
                ssr::status_of(error.code),
                PasswordNotice::of_form(error.message),
                None,
            )
        }
    };
    let mut response = submitted.show_account(status, notice).await;
    if let Some(seconds) = retry_after {
        let seconds = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
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
