//! `/api/v1/api-keys/{id}/revoke` and `/api/v1/api-keys/revoke`: permanent revocation of one or several keys.

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use domain::{
    Error, FieldError,
    id::KeyId,
    key::{ApiKey, RevokedKeys, reason::RevocationReason},
    propagation::Propagation,
    store::keys::MAX_REVOKED_AT_ONCE,
    verify::VerifiedKey,
};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    api_keys::{
        EditedKey, IdempotencyKeyParameter, REPLAYED, idempotency_key, repeated_key, replay,
    },
    entity_tag::Tagged,
    error::ApiError,
    input::Input,
    json::JsonBody,
    path_id::PathId,
    query::NoParameters,
};
use crate::{clock, state::AppState};

/// The options of a revocation.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "Laptop with the key lost" }))]
pub(crate) struct RevocationBody {
    /// The reason, shown on the key's page and in its audit event; none if empty or absent.
    #[schema(value_type = Option<RevocationReason>)]
    reason: Option<RevocationReason>,
}

impl RevocationBody {
    /// Parses a body, which may be absent.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every error.
    fn parse(body: Option<Value>) -> Result<Self, Error> {
        let body = body.filter(|body| !body.is_null());
        let mut input = Input::from_body(body.unwrap_or_else(|| json!({})));
        let reason = reason(&mut input);
        input.finish(Some(Self { reason }))
    }
}

/// The keys to revoke.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "ids": ["01890a5d-ac96-774b-bcce-b302099a8057"], "reason": "Supplier left" }))]
pub(crate) struct BulkRevocationBody {
    /// 1 to 100 keys of the tenant.
    #[schema(min_items = 1, max_items = 100)]
    ids: Vec<KeyId>,
    /// The reason, shown on each key's page and in its audit event; none if empty or absent.
    #[schema(value_type = Option<RevocationReason>)]
    reason: Option<RevocationReason>,
}

impl BulkRevocationBody {
    /// Parses a body.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every error.
    fn parse(body: Value) -> Result<Self, Error> {
        let mut input = Input::from_body(body);
        let ids = ids(&mut input);
        let reason = reason(&mut input);
        input.finish(ids.map(|ids| Self { ids, reason }))
    }
}

fn reason(input: &mut Input) -> Option<RevocationReason> {
    input
        .nullable_text("reason", RevocationReason::optional)
        .flatten()
}

fn ids(input: &mut Input) -> Option<Vec<KeyId>> {
    const FIELD: &str = "ids";
    let parsed = match input.take(FIELD) {
        Some(Value::Array(entries)) if (1..=MAX_REVOKED_AT_ONCE).contains(&entries.len()) => {
            entries
                .iter()
                .map(|entry| entry.as_str().and_then(|text| text.parse().ok()))
                .collect::<Option<Vec<KeyId>>>()
        }
        _ => None,
    };
    if parsed.is_none() {
        let message = "Must be an array of 1 to 100 identifiers of API keys";
        input.note(FieldError::new(FIELD, message));
    }
    parsed
}

/// The revoked keys.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes two responses in the document")]
pub(crate) struct RevokedKeyList {
    /// Each key once in its new state, in the order of the request.
    items: Vec<ApiKey>,
    /// The replicas that refuse them; `null` if a single server has the database. Absent in the response to a repeat.
    #[schema(required = false)]
    receipt: Option<Propagation>,
}

/// Revoke a key
///
/// Revocation is permanent. A revoked key stays unchanged, with its reason. The body may be absent.
#[utoipa::path(
    post,
    path = "/api/v1/api-keys/{id}/revoke",
    tag = "API keys",
    params(
        ("id" = KeyId, Path),
        IdempotencyKeyParameter,
    ),
    request_body = Option<RevocationBody>,
    responses((status = 200, body = EditedKey, description = "The revoked key")),
    extensions(("x-response-headers" = json!(["ETag"])), ("x-codes" = json!(["request_in_flight", "idempotency_key_reused", "outcome_unknown"]))),
)]
pub(crate) async fn revoke_api_key(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    PathId(id): PathId<KeyId>,
    _: NoParameters,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let now = clock::now();
    let action = format!("POST /api/v1/api-keys/{id}/revoke");
    // No body and an empty one are the same request.
    let content = body.as_ref().filter(|body| **body != json!({}));
    let content = content.unwrap_or(&Value::Null);
    let idempotency = idempotency_key(&headers, &verified, &action, content)?;
    let body = RevocationBody::parse(body)?;
    let scope = verified.scope();
    let keys = state.store.keys(&scope).idempotent(idempotency.as_ref());
    let reason = body.reason.as_ref();
    Ok(match keys.revoke_with_reason(id, reason, now).await {
        Ok(revoked) => Tagged(revoked).into_response(),
        Err(error) => replay(repeated_key(&keys, error, now).await?),
    })
}

/// Revoke several keys
///
/// Revokes all or none, in one transaction. Revoked keys stay unchanged.
#[utoipa::path(
    post,
    path = "/api/v1/api-keys/revoke",
    tag = "API keys",
    params(IdempotencyKeyParameter),
    request_body = BulkRevocationBody,
    responses((status = 200, body = RevokedKeyList, description = "The revoked keys")),
    extensions(("x-codes" = json!(["request_in_flight", "idempotency_key_reused", "outcome_unknown"]))),
)]
pub(crate) async fn revoke_api_keys(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    _: NoParameters,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let now = clock::now();
    let body = body.required()?;
    let action = "POST /api/v1/api-keys/revoke";
    let idempotency = idempotency_key(&headers, &verified, action, &body)?;
    let body = BulkRevocationBody::parse(body)?;
    let scope = verified.scope();
    let keys = state.store.keys(&scope).idempotent(idempotency.as_ref());
    Ok(
        match keys.revoke_many(&body.ids, body.reason.as_ref(), now).await {
            Ok(revoked) => Json(revoked).into_response(),
            Err(Error::Repeated { .. }) => {
                let items = keys.get_many(&body.ids, now).await?;
                let replayed = [(REPLAYED, HeaderValue::from_static("true"))];
                (replayed, Json(RevokedKeys { items })).into_response()
            }
            Err(error) => return Err(error.into()),
        },
    )
}
