//! The forms of authorization groups: plain forms, which work without a script.
//!
//! They carry no idempotency key, because repeats have no effect: a second creation is refused because the name is taken, a second edit or
//! deletion because its version is old.

use app::{
    error::{AppError, ErrorCode},
    groups::{GroupForm, SubmittedGroup, actions, notice},
    ssr::status_of,
    urls,
};
use axum::{
    extract::{Path, Request, State},
    response::{IntoResponse as _, Redirect, Response},
};
use domain::id::GroupId;
use http::StatusCode;
use leptos::prelude::provide_context;
use serde::Deserialize;

use super::{
    key_forms::{LINE_BREAK, SubmittedForm},
    render::{as_page, render},
};
use crate::state::AppState;

/// The button of the form that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Button {
    /// Shows the effect of the changes without saving them.
    Check,
    /// Saves the changes.
    Save,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewForm {
    name: String,
    permissions: String,
    #[serde(rename = "action")]
    _button: Option<Button>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditForm {
    version: i64,
    name: String,
    permissions: String,
    #[serde(rename = "action")]
    button: Button,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteForm {
    version: i64,
}

/// `POST /authorization-groups/new`
pub(crate) async fn create(State(state): State<AppState>, request: Request) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<NewForm>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let form = typed(fields.name, &fields.permissions);
    match actions::create(&submitted.context, submitted.tenant(), &form).await {
        Ok(id) => submitted.back_to_groups(notice::CREATED, &id.to_string()),
        Err(error) => submitted.show_again(form, Some(error)).await,
    }
}

/// `POST /authorization-groups/{id}`
pub(crate) async fn edit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<EditForm>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let form = typed(fields.name, &fields.permissions);
    if fields.button == Button::Check {
        return submitted.show_again(form, None).await;
    }
    let saved = match parse_id(&id) {
        Ok(id) => {
            actions::edit(
                &submitted.context,
                submitted.tenant(),
                id,
                fields.version,
                &form,
            )
            .await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) => submitted.back_to_groups(notice::SAVED, &id),
        Err(error) => submitted.show_again(form, Some(error)).await,
    }
}

/// `POST /authorization-groups/{id}/delete`
pub(crate) async fn delete(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<DeleteForm>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let deleted = match parse_id(&id) {
        Ok(id) => actions::delete(&submitted.context, submitted.tenant(), id, fields.version).await,
        Err(error) => Err(error),
    };
    match deleted {
        Ok(()) => submitted.back_to_groups(notice::DELETED, "1"),
        Err(error) => {
            submitted
                .show_again(GroupForm::default(), Some(error))
                .await
        }
    }
}

fn typed(name: String, permissions: &str) -> GroupForm {
    GroupForm {
        name,
        permissions: permissions.replace(LINE_BREAK, "\n"),
    }
}

fn parse_id(id: &str) -> Result<GroupId, AppError> {
    id.parse().map_err(|_| AppError::new(ErrorCode::NotFound))
}

impl SubmittedForm {
    /// Redirects to the list after success, so that a reload repeats nothing. The list shows a notice.
    fn back_to_groups(&self, notice: &str, value: &str) -> Response {
        let url = self.tenant.url_with(urls::GROUPS, &[(notice, value)]);
        Redirect::to(&url).into_response()
    }

    /// Renders the page of the form with the submitted values.
    async fn show_again(self, form: GroupForm, error: Option<AppError>) -> Response {
        if error
            .as_ref()
            .is_some_and(|error| error.code == ErrorCode::NotSignedIn)
        {
            let address = self.parts.uri.path_and_query();
            let address = address.map_or(urls::GROUPS, |address| address.as_str());
            return Redirect::to(&urls::sign_in(address)).into_response();
        }
        let status = error
            .as_ref()
            .map_or(StatusCode::OK, |error| status_of(error.code));
        let error = error.map(|error| error.with_request_id(&self.context.request_id));
        let submitted = SubmittedGroup { form, error };
        let uri = self.parts.uri.clone();
        let page = as_page(self.parts, uri);
        let mut response = render(&self.state, page, move || {
            provide_context(submitted.clone());
        })
        .await;
        // The page may have set a more specific status, such as 404 for an unknown group.
        if response.status() == StatusCode::OK {
            *response.status_mut() = status;
        }
        response
    }
}
