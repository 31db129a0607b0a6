//! The security policy of a tenant: rules for all of its keys and users. Empty by default.

pub mod form;

use serde::{Deserialize, Serialize};

use crate::{
    error::FieldError,
    key::{
        allowlist::Allowlist,
        lifetime::{LifetimeDays, LifetimeRule},
        preview::AllowlistPreview,
    },
};

/// The names of the fields in the JSON API and in forms.
pub mod field {
    /// Expiration required.
    pub const EXPIRATION_REQUIRED: &str = "expiration_required";
    /// Longest lifetime.
    pub const MAX_LIFETIME_DAYS: &str = "max_lifetime_days";
    /// Preselected lifetime.
    pub const DEFAULT_LIFETIME_DAYS: &str = "default_lifetime_days";
    /// Tenant-wide IP allowlist.
    pub const IP_ALLOWLIST: &str = "ip_allowlist";
    /// Second factor required.
    pub const SECOND_FACTOR_REQUIRED: &str = "second_factor_required";
}

/// The security policy of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecurityPolicy {
    /// Whether a key must have an expiration date.
    pub expiration_required: bool,
    /// The longest lifetime of a key in days, from creation or rotation; `null` for no limit. With a limit, a key must have an expiration
    /// date.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub max_lifetime_days: Option<LifetimeDays>,
    /// The lifetime that the console's form suggests; `null` for none.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub default_lifetime_days: Option<LifetimeDays>,
    /// The addresses from which the tenant's keys work, in addition to each key's own allowlist; empty for any.
    pub ip_allowlist: Allowlist,
    /// Whether every user of the tenant needs a second factor.
    pub second_factor_required: bool,
    /// The number of changes, from 1. The `ETag` of the JSON API.
    #[serde(skip)]
    pub version: i64,
}

impl SecurityPolicy {
    /// The rule for expiration dates.
    #[must_use]
    pub const fn lifetime_rule(&self) -> LifetimeRule {
        LifetimeRule {
            expiration_required: self.expiration_required,
            max_days: self.max_lifetime_days,
        }
    }

    /// Checks the rules between the fields.
    ///
    /// # Errors
    /// The error of the preselected lifetime if it is longer than the longest one.
    pub fn check(&self) -> Result<(), FieldError> {
        match (self.default_lifetime_days, self.max_lifetime_days) {
            (Some(default), Some(max)) if default > max => Err(FieldError::new(
                field::DEFAULT_LIFETIME_DAYS,
                format!("Must be at most the longest lifetime, {}", max.get()),
            )),
            _ => Ok(()),
        }
    }
}

/// The input of a change. `None` leaves a field unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityPolicyChanges {
    /// Whether a key must have an expiration date.
    pub expiration_required: Option<bool>,
    /// The longest lifetime; `Some(None)` removes the limit.
    pub max_lifetime_days: Option<Option<LifetimeDays>>,
    /// The preselected lifetime; `Some(None)` removes it.
    pub default_lifetime_days: Option<Option<LifetimeDays>>,
    /// The complete new allowlist.
    pub ip_allowlist: Option<Allowlist>,
    /// Whether every user needs a second factor.
    pub second_factor_required: Option<bool>,
}

impl SecurityPolicyChanges {
    /// The policy after the change.
    #[must_use]
    pub fn applied_to(self, policy: &SecurityPolicy) -> SecurityPolicy {
        SecurityPolicy {
            expiration_required: (self.expiration_required).unwrap_or(policy.expiration_required),
            max_lifetime_days: self.max_lifetime_days.unwrap_or(policy.max_lifetime_days),
            default_lifetime_days: (self.default_lifetime_days)
                .unwrap_or(policy.default_lifetime_days),
            ip_allowlist: (self.ip_allowlist).unwrap_or_else(|| policy.ip_allowlist.clone()),
            second_factor_required: (self.second_factor_required)
                .unwrap_or(policy.second_factor_required),
            version: policy.version,
        }
    }
}

impl From<SecurityPolicy> for SecurityPolicyChanges {
    /// The change that sets every field.
    fn from(policy: SecurityPolicy) -> Self {
        Self {
            expiration_required: Some(policy.expiration_required),
            max_lifetime_days: Some(policy.max_lifetime_days),
            default_lifetime_days: Some(policy.default_lifetime_days),
            ip_allowlist: Some(policy.ip_allowlist),
            second_factor_required: Some(policy.second_factor_required),
        }
    }
}

/// The active keys that a policy finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFindings {
    /// Active keys that never expire.
    pub never_expire: u64,
    /// Active keys whose lifetime is longer than the longest one; 0 without a limit.
    pub live_longer: u64,
}

/// The addresses that used keys of a tenant and that an allowlist would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantAllowlistPreview {
    /// The addresses of all keys together.
    pub preview: AllowlistPreview,
    /// Whether there are more addresses than were read: only the most recently used ones are judged.
    pub is_partial: bool,
    /// The first refused addresses, each with the name of a key that used it on its last day.
    pub used_by: Vec<(String, String)>,
}
