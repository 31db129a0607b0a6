//! The forms of users: plain forms, which work without a script.
//!
//! They carry no idempotency key: a repeated change finds the user changed, and a repeated invitation ends the earlier link.

use app::{
    done::Done,
    error::{AppError, ErrorCode},
    ssr, urls,
    users::{InviteForm, SubmittedUser, actions, link_page::link_page, parse_id},
};
use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use domain::{
    id::UserId,
    store::{invitations::IssuedLink, user_changes::UserChange},
};
use http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::{plain_page::without_scripts, submitted_form::SubmittedForm};
use crate::state::AppState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InviteFields {
    email: String,
    role: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleFields {
    role: String,
}

/// A confirmation has no field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoFields {}

/// `POST /users/invite`
pub(crate) async fn invite(State(state): State<AppState>, request: Request) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<InviteFields>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let form = InviteForm {
        email: fields.email,
        role: fields.role,
    };
    match actions::invite(&submitted.context, submitted.tenant(), &form).await {
        Ok(link) => submitted.show_link(&link).await,
        Err(error) => submitted.show_user_form(form, error).await,
    }
}

/// `POST /users/{id}/invite`
pub(crate) async fn invite_again(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let submitted = match SubmittedForm::receive::<NoFields>(&state, request).await {
        Ok((submitted, NoFields {})) => submitted,
        Err(response) => return response,
    };
    let link = match parse(&id) {
        Ok(id) => actions::invite_again(&submitted.context, submitted.tenant(), id).await,
        Err(error) => Err(error),
    };
    match link {
        Ok(link) => submitted.show_link(&link).await,
        Err(error) => submitted.show_user_form(InviteForm::default(), error).await,
    }
}

/// `POST /users/{id}/withdraw`
pub(crate) async fn withdraw(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let submitted = match SubmittedForm::receive::<NoFields>(&state, request).await {
        Ok((submitted, NoFields {})) => submitted,
        Err(response) => return response,
    };
    let withdrawn = match parse(&id) {
        Ok(id) => actions::withdraw(&submitted.context, submitted.tenant(), id).await,
        Err(error) => Err(error),
    };
    match withdrawn {
        Ok(()) => submitted.back_to_users(Done::InvitationWithdrawn),
        Err(error) => submitted.show_user_form(InviteForm::default(), error).await,
    }
}

/// `POST /users/{id}/role`
pub(crate) async fn set_role(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<RoleFields>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    match actions::parse_role(&fields.role) {
        Ok(role) => {
            let change = UserChange::SetRole(role);
            submitted.change(&id, change, Done::RoleChanged).await
        }
        Err(error) => submitted.show_user_form(InviteForm::default(), error).await,
    }
}

/// `POST /users/{id}/disable`
pub(crate) async fn disable(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    confirmed(
        &state,
        &id,
        request,
        UserChange::Disable,
        Done::UserDisabled,
    )
    .await
}

/// `POST /users/{id}/enable`
pub(crate) async fn enable(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    confirmed(&state, &id, request, UserChange::Enable, Done::UserEnabled).await
}

/// `POST /users/{id}/end-sessions`
pub(crate) async fn end_sessions(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let change = UserChange::EndSessions;
    confirmed(&state, &id, request, change, Done::UserSignedOut).await
}

async fn confirmed(
    state: &AppState,
    id: &str,
    request: Request,
    change: UserChange,
    done: fn(UserId) -> Done,
) -> Response {
    match SubmittedForm::receive::<NoFields>(state, request).await {
        Ok((submitted, NoFields {})) => submitted.change(id, change, done).await,
        Err(response) => response,
    }
}

fn parse(id: &str) -> Result<Uuid, AppError> {
    parse_id(id).ok_or_else(|| AppError::new(ErrorCode::NotFound))
}

impl SubmittedForm {
    async fn change(self, id: &str, change: UserChange, done: fn(UserId) -> Done) -> Response {
        let changed = match parse(id) {
            Ok(id) => actions::change(&self.context, self.tenant(), id, change).await,
            Err(error) => Err(error),
        };
        match changed {
            Ok(changed) => self.back_to_users(done(changed.user.id)),
            Err(error) => self.show_user_form(InviteForm::default(), error).await,
        }
    }

    fn back_to_users(&self, done: Done) -> Response {
        self.redirect(&self.tenant.url(urls::USERS), done)
    }

    /// The page that shows the link once.
    async fn show_link(&self, link: &IssuedLink) -> Response {
        // A browser always sends Host, so that the origin is known.
        let origin = self.context.origin.as_deref().unwrap_or_default();
        let tenant = ssr::acting_tenant_name(&self.context, self.tenant()).await;
        let list = self.tenant.url(urls::USERS);
        let page = link_page(&self.context, list, tenant, origin, link);
        without_scripts(StatusCode::OK, page)
    }

    /// Renders the page of the form with the submitted values.
    async fn show_user_form(self, form: InviteForm, error: AppError) -> Response {
        self.render_with(Some(error), |error| SubmittedUser { form, error })
            .await
    }
}
