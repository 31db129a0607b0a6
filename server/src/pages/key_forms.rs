//! The key forms as a browser submits them without a script or before WebAssembly has loaded. Each form has the effect of the server
//! function of the same name; the response is a page.

use app::{
    api_keys::{
        actions::{self, FormError},
        dialog_target::IDS,
        list_query::ListQuery,
        rejected_form::RejectedForm,
        responses::{Edited, Issued},
        secret_page::{already_shown_page, secret_page},
    },
    done::Done,
    error::{AppError, ErrorCode},
    ssr, urls,
};
use axum::{
    extract::{Path, Request, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::{
    id::KeyId,
    key::{ApiKey, form::KeyForm},
};
use http::StatusCode;
use leptos_router::params::ParamsMap;
use serde::Deserialize;
use url::form_urlencoded;
use uuid::Uuid;

use super::{
    plain_page::without_scripts,
    submitted_form::{Button, LINE_BREAK, SubmittedForm},
};
use crate::state::AppState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GenerateForm {
    form_id: Uuid,
    name: String,
    description: String,
    authorization_group_id: String,
    expires_on: String,
    ip_allowlist: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditForm {
    version: i64,
    name: String,
    description: String,
    authorization_group_id: String,
    ip_allowlist: String,
    #[serde(rename = "action")]
    button: Option<Button>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RotateForm {
    form_id: Uuid,
    expires_on: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeForm {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeManyForm {
    form_id: Uuid,
    reason: String,
}

/// `POST /tenant-api-keys/new`
pub(crate) async fn generate(State(state): State<AppState>, request: Request) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<GenerateForm>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let form = KeyForm {
        name: fields.name,
        description: fields.description.replace(LINE_BREAK, "\n"),
        authorization_group_id: fields.authorization_group_id,
        expires_on: fields.expires_on,
        ip_allowlist: fields.ip_allowlist.replace(LINE_BREAK, "\n"),
    };
    let outcome = actions::generate(
        &submitted.context,
        submitted.tenant(),
        &form,
        Some(fields.form_id),
    )
    .await;
    match outcome {
        Ok(issued) => {
            submitted
                .show_secret(issued, "API key generated", Done::Generated)
                .await
        }
        Err(FormError::AlreadyShown(key)) => submitted.show_repeat(&key),
        Err(FormError::Failed(error)) => {
            let again = RejectedForm {
                form,
                ..RejectedForm::default()
            };
            submitted.show_key_form(again, Some(error)).await
        }
    }
}

/// `POST /tenant-api-keys/{id}/edit`
pub(crate) async fn edit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<EditForm>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let form = KeyForm {
        name: fields.name,
        description: fields.description.replace(LINE_BREAK, "\n"),
        authorization_group_id: fields.authorization_group_id,
        expires_on: String::new(),
        ip_allowlist: fields.ip_allowlist.replace(LINE_BREAK, "\n"),
    };
    let (context, tenant, version) = (&submitted.context, submitted.tenant(), fields.version);
    let mut again = RejectedForm {
        version: Some(version),
        ..RejectedForm::default()
    };
    let failure = if fields.button == Some(Button::Check) {
        let lines = form.ip_allowlist.clone();
        match actions::preview_allowlist(context, tenant, &id, lines).await {
            Ok(checked) => {
                again.checked = Some(checked);
                None
            }
            Err(error) => Some(error),
        }
    } else {
        match actions::edit(context, tenant, &id, version, &form, None).await {
            Ok(Edited::Saved(receipt)) => {
                return submitted.confirm(&id, |id| Done::Saved(id, receipt));
            }
            Ok(Edited::Conflict(theirs)) => {
                again.conflict = Some(*theirs);
                Some(AppError::new(ErrorCode::Conflict))
            }
            Err(error) => Some(error),
        }
    };
    again.form = form;
    submitted.show_key_form(again, failure).await
}

/// `POST /tenant-api-keys/{id}/rotate`
pub(crate) async fn rotate(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<RotateForm>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let form_id = Some(fields.form_id);
    let outcome = actions::rotate(
        &submitted.context,
        submitted.tenant(),
        &id,
        &fields.expires_on,
        form_id,
    )
    .await;
    match outcome {
        Ok(issued) => {
            submitted
                .show_secret(issued, "API key rotated", Done::Rotated)
                .await
        }
        Err(FormError::AlreadyShown(key)) => submitted.show_repeat(&key),
        Err(FormError::Failed(error)) => {
            let again = RejectedForm {
                form: KeyForm {
                    expires_on: fields.expires_on,
                    ..KeyForm::default()
                },
                ..RejectedForm::default()
            };
            submitted.show_key_form(again, Some(error)).await
        }
    }
}

/// `POST /tenant-api-keys/{id}/revoke`
pub(crate) async fn revoke(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (submitted, RevokeForm { reason }) =
        match SubmittedForm::receive::<RevokeForm>(&state, request).await {
            Ok(submitted) => submitted,
            Err(response) => return response,
        };
    match actions::revoke(&submitted.context, submitted.tenant(), &id, &reason, None).await {
        Ok(receipt) => submitted.confirm(&id, |id| Done::Revoked(id, receipt)),
        Err(error) => {
            let again = RejectedForm {
                reason,
                ..RejectedForm::default()
            };
            submitted.show_key_form(again, Some(error)).await
        }
    }
}

/// `POST /tenant-api-keys/revoke?ids=…`
pub(crate) async fn revoke_many(State(state): State<AppState>, request: Request) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<RevokeManyForm>(&state, request).await
    {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let RevokeManyForm { form_id, reason } = fields;
    let (context, tenant) = (&submitted.context, submitted.tenant());
    let ids = submitted.ids();
    match actions::revoke_many(context, tenant, &ids, &reason, Some(form_id)).await {
        Ok(receipt) => {
            let done = Done::RevokedMany(ids.len(), receipt);
            submitted.redirect(&submitted.list(), done)
        }
        Err(error) => {
            let again = RejectedForm {
                reason,
                ..RejectedForm::default()
            };
            submitted.show_key_form(again, Some(error)).await
        }
    }
}

impl SubmittedForm {
    /// The ids of the selected keys in the URL.
    fn ids(&self) -> Vec<String> {
        let query = self.parts.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| name == IDS)
            .map(|(_, value)| value.into_owned())
            .collect()
    }

    /// Redirects to the page that opened the dialog, which confirms the change of the key with this id.
    fn confirm(&self, id: &str, done: impl FnOnce(KeyId) -> Done) -> Response {
        match id.parse() {
            Ok(id) => self.redirect(&self.opener(id), done(id)),
            Err(_) => Redirect::to(&self.list()).into_response(),
        }
    }

    /// The URL of the page that opened the dialog: that of the key, or the list.
    fn opener(&self, id: KeyId) -> String {
        let query = self.parts.uri.query().unwrap_or_default();
        let is_key = form_urlencoded::parse(query.as_bytes())
            .any(|(name, value)| name == urls::FROM && value == urls::FROM_KEY);
        if is_key {
            self.tenant.url(&urls::key(&id.to_string()))
        } else {
            self.list()
        }
    }

    /// The URL of the list with its filters and sort.
    fn list(&self) -> String {
        let mut parameters = ParamsMap::new();
        let query = self.parts.uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parameters.insert(name.into_owned(), value.into_owned());
        }
        ListQuery::parse(&parameters).url(&self.tenant, urls::API_KEYS)
    }

    /// The page with the new secret. The page after it confirms the change.
    async fn show_secret(
        &self,
        issued: Issued,
        title: &'static str,
        done: fn(KeyId) -> Done,
    ) -> Response {
        let (next, done) = (self.opener(issued.key.id), done(issued.key.id));
        let tenant = ssr::acting_tenant_name(&self.context, self.tenant()).await;
        let page = secret_page(&self.context, next, tenant, issued, title);
        self.confirmed(without_scripts(StatusCode::OK, page), done)
    }

    /// The response to a repeat, without the secret, which only the first response contains.
    fn show_repeat(&self, key: &ApiKey) -> Response {
        let page = already_shown_page(&self.context, self.opener(key.id), key);
        without_scripts(StatusCode::CONFLICT, page)
    }

    /// Renders the page of the form with the submitted values.
    async fn show_key_form(self, form: RejectedForm, error: Option<AppError>) -> Response {
        self.render_with(error, |error| RejectedForm { error, ..form })
            .await
    }
}
