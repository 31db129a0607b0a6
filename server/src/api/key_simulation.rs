//! `/api/v1/api-keys/{id}/simulate`: checks whether a request with this key would pass.

use std::net::IpAddr;

use axum::{Extension, Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    Error, id::KeyId, key::simulation::SimulatedRequest, permission::Permission,
    verify::VerifiedKey,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    error::{ApiError, ProblemCode, refusal_detail},
    input::Input,
    json::JsonBody,
    path_id::PathId,
    query::NoParameters,
};
use crate::{clock, state::AppState};

/// The simulated request.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "ip": "192.0.2.7", "permission": "orders:read", "at": "2031-12-31T23:59:59Z" }))]
pub(crate) struct SimulationBody {
    /// The client's address. If absent, it is unknown, and a key with an allowlist is refused.
    #[schema(value_type = Option<String>, pattern = "^[0-9A-Fa-f:.]{2,45}$", example = "192.0.2.7")]
    ip: Option<IpAddr>,
    /// The permission that the route requires.
    permission: Option<Permission>,
    /// The time of the request; now if absent.
    at: Option<DateTime<Utc>>,
}

impl SimulationBody {
    /// Parses a body; an absent one sets no member.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every error.
    fn parse(body: Option<Value>) -> Result<Self, Error> {
        let mut input = Input::from_body(body.unwrap_or_else(|| json!({})));
        let body = Self {
            ip: input.nullable_text("ip", |text| {
                text.parse().map_err(|_| "Must be an IP address")
            }),
            permission: input.nullable_text("permission", str::parse),
            at: input.nullable_text("at", |text| {
                DateTime::parse_from_rfc3339(text)
                    .map(|at| at.to_utc())
                    .map_err(|_| "Must be a time (2031-12-31T23:59:59Z)")
            }),
        };
        input.finish(Some(body))
    }
}

impl From<SimulationBody> for SimulatedRequest {
    fn from(body: SimulationBody) -> Self {
        Self {
            ip: body.ip,
            permission: body.permission,
            at: body.at,
        }
    }
}

/// The verdict on the simulated request.
#[derive(Serialize, ToSchema)]
pub(crate) struct SimulationResult {
    /// Whether the request would pass.
    valid: bool,
    /// The code of the refusal; absent if the request would pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ProblemCode>, nullable = false)]
    code: Option<&'static str>,
    /// The detail of the refusal; absent if the request would pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
}

/// Simulate a request
///
/// Returns the verdict on a request with this key, by the rule for real requests. It is not counted as a use.
#[utoipa::path(
    post,
    path = "/api/v1/api-keys/{id}/simulate",
    tag = "API keys",
    params(("id" = KeyId, Path)),
    request_body = Option<SimulationBody>,
    responses((status = 200, body = SimulationResult, description = "Whether the request would pass")),
)]
pub(crate) async fn simulate_api_key(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    PathId(id): PathId<KeyId>,
    _: NoParameters,
    JsonBody(body): JsonBody,
) -> Result<Json<SimulationResult>, ApiError> {
    let request = SimulationBody::parse(body)?.into();
    let scope = verified.scope();
    let keys = state.store.keys(&scope);
    let verdict = keys.simulated_verdict(id, &request, clock::now()).await?;
    Ok(Json(match verdict {
        Ok(()) => SimulationResult {
            valid: true,
            code: None,
            detail: None,
        },
        Err(refusal) => SimulationResult {
            valid: false,
            code: Some(refusal.code()),
            detail: Some(refusal_detail(&refusal)),
        },
    }))
}
