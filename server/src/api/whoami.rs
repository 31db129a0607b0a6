//! `/api/v1/whoami`: the calling key.

use std::net::IpAddr;

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse as _, Response},
};
use domain::{
    Error,
    key::{ApiKey, IssuedKey, format::Secret},
    permission::PermissionSet,
    propagation::{Propagation, Written},
    tenant::TenantRef,
    verify::VerifiedKey,
};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    api_keys::EditedKey, entity_tag::Tagged, error::ApiError, json::NoBody, query::NoParameters,
};
use crate::{clock, state::AppState};

/// The key, its tenant, its permissions, and the client address.
#[derive(Serialize, ToSchema)]
pub(crate) struct WhoAmI<'a> {
    #[serde(flatten)]
    key: ApiKey,
    tenant: &'a TenantRef,
    permissions: &'a PermissionSet,
    /// The client address; `null` if a trusted proxy sent no usable one.
    #[schema(value_type = Option<String>, required)]
    client_ip: Option<IpAddr>,
}

/// Read the calling key
///
/// Returns the key, its tenant, its permissions, and the client address that Latchkey uses.
#[utoipa::path(
    get,
    path = "/api/v1/whoami",
    tag = "Calling key",
    responses((status = 200, body = WhoAmI, description = "The calling key")),
)]
pub(crate) async fn read_whoami(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    _: NoParameters,
) -> Result<Response, ApiError> {
    let whoami = WhoAmI {
        client_ip: verified.client().ip(),
        key: verified.key_at(clock::now(), state.config.expiring_soon_days),
        tenant: verified.tenant(),
        permissions: verified.permissions(),
    };
    // One allocation for most keys: integrations call this in a loop.
    let mut body = Vec::with_capacity(1_024);
    serde_json::to_writer(&mut body, &whoami).map_err(|error| Error::Internal(Box::new(error)))?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// A key with a new secret: the only response that carries it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents a response")]
pub(crate) struct RotatedKey {
    /// The key.
    #[serde(flatten)]
    key: ApiKey,
    /// The new secret. Only in this response.
    secret: Secret,
    /// The replicas that refuse the old secret; `null` if a single server has the database.
    #[schema(required)]
    receipt: Option<Propagation>,
}

/// Rotate the calling key
///
/// Replaces the secret of the calling key. Its date stays, unless the tenant's security policy does not permit it: then it becomes the latest that
/// the policy permits, never later than before. The body is absent or an empty JSON object.
#[utoipa::path(
    post,
    path = "/api/v1/whoami/rotate",
    tag = "Calling key",
    responses((status = 200, body = RotatedKey, description = "The key with its new secret")),
    extensions(("x-response-headers" = json!(["ETag"])), ("x-codes" = json!(["key_revoked", "outcome_unknown"]))),
)]
pub(crate) async fn rotate_whoami(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    _: NoParameters,
    _: NoBody,
) -> Result<Tagged<Written<IssuedKey>>, ApiError> {
    let scope = verified.scope();
    let rotated = state.store.keys(&scope).rotate_self(clock::now()).await?;
    Ok(Tagged(rotated))
}

/// Revoke the calling key
///
/// Revokes the calling key permanently. Neither its allowlist nor a suspension of its tenant prevents this, so that whoever finds a secret can
/// end it. The body is absent or an empty JSON object.
#[utoipa::path(
    post,
    path = "/api/v1/whoami/revoke",
    tag = "Calling key",
    responses((status = 200, body = EditedKey, description = "The revoked key")),
    extensions(("x-response-headers" = json!(["ETag"])), ("x-codes" = json!(["outcome_unknown"]))),
)]
pub(crate) async fn revoke_whoami(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    _: NoParameters,
    _: NoBody,
) -> Result<Tagged<Written<ApiKey>>, ApiError> {
    let scope = verified.scope();
    let revoked = state.store.keys(&scope).revoke_self(clock::now()).await?;
    Ok(Tagged(revoked))
}
