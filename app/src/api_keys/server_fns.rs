//! What the pages of the keys ask the server for. Each is a door: it authorises, parses, calls the store, and wraps.

use domain::{
    key::{form::KeyForm, query::KeyQuery},
    propagation::Propagation,
};
use leptos::prelude::*;
use uuid::Uuid;

use super::responses::{EditContext, Edited, Issued, KeyDetail, KeyFormContext, KeyList};
use crate::{error::AppError, page_json::PageJson};
#[cfg(feature = "ssr")]
use {
    crate::{
        api_keys::actions,
        ssr::{self, TenantRequest},
    },
    domain::Error,
};

/// The keys that `query` asks for, a page of the usual length.
///
/// # Errors
/// [`ErrorCode`] says which there are.
#[server(prefix = "/api/pages", endpoint = "list_api_keys", input = PageJson, output = PageJson)]
pub async fn list_api_keys(tenant: Option<String>, query: KeyQuery) -> Result<KeyList, AppError> {
    ssr::answer(async {
        let request = ssr::request()?;
        let TenantRequest { scope, .. } =
            ssr::tenant_request_of(&request, tenant.as_deref()).await?;
        let keys = request.store.keys(&scope);
        let query = KeyQuery {
            limit: domain::page::DEFAULT_LIMIT,
            ..query
        };
        let listed = match keys.list_with_summary(&query, request.now).await {
            // A bookmark of another order or an older version: the list from its beginning.
            Err(Error::InvalidCursor) => {
                let from_start = KeyQuery {
                    cursor: None,
                    ..query
                };
                keys.list_with_summary(&from_start, request.now).await
            }
            listed => listed,
        };
        let (page, summary) = listed?;
        Ok(KeyList {
            page,
            summary,
            soon_days: request.store.options().expiring_soon_days,
            now: request.now,
        })
    })
    .await
}

/// One key of the tenant.
///
/// # Errors
/// Not found, also where `id` is not an identifier.
#[server(prefix = "/api/pages", endpoint = "get_api_key", input = PageJson, output = PageJson)]
pub async fn get_api_key(tenant: Option<String>, id: String) -> Result<KeyDetail, AppError> {
    ssr::answer(async { actions::key_detail(&ssr::request()?, tenant.as_deref(), &id).await }).await
}

/// What the form that makes a key needs to know.
///
/// # Errors
/// Those of the fence.
#[server(prefix = "/api/pages", endpoint = "open_key_form", input = PageJson, output = PageJson)]
pub async fn open_key_form(tenant: Option<String>) -> Result<KeyFormContext, AppError> {
    ssr::answer(async { actions::form_context(&ssr::request()?, tenant.as_deref()).await }).await
}

/// One key, with what the dialog that edits it needs to know.
///
/// # Errors
/// Not found, also where `id` is not an identifier.
#[server(prefix = "/api/pages", endpoint = "open_edit_form", input = PageJson, output = PageJson)]
pub async fn open_edit_form(tenant: Option<String>, id: String) -> Result<EditContext, AppError> {
    ssr::answer(async {
        let request = ssr::request()?;
        Ok(EditContext {
            detail: actions::key_detail(&request, tenant.as_deref(), &id).await?,
            form: actions::form_context(&request, tenant.as_deref()).await?,
        })
    })
    .await
}

/// Makes a key, with a `form_id`, once.
///
/// # Errors
/// The broken rules of the form; the key limit; that this form made a key before.
#[server(prefix = "/api/pages", endpoint = "generate_api_key", input = PageJson, output = PageJson)]
pub async fn generate_api_key(
    tenant: Option<String>,
    form: KeyForm,
    form_id: Option<Uuid>,
) -> Result<Issued, AppError> {
    ssr::answer(async {
        let request = ssr::request()?;
        actions::generate(&request, tenant.as_deref(), &form, form_id)
            .await
            .map_err(|error| error.into_app_error("created"))
    })
    .await
}

/// Saves name, description, group and allowlist, where the key is still the one of that version; with a `form_id`, once.
///
/// # Errors
/// The broken rules of the form; a key that is revoked or not there.
#[server(prefix = "/api/pages", endpoint = "edit_api_key", input = PageJson, output = PageJson)]
pub async fn edit_api_key(
    tenant: Option<String>,
    id: String,
    version: i64,
    form: KeyForm,
    form_id: Option<Uuid>,
) -> Result<Edited, AppError> {
    ssr::answer(async {
        let request = ssr::request()?;
        actions::edit(&request, tenant.as_deref(), &id, version, &form, form_id).await
    })
    .await
}

/// Gives a key a new secret, with a `form_id`, once. `expires_on` is what stands in the dialog's field: a date, or nothing for never.
///
/// # Errors
/// A date that is neither the current one nor in the future; a key that is revoked or not there.
#[server(prefix = "/api/pages", endpoint = "rotate_api_key", input = PageJson, output = PageJson)]
pub async fn rotate_api_key(
    tenant: Option<String>,
    id: String,
    expires_on: String,
    form_id: Option<Uuid>,
) -> Result<Issued, AppError> {
    ssr::answer(async {
        let request = ssr::request()?;
        actions::rotate(&request, tenant.as_deref(), &id, &expires_on, form_id)
            .await
            .map_err(|error| error.into_app_error("rotated"))
    })
    .await
}

/// Revokes a key for ever, and answers what the replicas said of it, where there are any.
///
/// # Errors
/// A key that is not there.
#[server(prefix = "/api/pages", endpoint = "revoke_api_key", input = PageJson, output = PageJson)]
pub async fn revoke_api_key(
    tenant: Option<String>,
    id: String,
    form_id: Option<Uuid>,
) -> Result<Option<Propagation>, AppError> {
    ssr::answer(async { actions::revoke(&ssr::request()?, tenant.as_deref(), &id, form_id).await })
        .await
}
