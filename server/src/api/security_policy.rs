//! `/api/v1/security-policy`: the tenant's security policy.

use axum::{Extension, extract::State};
use domain::{
    FieldError,
    key::{
        allowlist::Allowlist,
        lifetime::{InvalidLifetime, LifetimeDays},
    },
    propagation::{Propagation, Written},
    security_policy::{SecurityPolicy, SecurityPolicyChanges, field},
    verify::VerifiedKey,
};
use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    entity_tag::{IfMatch, IfMatchParameter, Tagged, Versioned},
    error::ApiError,
    input::Input,
    json::JsonBody,
    key_body::allowlist,
    query::NoParameters,
};
use crate::{clock, state::AppState};

/// Changes of the security policy. Absent fields stay unchanged.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "expiration_required": true, "max_lifetime_days": 180, "ip_allowlist": ["10.0.0.0/8"] }))]
#[expect(dead_code, reason = "describes the body; it is read member by member")]
pub(crate) struct SecurityPolicyBody {
    #[schema(value_type = bool, required = false)]
    expiration_required: Option<bool>,
    /// `null` removes the limit.
    max_lifetime_days: Option<LifetimeDays>,
    /// At most `max_lifetime_days`. `null` removes it.
    default_lifetime_days: Option<LifetimeDays>,
    /// Replaces the whole list. Empty: no restriction.
    #[schema(value_type = Allowlist, required = false)]
    ip_allowlist: Option<Allowlist>,
    #[schema(value_type = bool, required = false)]
    second_factor_required: Option<bool>,
}

/// The changed policy.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangedPolicy {
    #[serde(flatten)]
    policy: SecurityPolicy,
    /// Whether the allowlist admits the address of this request; if not, the next request with this key from this address is refused with
    /// `ip_not_allowed`.
    admits_client: bool,
    /// The replicas that apply the policy; `null` if a single server has the database.
    #[schema(required)]
    receipt: Option<Propagation>,
}

impl Versioned for SecurityPolicy {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Versioned for ChangedPolicy {
    fn version(&self) -> i64 {
        self.policy.version
    }
}

/// Read the security policy
///
/// The rules for all keys and users of the tenant. Empty by default.
#[utoipa::path(
    get,
    path = "/api/v1/security-policy",
    tag = "Security policy",
    responses((status = 200, body = SecurityPolicy, description = "The policy")),
    extensions(("x-response-headers" = json!(["ETag"]))),
)]
pub(crate) async fn read_security_policy(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    _: NoParameters,
) -> Result<Tagged<SecurityPolicy>, ApiError> {
    let scope = verified.scope();
    Ok(Tagged(state.store.security_policy(&scope).get().await?))
}

/// Change the security policy
///
/// Absent fields stay unchanged. When the response is sent, every key of the tenant is verified with the new allowlist, the calling key
/// included: `admits_client` states whether the list admits the address of this request. A key that has an allowlist can add only addresses
/// that its own allowlist admits. Existing keys keep working, whatever their expiration dates.
#[utoipa::path(
    patch,
    path = "/api/v1/security-policy",
    tag = "Security policy",
    params(IfMatchParameter),
    request_body = SecurityPolicyBody,
    responses((status = 200, body = ChangedPolicy, description = "The policy in its new state")),
    extensions(("x-response-headers" = json!(["ETag"])), ("x-codes" = json!(["exceeds_own_grant", "outcome_unknown"]))),
)]
pub(crate) async fn update_security_policy(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    _: NoParameters,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Tagged<ChangedPolicy>, ApiError> {
    let if_match = IfMatch::from_headers(&headers)?;
    let changes = parse_changes(body.required()?)?;
    let scope = verified.scope();
    let policies = state.store.security_policy(&scope);
    let expected = if_match.expected(policies.get().await?.version)?;
    let Written { value, propagation } = policies.change(changes, expected, clock::now()).await?;
    Ok(Tagged(ChangedPolicy {
        admits_client: value.ip_allowlist.admits(verified.client()),
        policy: value,
        receipt: propagation,
    }))
}

/// Reads the body of `PATCH`.
///
/// # Errors
/// [`domain::Error::Invalid`] with every broken rule.
fn parse_changes(body: Value) -> Result<SecurityPolicyChanges, domain::Error> {
    let mut input = Input::from_body(body);
    let changes = SecurityPolicyChanges {
        expiration_required: flag(&mut input, field::EXPIRATION_REQUIRED),
        max_lifetime_days: days(&mut input, field::MAX_LIFETIME_DAYS),
        default_lifetime_days: days(&mut input, field::DEFAULT_LIFETIME_DAYS),
        ip_allowlist: allowlist(&mut input),
        second_factor_required: flag(&mut input, field::SECOND_FACTOR_REQUIRED),
    };
    input.finish(Some(changes))
}

fn flag(input: &mut Input, name: &str) -> Option<bool> {
    let value = input.take(name)?;
    if value.as_bool().is_none() {
        input.note(FieldError::new(name, "Must be true or false"));
    }
    value.as_bool()
}

/// `None` if the field is absent or invalid, `Some(None)` for `null`.
fn days(input: &mut Input, name: &str) -> Option<Option<LifetimeDays>> {
    let value = input.take(name)?;
    if value.is_null() {
        return Some(None);
    }
    let number = value.as_u64().and_then(|days| u32::try_from(days).ok());
    match number.and_then(|days| LifetimeDays::try_from(days).ok()) {
        Some(days) => Some(Some(days)),
        None => {
            input.note(FieldError::new(name, InvalidLifetime.to_string()));
            None
        }
    }
}
