//! `POST /sign-in`: a plain form, which works without a script.

use app::{
    error::internal_error,
    sign_in::{SignInFailure, SignInFailureReason},
    urls::{SECOND_STEP, SIGN_IN, after_sign_in, local_path, with_parameters},
};
use axum::{
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::{
    log_limit::DATABASE_UNAVAILABLE,
    store::sign_in::{Attempt, SignInOutcome},
};
use http::{HeaderValue, StatusCode, Uri, header};
use leptos::prelude::provide_context;
use serde::Deserialize;
use url::Url;

use super::{
    form::read_form,
    render::{as_page, render, render_not_found},
    wait::{BUSY, in_words, whole_seconds},
};
use crate::{
    client, clock,
    cookies::{Cookie, Cookies},
    request_id,
    state::AppState,
};

/// The form. No `Debug`: it contains the password.
#[derive(Deserialize)]
struct SignInForm {
    email: String,
    password: String,
    #[serde(default)]
    return_to: String,
}

/// A failed attempt as the page shows it.
struct Failure {
    status: StatusCode,
    message: String,
    reason: SignInFailureReason,
    retry_after: Option<i64>,
}

/// Signs in and redirects to the requested page, or shows the form again with the reason.
pub(crate) async fn sign_in(State(state): State<AppState>, request: Request) -> Response {
    if !state.config.password_sign_in {
        return render_not_found(&state, request).await;
    }
    let (parts, body) = request.into_parts();
    let form_request = Request::from_parts(parts.clone(), body);
    let form = match read_form::<SignInForm>(form_request).await {
        Ok(form) => form,
        Err(refusal) => return refusal,
    };
    let cookies = Cookies::new(&state.config);
    let device = cookies.token(Cookie::Device, &parts.headers);
    let previous = cookies.token(Cookie::Session, &parts.headers);
    let attempt = Attempt {
        email: &form.email,
        password: &form.password,
        client: client::address_of(&parts.extensions),
        browser: client::browser_of(&parts.headers),
        device: device.as_ref(),
        previous: previous.as_ref(),
    };
    let outcome = match Failure::of_empty_fields(&form) {
        Some(failure) => Err(failure),
        None => (state.store.sign_in().attempt(attempt, clock::now()).await)
            .map_err(|error| Failure::from_error(&error)),
    };
    let failure = match outcome {
        Ok(SignInOutcome::SignedIn {
            user,
            session,
            device,
        }) => {
            let target = after_sign_in(local_target(&form.return_to), user.role);
            let mut response = Redirect::to(target).into_response();
            let set = [
                cookies.set(Cookie::Session, &session),
                cookies.set(Cookie::Device, &device),
            ];
            for cookie in set.into_iter().flatten() {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            return response;
        }
        Ok(SignInOutcome::SecondFactorNeeded { pending }) => {
            let url = with_parameters(SECOND_STEP, &[("return_to", &form.return_to)]);
            let mut response = Redirect::to(&url).into_response();
            if let Some(cookie) = cookies.set(Cookie::PendingSignIn, &pending) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            return response;
        }
        Ok(refused) => Failure::from_outcome(&refused),
        Err(failure) => failure,
    };
    let uri = with_parameters(SIGN_IN, &[("return_to", &form.return_to)])
        .parse()
        .unwrap_or_else(|_| Uri::from_static(SIGN_IN));
    let page = as_page(parts, uri);
    let told = SignInFailure {
        email: form.email,
        message: failure.message,
        reason: failure.reason,
    };
    let mut response = render(&state, page, move || provide_context(told.clone())).await;
    *response.status_mut() = failure.status;
    // The sign-in page redirects a user who has a session; this response must show the failure.
    response.headers_mut().remove(header::LOCATION);
    if let Some(seconds) = failure.retry_after {
        let seconds = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

impl Failure {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            reason: SignInFailureReason::Refused,
            retry_after: None,
        }
    }

    /// The failure of a form with an empty field. It is not an attempt.
    fn of_empty_fields(form: &SignInForm) -> Option<Self> {
        let (message, reason) = match (form.email.trim().is_empty(), form.password.is_empty()) {
            (true, true) => (
                "Enter your email and your password.",
                SignInFailureReason::NothingTyped,
            ),
            (true, false) => ("Enter your email.", SignInFailureReason::NoEmail),
            (false, true) => ("Enter your password.", SignInFailureReason::NoPassword),
            (false, false) => return None,
        };
        Some(Self {
            reason,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
        })
    }

    fn from_outcome(outcome: &SignInOutcome) -> Self {
        match outcome {
            SignInOutcome::Throttled { retry_after } => Self {
                retry_after: Some(whole_seconds(*retry_after)),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    format!(
                        "Too many attempts. Try again in {}.",
                        in_words(*retry_after)
                    ),
                )
            },
            SignInOutcome::Busy => Self {
                retry_after: Some(2),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, BUSY)
            },
            SignInOutcome::UserDisabled => Self::new(
                StatusCode::FORBIDDEN,
                "Your account is disabled. Ask your operator to enable it.",
            ),
            SignInOutcome::TenantSuspended { tenant } => Self::new(
                StatusCode::FORBIDDEN,
                format!("{tenant} is suspended. Ask your operator."),
            ),
            // No user has a password that is too long, so it is reported as wrong.
            SignInOutcome::Refused
            | SignInOutcome::TooLong
            | SignInOutcome::SignedIn { .. }
            | SignInOutcome::SecondFactorNeeded { .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Email or password is wrong.",
            ),
        }
    }

    fn from_error(error: &domain::Error) -> Self {
        // In both cases the user repeats the sign-in: a session whose token was not delivered is unusable.
        if let domain::Error::Unavailable(source) | domain::Error::OutcomeUnknown(source) = error {
            if DATABASE_UNAVAILABLE.admits_line() {
                tracing::warn!(error = %source, "sign-in failed: database unavailable");
            }
            return Self {
                retry_after: Some(5),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Latchkey can’t reach its database. Try again in a moment.",
                )
            };
        }
        tracing::error!(%error, source = ?std::error::Error::source(error), "sign-in failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            internal_error(&request_id::current_id()),
        )
    }
}

/// `return_to` if it is a path of this site.
///
/// `local_path` refuses paths that browsers parse as another host. The URL parser checks it again, because only here does text of a client
/// become a `Location`.
pub(super) fn local_target(return_to: &str) -> Option<&str> {
    let stays = |path: &str| {
        let here = Url::parse("http://latchkey.invalid").ok()?;
        let there = here.join(path).ok()?;
        (there.origin() == here.origin()).then_some(())
    };
    local_path(return_to).filter(|path| stays(path).is_some())
}
