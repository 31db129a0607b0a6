//! The forms of My account except that of the password: name, sessions, theme.

use app::{account::name::NameNotice, done::Done, error::AppError, ssr::status_of, theme::Theme};
use axum::{
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use domain::session::SessionId;
use http::{StatusCode, header::SET_COOKIE};
use serde::Deserialize;

use super::submitted_form::SubmittedForm;
use crate::{clock, cookies::Cookies, state::AppState};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NameForm {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionForm {
    session: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmptyForm {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThemeForm {
    theme: String,
}

/// `POST /account/name`
pub(crate) async fn rename(State(state): State<AppState>, request: Request) -> Response {
    let received = SubmittedForm::receive_own::<NameForm>(&state, request).await;
    let (submitted, user, form) = match received {
        Ok(received) => received,
        Err(response) => return response,
    };
    let own = state.store.own_account(&user);
    let error = match own.rename(&form.name, clock::now()).await {
        Ok(()) => return submitted.back_to_account(Done::NameSaved),
        Err(error) => submitted.error(error),
    };
    let status = status_of(error.code);
    let mut fields = error.fields.into_iter();
    let notice = match fields.next() {
        Some(field) => NameNotice {
            name: Some(field.message),
            typed: Some(form.name),
            ..NameNotice::default()
        },
        None => NameNotice {
            form: Some(error.message),
            typed: Some(form.name),
            ..NameNotice::default()
        },
    };
    submitted.show_account(status, notice).await
}

/// `POST /account/sessions/end`: a session that has ended meanwhile is not an error.
pub(crate) async fn end_session(State(state): State<AppState>, request: Request) -> Response {
    let received = SubmittedForm::receive_own::<SessionForm>(&state, request).await;
    let (submitted, user, form) = match received {
        Ok(received) => received,
        Err(response) => return response,
    };
    let Some(id) = SessionId::parse(&form.session) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let own = state.store.own_account(&user);
    match own.end_session(&id, clock::now()).await {
        Ok(ended) => {
            let number = u64::from(ended.is_some());
            submitted.back_to_account(Done::SessionsEnded(number))
        }
        Err(error) => submitted.fail(error),
    }
}

/// `POST /account/sessions/end-others`
pub(crate) async fn end_other_sessions(
    State(state): State<AppState>,
    request: Request,
) -> Response {
    let received = SubmittedForm::receive_own::<EmptyForm>(&state, request).await;
    let (submitted, user, EmptyForm {}) = match received {
        Ok(received) => received,
        Err(response) => return response,
    };
    let own = state.store.own_account(&user);
    match own.end_other_sessions(clock::now()).await {
        Ok(number) => submitted.back_to_account(Done::SessionsEnded(number)),
        Err(error) => submitted.fail(error),
    }
}

/// `POST /account/theme`
pub(crate) async fn choose_theme(State(state): State<AppState>, request: Request) -> Response {
    let received = SubmittedForm::receive_own::<ThemeForm>(&state, request).await;
    let (submitted, _, form) = match received {
        Ok(received) => received,
        Err(response) => return response,
    };
    let Some(theme) = Theme::from_word(&form.theme) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let mut response = submitted.back_to_account(Done::ThemeSaved);
    if let Some(cookie) = Cookies::new(&state.config).set_theme(theme) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

impl SubmittedForm {
    /// The error for users, which names the request's id.
    pub(super) fn error(&self, error: domain::Error) -> AppError {
        AppError::from(error).with_request_id(&self.context.request_id)
    }

    /// A form without fields failed: its status and message as text.
    fn fail(&self, error: domain::Error) -> Response {
        let error = self.error(error);
        (status_of(error.code), format!("{}\n", error.message)).into_response()
    }
}
