//! `/api/v1/api-keys`: the keys of the calling key's tenant.

use axum::{
    Extension,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use domain::{
    Error,
    id::KeyId,
    key::{ApiKey, format::Secret, today},
    propagation::Propagation,
    store::{idempotency::IdempotencyKey, keys::Keys},
    tenant::KeyQuota,
    verify::VerifiedKey,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    entity_tag::{IfMatch, IfMatchParameter, Tagged},
    error::ApiError,
    json::JsonBody,
    key_body::{KeyChangesBody, NewKeyBody, RotateBody},
    path_id::PathId,
    query::{NoParameters, PageParameters, parse_key_query},
};
use crate::{clock, content_coding::ListJson, state::AppState};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks the response to a repeat.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The header `Idempotency-Key` in the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(
    dead_code,
    reason = "describes the header; the handlers read it themselves"
)]
pub(crate) struct IdempotencyKeyParameter {
    /// A repeat with the same body within 24 hours changes nothing and returns the current state of the key
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]([ -~]*[!-~])?$"
    )]
    idempotency_key: Option<String>,
}

/// A page of keys, and the key quota.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyList {
    /// In the requested order.
    items: Vec<ApiKey>,
    /// The `cursor` of the next page; `null` on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
    usage: KeyQuota,
}

/// The created key.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes two responses in the document")]
pub(crate) struct CreatedKey {
    #[serde(flatten)]
    key: ApiKey,
    /// Only in this response. Absent in the response to a repeat.
    #[schema(value_type = Option<Secret>, nullable = false)]
    secret: Option<Secret>,
}

/// The edited or revoked key.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes two responses in the document")]
pub(crate) struct EditedKey {
    #[serde(flatten)]
    key: ApiKey,
    /// The replicas that refuse the previous state; `null` if a single server has the database. Absent in the response to a repeat.
    #[schema(required = false)]
    receipt: Option<Propagation>,
}

/// The key with its new secret.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes two responses in the document")]
pub(crate) struct KeyWithNewSecret {
    #[serde(flatten)]
    key: ApiKey,
    /// Only in this response. Absent in the response to a repeat.
    #[schema(value_type = Option<Secret>, nullable = false)]
    secret: Option<Secret>,
    /// The replicas that refuse the old secret; `null` if a single server has the database. Absent in the response to a repeat.
    #[schema(required = false)]
    receipt: Option<Propagation>,
}

/// List keys
///
/// With filters, search and sort, in pages.
#[utoipa::path(
    get,
    path = "/api/v1/api-keys",
    tag = "API keys",
    params(
        ("status" = Option<domain::key::KeyStatus>, Query, description = "Only keys of this status"),
        ("expiration" = Option<domain::key::expiry::ExpirationState>, Query, description = "Only keys in this state"),
        ("lifetime" = Option<String>, Query, pattern = "^never$", description = "`never`: only keys that never expire"),
        ("unused_days" = Option<u32>, Query, minimum = 1, maximum = 3650, description = "Only keys without use in this number of days; for a key without any use, since its creation"),
        ("policy" = Option<String>, Query, pattern = "^outside$", description = "`outside`: only active keys whose expiration date breaks the tenant's security policy"),
        ("q" = Option<String>, Query, max_length = 100, description = "Only keys whose name or description contains this, or whose hint ends with it; case-insensitive"),
        ("sort" = Option<String>, Query, pattern = "^-?(name|status|authorization_group|expires_on|last_used_at|created_at)$", description = "`name`, `status`, `authorization_group`, `expires_on`, `last_used_at` or `created_at`, with `-` before it for descending; `-created_at` if absent. Empty values come last."),
        PageParameters,
    ),
    responses((status = 200, body = KeyList, description = "A page of keys")),
)]
pub(crate) async fn list_api_keys(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    RawQuery(query): RawQuery,
) -> Result<ListJson<KeyList>, ApiError> {
    let query = parse_key_query(query.as_deref().unwrap_or_default())?;
    let scope = verified.scope();
    let keys = state.store.keys(&scope);
    let (page, usage) = keys.list_with_quota(&query, clock::now()).await?;
    Ok(ListJson(KeyList {
        items: page.items,
        next_cursor: page.next_cursor,
        usage,
    }))
}

/// Create a key
///
/// The response contains the secret, once. With an `Idempotency-Key`, a repeat within 24 hours returns the same key without it.
#[utoipa::path(
    post,
    path = "/api/v1/api-keys",
    tag = "API keys",
    params(IdempotencyKeyParameter),
    request_body = NewKeyBody,
    responses((status = 201, body = CreatedKey, description = "The key with its secret")),
    extensions(("x-response-headers" = json!(["ETag", "Location"])), ("x-codes" = json!(["exceeds_own_grant", "key_limit_reached", "request_in_flight", "idempotency_key_reused", "outcome_unknown"]))),
)]
pub(crate) async fn create_api_key(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    _: NoParameters,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let now = clock::now();
    let body = body.required()?;
    let idempotency = idempotency_key(&headers, &verified, "POST /api/v1/api-keys", &body)?;
    let scope = verified.scope();
    let groups = state.store.groups(&scope);
    let rule = state.store.security_policy(&scope).lifetime_rule().await?;
    let new = NewKeyBody::parse(body, &groups, rule, today(now)).await;
    let keys = state.store.keys(&scope).idempotent(idempotency.as_ref());
    let created = match keys.unless_repeated(new, now).await {
        Ok(new) => keys.create(new, now).await,
        Err(error) => Err(error),
    };
    Ok(match created {
        Ok(issued) => {
            let location = location(&issued.key);
            (StatusCode::CREATED, location, Tagged(issued)).into_response()
        }
        Err(error) => {
            let key = repeated_key(&keys, error, now).await?;
            (StatusCode::CREATED, location(&key), replay(key)).into_response()
        }
    })
}

/// The response to a repeat: the current state of the key, without the other members of the first response.
pub(crate) fn replay(key: ApiKey) -> Response {
    let replayed = [(REPLAYED, HeaderValue::from_static("true"))];
    (replayed, Tagged(key)).into_response()
}

/// The key that the first request created or changed, if `error` reports a repeat.
///
/// # Errors
/// Any other `error`.
pub(crate) async fn repeated_key(
    keys: &Keys<'_>,
    error: Error,
    now: DateTime<Utc>,
) -> Result<ApiKey, Error> {
    match error {
        Error::Repeated { id } => keys.get(id.into(), now).await,
        error => Err(error),
    }
}

/// The idempotency key of a request. `action` is its method and path.
///
/// # Errors
/// [`Error::Invalid`] if there are several or it is malformed.
pub(crate) fn idempotency_key(
    headers: &HeaderMap,
    verified: &VerifiedKey,
    action: &str,
    body: &Value,
) -> Result<Option<IdempotencyKey>, Error> {
    let mut lines = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(Error::invalid("Idempotency-Key", "Must be given once"));
    }
    // A value that is not ASCII fails as an empty one.
    let token = line.to_str().unwrap_or_default();
    // The parsed body, so that white space does not matter.
    let content = format!("{action} {body}");
    IdempotencyKey::header(verified.key().id, token, content.as_bytes()).map(Some)
}

fn location(key: &ApiKey) -> [(HeaderName, String); 1] {
    let path = format!("{}/api-keys/{}", super::PREFIX, key.id);
    [(header::LOCATION, path)]
}

/// Read a key
#[utoipa::path(
    get,
    path = "/api/v1/api-keys/{id}",
    tag = "API keys",
    params(("id" = KeyId, Path)),
    responses((status = 200, body = ApiKey, description = "The key")),
    extensions(("x-response-headers" = json!(["ETag"]))),
)]
pub(crate) async fn read_api_key(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    PathId(id): PathId<KeyId>,
    _: NoParameters,
) -> Result<Tagged<ApiKey>, ApiError> {
    let scope = verified.scope();
    let key = state.store.keys(&scope).get(id, clock::now()).await?;
    Ok(Tagged(key))
}

/// Edit a key
///
/// Absent fields stay unchanged. Only a rotation changes the expiration date and the secret.
#[utoipa::path(
    patch,
    path = "/api/v1/api-keys/{id}",
    tag = "API keys",
    params(
        ("id" = KeyId, Path),
        IdempotencyKeyParameter,
        IfMatchParameter,
    ),
    request_body = KeyChangesBody,
    responses((status = 200, body = EditedKey, description = "The key in its new state")),
    extensions(("x-response-headers" = json!(["ETag"])), ("x-codes" = json!(["exceeds_own_grant", "key_revoked", "request_in_flight", "idempotency_key_reused", "outcome_unknown"]))),
)]
pub(crate) async fn update_api_key(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    PathId(id): PathId<KeyId>,
    _: NoParameters,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let now = clock::now();
    let if_match = IfMatch::from_headers(&headers)?;
    let body = body.required()?;
    let action = format!("PATCH /api/v1/api-keys/{id}");
    let idempotency = idempotency_key(&headers, &verified, &action, &body)?;
    let scope = verified.scope();
    let keys = state.store.keys(&scope).idempotent(idempotency.as_ref());
    let groups = state.store.groups(&scope);
    let wanted = async {
        let expected = if_match.expected(keys.get(id, now).await?.version)?;
        let changes = KeyChangesBody::parse(body, &groups).await?;
        Ok((expected, changes))
    };
    let updated = match keys.unless_repeated(wanted.await, now).await {
        Ok((expected, changes)) => keys.update(id, changes, expected, now).await,
        Err(error) => Err(error),
    };
    Ok(match updated {
        Ok(updated) => Tagged(updated).into_response(),
        Err(error) => replay(repeated_key(&keys, error, now).await?),
    })
}

/// Rotate a key
///
/// The response contains the new secret, once; the old one is refused from then on. With an `Idempotency-Key`, a repeat within 24 hours
/// returns the same key without it.
#[utoipa::path(
    post,
    path = "/api/v1/api-keys/{id}/rotate",
    tag = "API keys",
    params(
        ("id" = KeyId, Path),
        IdempotencyKeyParameter,
    ),
    request_body = Option<RotateBody>,
    responses((status = 200, body = KeyWithNewSecret, description = "The key with its new secret")),
    extensions(("x-response-headers" = json!(["ETag"])), ("x-codes" = json!(["exceeds_own_grant", "key_revoked", "request_in_flight", "idempotency_key_reused", "outcome_unknown"]))),
)]
pub(crate) async fn rotate_api_key(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    PathId(id): PathId<KeyId>,
    _: NoParameters,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let now = clock::now();
    let action = format!("POST /api/v1/api-keys/{id}/rotate");
    let content = body.as_ref().unwrap_or(&Value::Null);
    let idempotency = idempotency_key(&headers, &verified, &action, content)?;
    let body = RotateBody::parse(body)?;
    let scope = verified.scope();
    let keys = state.store.keys(&scope).idempotent(idempotency.as_ref());
    Ok(match keys.rotate(id, body.expires_on, now).await {
        Ok(rotated) => Tagged(rotated).into_response(),
        Err(error) => replay(repeated_key(&keys, error, now).await?),
    })
}
