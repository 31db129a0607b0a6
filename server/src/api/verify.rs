//! `/api/v1/verify`: services of a tenant verify keys of their clients.

use std::net::IpAddr;

use axum::{Extension, Json, extract::State};
use domain::{
    Error,
    client_address::ClientAddress,
    key::ApiKey,
    permission::{Permission, PermissionSet},
    verify::{Owner, Question, VerifiedKey},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    error::{ApiError, ProblemCode},
    input::Input,
    json::JsonBody,
    query::NoParameters,
};
use crate::{clock, state::AppState};

/// A key that a client presented to a service.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "secret": "lk_…", "ip": "192.0.2.7", "permission": "orders:read" }))]
pub(crate) struct VerifyBody {
    /// The presented secret.
    secret: String,
    /// The client's address. Without it, a key with an allowlist is refused.
    #[schema(value_type = Option<String>, pattern = "^[0-9A-Fa-f:.]{2,45}$", example = "192.0.2.7")]
    ip: Option<IpAddr>,
    /// The permission that the key must have.
    permission: Option<Permission>,
}

impl VerifyBody {
    fn parse(body: Value) -> Result<Self, Error> {
        let mut input = Input::from_body(body);
        let secret = input.required_text("secret", |text| Ok::<_, &str>(text.to_owned()));
        let ip = input.nullable_text("ip", |text| {
            text.parse().map_err(|_| "Must be an IP address")
        });
        let permission = input.nullable_text("permission", str::parse);
        let body = secret.map(|secret| Self {
            secret,
            ip,
            permission,
        });
        input.finish(body)
    }
}

/// Whether the key is valid.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum VerifyAnswer {
    /// Valid; the request counts as use.
    Valid {
        /// `true`
        valid: bool,
        /// The key.
        key: Box<ApiKey>,
        /// Its permissions.
        permissions: PermissionSet,
    },
    /// Refused.
    Refused {
        /// `false`
        valid: bool,
        /// The code of the problem that a request with this key would get.
        #[schema(value_type = ProblemCode)]
        code: &'static str,
    },
}

/// Verify a key
///
/// Only keys of the calling key's tenant; others are reported as invalid.
#[utoipa::path(
    post,
    path = "/api/v1/verify",
    tag = "Verification",
    request_body = VerifyBody,
    responses((status = 200, body = VerifyAnswer, description = "Whether the key is valid")),
)]
pub(crate) async fn verify_api_key(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    _: NoParameters,
    body: JsonBody,
) -> Result<Json<VerifyAnswer>, ApiError> {
    let body = VerifyBody::parse(body.required()?)?;
    let question = Question {
        permission: body.permission.as_ref(),
        owner: Owner::Asking(verified.tenant().id),
        ..Question::default()
    };
    let client = body.ip.map_or(ClientAddress::Unknown, ClientAddress::known);
    let now = clock::now();
    let verdict = state
        .verifier
        .answer(question, Ok(&body.secret), client, now)
        .await?;
    Ok(Json(match verdict {
        Ok(presented) => VerifyAnswer::Valid {
            valid: true,
            key: Box::new(presented.key_at(now, state.config.expiring_soon_days)),
            permissions: presented.permissions().clone(),
        },
        Err(refusal) => VerifyAnswer::Refused {
            valid: false,
            code: refusal.code(),
        },
    }))
}
