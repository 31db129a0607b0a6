//! `/sign-in/second-factor`: the second step of a sign-in. The browser's cookie names the pending sign-in.

use app::{
    second_factor::second_step::SecondStepFailure,
    urls::{SECOND_STEP, SIGN_IN, after_sign_in, with_parameters},
};
use axum::{
    extract::{Request, State},
    response::{IntoResponse as _, Redirect, Response},
};
use domain::store::{
    second_factor::second_step::{SecondStep, SecondStepOutcome},
    sign_in::opening::Client,
};
use http::{HeaderValue, StatusCode, Uri, header};
use leptos::prelude::provide_context;
use serde::Deserialize;

use super::{
    form::read_form,
    render::{as_page, render},
    sign_in::local_target,
    wait::{in_words, whole_seconds},
};
use crate::{
    client, clock,
    cookies::{Cookie, Cookies},
    state::AppState,
};

/// No `Debug`: it contains a code.
#[derive(Deserialize)]
struct CodeForm {
    code: String,
    #[serde(default)]
    return_to: String,
}

/// Completes the sign-in with a code, or shows the form again with the reason.
pub(crate) async fn complete(State(state): State<AppState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let form_request = Request::from_parts(parts.clone(), body);
    let form = match read_form::<CodeForm>(form_request).await {
        Ok(form) => form,
        Err(refusal) => return refusal,
    };
    let cookies = Cookies::new(&state.config);
    let start_again = || {
        let url = with_parameters(SIGN_IN, &[("return_to", &form.return_to)]);
        let mut response = Redirect::to(&url).into_response();
        if let Some(cookie) = cookies.clear(Cookie::PendingSignIn) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    };
    let Some(pending) = cookies.token(Cookie::PendingSignIn, &parts.headers) else {
        return start_again();
    };
    let device = cookies.token(Cookie::Device, &parts.headers);
    let previous = cookies.token(Cookie::Session, &parts.headers);
    let step = SecondStep {
        pending: &pending,
        code: &form.code,
        client: Client {
            address: client::address_of(&parts.extensions),
            browser: client::browser_of(&parts.headers),
            device: device.as_ref(),
            previous: previous.as_ref(),
        },
    };
    let outcome = if form.code.trim().is_empty() {
        // An empty code is not an attempt.
        Err((
            StatusCode::UNPROCESSABLE_ENTITY,
            "Enter the code.".to_owned(),
            None,
        ))
    } else {
        match state.store.sign_in().complete(step, clock::now()).await {
            Ok(SecondStepOutcome::Expired) => return start_again(),
            Ok(outcome) => Ok(outcome),
            Err(error) => {
                let error = app::error::AppError::from(error);
                Err((app::ssr::status_of(error.code), error.message, Some(5)))
            }
        }
    };
    let (status, message, retry_after) = match outcome {
        Ok(SecondStepOutcome::SignedIn {
            user,
            session,
            device,
        }) => {
            let target = after_sign_in(local_target(&form.return_to), user.role);
            let mut response = Redirect::to(target).into_response();
            let set = [
                cookies.set(Cookie::Session, &session),
                cookies.set(Cookie::Device, &device),
                cookies.clear(Cookie::PendingSignIn),
            ];
            for cookie in set.into_iter().flatten() {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            return response;
        }
        Ok(SecondStepOutcome::Throttled { retry_after }) => (
            StatusCode::TOO_MANY_REQUESTS,
            format!("Too many attempts. Try again in {}.", in_words(retry_after)),
            Some(whole_seconds(retry_after)),
        ),
        Ok(SecondStepOutcome::KeyUnusable(fault)) => {
            tracing::error!(%fault, "second factor: codes cannot be checked");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                format!(
                    "Codes of the app cannot be checked: {fault}. Ask your operator, or use a recovery code."
                ),
                None,
            )
        }
        Ok(SecondStepOutcome::WrongCode | SecondStepOutcome::Expired) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "The code is wrong, or was used before. Enter the one that the app shows next."
                .to_owned(),
            None,
        ),
        Err(failure) => failure,
    };
    let uri = with_parameters(SECOND_STEP, &[("return_to", &form.return_to)])
        .parse()
        .unwrap_or_else(|_| Uri::from_static(SECOND_STEP));
    let failure = SecondStepFailure { message };
    let page = as_page(parts, uri);
    let mut response = render(&state, page, move || provide_context(failure.clone())).await;
    *response.status_mut() = status;
    if let Some(seconds) = retry_after {
        let seconds = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}
