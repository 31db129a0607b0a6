//! The form of a security policy, and its validation.

use super::{SecurityPolicy, field};
use crate::{
    error::FieldError,
    key::{
        allowlist::Allowlist,
        lifetime::{InvalidLifetime, LifetimeDays},
    },
};

/// The values of the form, not validated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityPolicyForm {
    /// Whether an expiration date is required.
    pub expiration_required: bool,
    /// The longest lifetime in days, or empty.
    pub max_lifetime_days: String,
    /// The preselected lifetime in days, or empty.
    pub default_lifetime_days: String,
    /// One address or range per line.
    pub ip_allowlist: String,
    /// Whether every user needs a second factor.
    pub second_factor_required: bool,
}

impl SecurityPolicyForm {
    /// The form of a stored policy.
    #[must_use]
    pub fn of(policy: &SecurityPolicy) -> Self {
        let text = |days: Option<LifetimeDays>| {
            days.map_or_else(String::new, |days| days.get().to_string())
        };
        Self {
            expiration_required: policy.expiration_required,
            max_lifetime_days: text(policy.max_lifetime_days),
            default_lifetime_days: text(policy.default_lifetime_days),
            ip_allowlist: policy.ip_allowlist.to_lines(),
            second_factor_required: policy.second_factor_required,
        }
    }

    /// Validates the form. The policy has the version 0.
    ///
    /// # Errors
    /// Every broken rule, in the order of the fields.
    pub fn validate(&self) -> Result<SecurityPolicy, Vec<FieldError>> {
        let mut errors = Vec::new();
        let max = days(
            &self.max_lifetime_days,
            field::MAX_LIFETIME_DAYS,
            &mut errors,
        );
        let default = days(
            &self.default_lifetime_days,
            field::DEFAULT_LIFETIME_DAYS,
            &mut errors,
        );
        let allowlist = self.parse_allowlist().map_err(|broken| broken.into_iter());
        let mut policy = SecurityPolicy {
            expiration_required: self.expiration_required,
            max_lifetime_days: max,
            default_lifetime_days: default,
            ip_allowlist: Allowlist::default(),
            second_factor_required: self.second_factor_required,
            version: 0,
        };
        if let Err(error) = policy.check() {
            errors.push(error);
        }
        match allowlist {
            Ok(allowlist) => policy.ip_allowlist = allowlist,
            Err(broken) => errors.extend(broken),
        }
        if errors.is_empty() {
            Ok(policy)
        } else {
            Err(errors)
        }
    }

    /// Parses the tenant-wide allowlist.
    ///
    /// # Errors
    /// One error for each invalid line.
    pub fn parse_allowlist(&self) -> Result<Allowlist, Vec<FieldError>> {
        Allowlist::parse_lines(&self.ip_allowlist).map_err(|broken| {
            let errors = broken.into_iter();
            errors.map(|error| error.into_field_error()).collect()
        })
    }
}

/// The number in a field; `None` if it is empty or invalid.
fn days(text: &str, field: &str, errors: &mut Vec<FieldError>) -> Option<LifetimeDays> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    text.parse()
        .map_err(|error: InvalidLifetime| {
            errors.push(FieldError::new(field, error.to_string()));
        })
        .ok()
}
