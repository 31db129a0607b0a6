//! What the pages of the keys ask the server for. Each is a door: it authorises, parses, calls the store, and wraps.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    client_address::ClientAddress,
    group::AuthorizationGroup,
    key::{
        ApiKey,
        form::KeyForm,
        format::Secret,
        query::{KeyPage, KeyQuery},
    },
    tenant::Usage,
};
use leptos::{prelude::*, server_fn::codec::Json};
use serde::{Deserialize, Serialize};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    error::ErrorCode,
    ssr::{self, TenantRequest},
};

/// A page of the list, with what its header says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyList {
    /// The keys.
    pub page: KeyPage,
    /// How much of the key limit is used.
    pub usage: Usage,
    /// How many active keys expire soon.
    pub expiring_soon: u64,
    /// How many days are soon.
    pub soon_days: u32,
    /// When this was true.
    pub now: DateTime<Utc>,
}

/// One key, for a dialog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDetail {
    /// The key.
    pub key: ApiKey,
    /// When this was true.
    pub now: DateTime<Utc>,
}

/// What the form that makes a key needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFormContext {
    /// The groups to choose from, by name.
    pub groups: Vec<AuthorizationGroup>,
    /// How much of the key limit is used.
    pub usage: Usage,
    /// The day that dates are judged by, UTC.
    pub today: NaiveDate,
    /// From where the server sees the person coming.
    pub client: ClientAddress,
}

/// A key with its secret, once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Issued {
    /// The key.
    pub key: ApiKey,
    /// The secret, now and never again.
    pub secret: Secret,
    /// For the command to try it: the server's public address, where it knows one.
    pub origin: Option<String>,
}

/// The keys that `query` asks for, a page of the usual length.
///
/// # Errors
/// [`ErrorCode`] says which there are.
#[server(prefix = "/api/pages", endpoint = "list_api_keys", input = Json)]
pub async fn list_api_keys(tenant: Option<String>, query: KeyQuery) -> Result<KeyList, AppError> {
    ssr::answer(async {
        let TenantRequest { request, scope } = ssr::tenant_request(tenant).await?;
        let keys = request.store.keys(&scope);
        let query = KeyQuery {
            limit: domain::page::DEFAULT_LIMIT,
            ..query
        };
        let summary = keys.summary(&query, request.now).await?;
        Ok(KeyList {
            page: keys.list(&query, request.now).await?,
            usage: summary.usage,
            expiring_soon: summary.expiring_soon,
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
#[server(prefix = "/api/pages", endpoint = "get_api_key", input = Json)]
pub async fn get_api_key(tenant: Option<String>, id: String) -> Result<KeyDetail, AppError> {
    ssr::answer(async {
        let TenantRequest { request, scope } = ssr::tenant_request(tenant).await?;
        let id = id.parse().map_err(|_| AppError::new(ErrorCode::NotFound))?;
        Ok(KeyDetail {
            key: request.store.keys(&scope).get(id, request.now).await?,
            now: request.now,
        })
    })
    .await
}

/// What the form that makes a key needs to know.
///
/// # Errors
/// Those of the fence.
#[server(prefix = "/api/pages", endpoint = "open_key_form", input = Json)]
pub async fn open_key_form(tenant: Option<String>) -> Result<KeyFormContext, AppError> {
    ssr::answer(async {
        let TenantRequest { request, scope } = ssr::tenant_request(tenant).await?;
        Ok(KeyFormContext {
            groups: request.store.groups(&scope).list_for_keys().await?,
            usage: request.store.keys(&scope).usage().await?,
            today: domain::key::today(request.now),
            client: request.client,
        })
    })
    .await
}

/// Makes a key.
///
/// # Errors
/// The broken rules of the form; the key limit.
#[server(prefix = "/api/pages", endpoint = "generate_api_key", input = Json)]
pub async fn generate_api_key(tenant: Option<String>, form: KeyForm) -> Result<Issued, AppError> {
    ssr::answer(async {
        let TenantRequest { request, scope } = ssr::tenant_request(tenant).await?;
        let new = form
            .validate(domain::key::today(request.now))
            .map_err(AppError::invalid)?;
        let issued = request.store.keys(&scope).create(new, request.now).await?;
        Ok(Issued {
            key: issued.key,
            secret: issued.secret,
            origin: request.origin,
        })
    })
    .await
}

/// Gives a key a new secret. `expires_on` is what stands in the dialog's field: a date, or nothing for never.
///
/// # Errors
/// A date that is neither the current one nor in the future; a key that is revoked or not there.
#[server(prefix = "/api/pages", endpoint = "rotate_api_key", input = Json)]
pub async fn rotate_api_key(
    tenant: Option<String>,
    id: String,
    expires_on: String,
) -> Result<Issued, AppError> {
    ssr::answer(async {
        let TenantRequest { request, scope } = ssr::tenant_request(tenant).await?;
        let keys = request.store.keys(&scope);
        let id = id.parse().map_err(|_| AppError::new(ErrorCode::NotFound))?;
        let current = keys.get(id, request.now).await?.expires_on;
        let today = domain::key::today(request.now);
        let expiry = super::rotate::rotated_expiry(&expires_on, current, today)
            .map_err(|error| AppError::invalid(vec![error]))?;
        let issued = keys.rotate(id, expiry, request.now).await?;
        Ok(Issued {
            key: issued.key,
            secret: issued.secret,
            origin: request.origin,
        })
    })
    .await
}

/// Revokes a key for ever.
///
/// # Errors
/// A key that is not there.
#[server(prefix = "/api/pages", endpoint = "revoke_api_key", input = Json)]
pub async fn revoke_api_key(tenant: Option<String>, id: String) -> Result<ApiKey, AppError> {
    ssr::answer(async {
        let TenantRequest { request, scope } = ssr::tenant_request(tenant).await?;
        let id = id.parse().map_err(|_| AppError::new(ErrorCode::NotFound))?;
        Ok(request.store.keys(&scope).revoke(id, request.now).await?)
    })
    .await
}
