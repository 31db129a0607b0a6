//! The server functions of the key pages. Each authorizes and parses the request, calls the store and returns a response.

use domain::{
    key::{form::KeyForm, preview::AllowlistCheck, query::KeyQuery},
    propagation::Propagation,
};
use leptos::prelude::*;
use uuid::Uuid;

use super::responses::{
    EditContext, Edited, Issued, KeyDetail, KeyFormContext, KeyList, SelectedKeys,
};
use crate::{error::AppError, page_json::PageJson};
#[cfg(feature = "ssr")]
use {
    super::{actions, list_request},
    crate::ssr,
};

/// Returns one page of the keys that match `query`.
///
/// # Errors
/// As [`ssr::tenant_request_of`]; [`ErrorCode::TooManyRequests`](crate::error::ErrorCode::TooManyRequests).
#[server(prefix = "/api/pages", endpoint = "list_api_keys", input = PageJson, output = PageJson)]
pub async fn list_api_keys(tenant: Option<String>, query: KeyQuery) -> Result<KeyList, AppError> {
    ssr::respond(async { list_request::list(&ssr::request()?, tenant, query).await }).await
}

/// Returns one key.
///
/// # Errors
/// Not found, also for a malformed `id`.
#[server(prefix = "/api/pages", endpoint = "get_api_key", input = PageJson, output = PageJson)]
pub async fn get_api_key(tenant: Option<String>, id: String) -> Result<KeyDetail, AppError> {
    ssr::respond(async { actions::key_detail(&ssr::request()?, tenant.as_deref(), &id).await })
        .await
}

/// Returns the data of the form that creates a key.
///
/// # Errors
/// As [`ssr::tenant_request_of`].
#[server(prefix = "/api/pages", endpoint = "open_key_form", input = PageJson, output = PageJson)]
pub async fn open_key_form(tenant: Option<String>) -> Result<KeyFormContext, AppError> {
    ssr::respond(async { actions::form_context(&ssr::request()?, tenant.as_deref()).await }).await
}

/// Returns one key with the data of the edit dialog.
///
/// # Errors
/// Not found, also for a malformed `id`.
#[server(prefix = "/api/pages", endpoint = "open_edit_form", input = PageJson, output = PageJson)]
pub async fn open_edit_form(tenant: Option<String>, id: String) -> Result<EditContext, AppError> {
    ssr::respond(async {
        let request = ssr::request()?;
        Ok(EditContext {
            detail: actions::key_detail(&request, tenant.as_deref(), &id).await?,
            form: actions::form_context(&request, tenant.as_deref()).await?,
        })
    })
    .await
}

/// Creates a key; with a `form_id`, only once.
///
/// # Errors
/// Errors of the form's fields; the key limit; a repeated form.
#[server(prefix = "/api/pages", endpoint = "generate_api_key", input = PageJson, output = PageJson)]
pub async fn generate_api_key(
    tenant: Option<String>,
    form: KeyForm,
    form_id: Option<Uuid>,
) -> Result<Issued, AppError> {
    ssr::respond(async {
        let request = ssr::request()?;
        actions::generate(&request, tenant.as_deref(), &form, form_id)
            .await
            .map_err(|error| error.into_app_error("created"))
    })
    .await
}

/// Saves name, description, group and allowlist if the key still has that version; with a `form_id`, only once.
///
/// # Errors
/// Errors of the form's fields; a key that is revoked or does not exist.
#[server(prefix = "/api/pages", endpoint = "edit_api_key", input = PageJson, output = PageJson)]
pub async fn edit_api_key(
    tenant: Option<String>,
    id: String,
    version: i64,
    form: KeyForm,
    form_id: Option<Uuid>,
) -> Result<Edited, AppError> {
    ssr::respond(async {
        let request = ssr::request()?;
        actions::edit(&request, tenant.as_deref(), &id, version, &form, form_id).await
    })
    .await
}

/// Returns which addresses of the last days an allowlist would refuse. `lines` is the text of the form's field.
///
/// # Errors
/// Invalid lines; a key that does not exist; [`ErrorCode::TooManyRequests`](crate::error::ErrorCode::TooManyRequests).
#[server(prefix = "/api/pages", endpoint = "preview_allowlist", input = PageJson, output = PageJson)]
pub async fn preview_allowlist(
    tenant: Option<String>,
    id: String,
    lines: String,
) -> Result<AllowlistCheck, AppError> {
    ssr::respond(async {
        actions::preview_allowlist(&ssr::request()?, tenant.as_deref(), &id, lines).await
    })
    .await
}

/// Rotates a key's secret; with a `form_id`, only once. `expires_on` is the text of the dialog's field: a date, or empty for never.
///
/// # Errors
/// A date that is neither the current one nor in the future; a key that is revoked or does not exist.
#[server(prefix = "/api/pages", endpoint = "rotate_api_key", input = PageJson, output = PageJson)]
pub async fn rotate_api_key(
    tenant: Option<String>,
    id: String,
    expires_on: String,
    form_id: Option<Uuid>,
) -> Result<Issued, AppError> {
    ssr::respond(async {
        let request = ssr::request()?;
        actions::rotate(&request, tenant.as_deref(), &id, &expires_on, form_id)
            .await
            .map_err(|error| error.into_app_error("rotated"))
    })
    .await
}

/// Revokes a key and returns the propagation of the change, if there are replicas. An empty or absent `reason` is no reason.
///
/// # Errors
/// A key that does not exist.
#[server(prefix = "/api/pages", endpoint = "revoke_api_key", input = PageJson, output = PageJson)]
pub async fn revoke_api_key(
    tenant: Option<String>,
    id: String,
    reason: Option<String>,
    form_id: Option<Uuid>,
) -> Result<Option<Propagation>, AppError> {
    ssr::respond(async {
        let request = ssr::request()?;
        let reason = reason.unwrap_or_default();
        actions::revoke(&request, tenant.as_deref(), &id, &reason, form_id).await
    })
    .await
}

/// Returns the keys that a dialog revokes together.
///
/// # Errors
/// Not found if one of them does not belong to the tenant; more than 100.
#[server(prefix = "/api/pages", endpoint = "get_selected_keys", input = PageJson, output = PageJson)]
pub async fn get_selected_keys(
    tenant: Option<String>,
    ids: Vec<String>,
) -> Result<SelectedKeys, AppError> {
    ssr::respond(async { actions::selected_keys(&ssr::request()?, tenant.as_deref(), ids).await })
        .await
}

/// Revokes up to 100 keys, all or none, and returns the propagation of the change, if there are replicas.
///
/// # Errors
/// A reason that is too long; not found if one of the keys does not belong to the tenant.
#[server(prefix = "/api/pages", endpoint = "revoke_api_keys", input = PageJson, output = PageJson)]
pub async fn revoke_api_keys(
    tenant: Option<String>,
    ids: Vec<String>,
    reason: String,
    form_id: Option<Uuid>,
) -> Result<Option<Propagation>, AppError> {
    ssr::respond(async {
        let request = ssr::request()?;
        actions::revoke_many(&request, tenant.as_deref(), &ids, &reason, form_id).await
    })
    .await
}
