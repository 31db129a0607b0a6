//! Reading the security policy from a tenant's row.

use super::{entity::tenant, error::damaged};
use crate::{
    Error,
    key::{
        allowlist::Allowlist,
        lifetime::{LifetimeDays, LifetimeRule},
    },
    security_policy::SecurityPolicy,
};

/// The tenant's policy.
///
/// # Errors
/// [`Error::Internal`] for a damaged row.
pub(super) fn policy_of(row: &tenant::Model) -> Result<SecurityPolicy, Error> {
    Ok(SecurityPolicy {
        expiration_required: row.policy_expiration_required,
        max_lifetime_days: stored_days(row.policy_max_lifetime_days)?,
        default_lifetime_days: stored_days(row.policy_default_lifetime_days)?,
        ip_allowlist: stored_allowlist(&row.policy_ip_allowlist)?,
        second_factor_required: row.policy_second_factor_required,
        version: row.policy_version,
    })
}

/// The tenant's rule for expiration dates.
///
/// # Errors
/// [`Error::Internal`] for a damaged row.
pub(super) fn rule_of(row: &tenant::Model) -> Result<LifetimeRule, Error> {
    stored_rule(row.policy_expiration_required, row.policy_max_lifetime_days)
}

/// The rule in these columns.
///
/// # Errors
/// [`Error::Internal`] for a number of days out of bounds.
pub(super) fn stored_rule(
    expiration_required: bool,
    max_lifetime_days: Option<i64>,
) -> Result<LifetimeRule, Error> {
    Ok(LifetimeRule {
        expiration_required,
        max_days: stored_days(max_lifetime_days)?,
    })
}

fn stored_days(days: Option<i64>) -> Result<Option<LifetimeDays>, Error> {
    let parsed = days.map(|days| {
        let days = u32::try_from(days).ok();
        days.and_then(|days| LifetimeDays::try_from(days).ok())
            .ok_or_else(|| damaged("lifetime in days"))
    });
    parsed.transpose()
}

/// Parses a stored allowlist. An empty list admits every client, so a damaged text that parses as empty, such as a blank line, must be an
/// error: the text must equal the canonical form that was written.
pub(super) fn stored_allowlist(text: &str) -> Result<Allowlist, Error> {
    Allowlist::parse_lines(text)
        .ok()
        .filter(|list| list.to_lines() == text)
        .ok_or_else(|| damaged("IP allowlist"))
}
