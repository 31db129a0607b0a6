//! The forms of authorization groups: plain forms, which work without a script.
//!
//! They carry no idempotency key, because repeats have no effect: a second creation is refused because the name is taken, a second edit or
//! deletion because its version is old.

use app::{
    done::Done,
    error::{AppError, ErrorCode},
    groups::{GroupForm, SubmittedGroup, actions},
    urls,
};
use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use domain::id::GroupId;
use serde::Deserialize;

use super::submitted_form::{Button, LINE_BREAK, SubmittedForm};
use crate::state::AppState;

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
        Ok(id) => submitted.back_to_groups(Done::GroupCreated(id)),
        Err(error) => submitted.show_group_form(form, Some(error)).await,
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
        return submitted.show_group_form(form, None).await;
    }
    let saved = match parse_id(&id) {
        Ok(id) => actions::edit(
            &submitted.context,
            submitted.tenant(),
            id,
            fields.version,
            &form,
        )
        .await
        .map(|()| id),
        Err(error) => Err(error),
    };
    match saved {
        Ok(id) => submitted.back_to_groups(Done::GroupSaved(id)),
        Err(error) => submitted.show_group_form(form, Some(error)).await,
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
        Ok(()) => submitted.back_to_groups(Done::GroupDeleted),
        Err(error) => {
            submitted
                .show_group_form(GroupForm::default(), Some(error))
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
    fn back_to_groups(&self, done: Done) -> Response {
        self.redirect(&self.tenant.url(urls::GROUPS), done)
    }

    /// Renders the page of the form with the submitted values.
    async fn show_group_form(self, form: GroupForm, error: Option<AppError>) -> Response {
        self.render_with(error, |error| SubmittedGroup { form, error })
            .await
    }
}
