//! Is this request let through? Section 4 of `docs/behaviour.md`, and nothing else.

use chrono::{DateTime, Utc};

use super::{allowlist::Addresses, expiry::ExpirationDate};
use crate::{
    client_address::ClientAddress,
    permission::{Permission, PermissionSet},
};

/// What of a key decides about its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// It was revoked.
    pub revoked: bool,
    /// The last day on which it works.
    pub expires_on: Option<ExpirationDate>,
    /// Its tenant is suspended.
    pub tenant_suspended: bool,
    /// From where it works.
    pub addresses: Addresses,
    /// What its group allows.
    pub permissions: PermissionSet,
}

/// Why a request with a key is refused, in the order in which it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no `X-API-Key`.
    MissingApiKey,
    /// There is more than one `X-API-Key`.
    AmbiguousApiKey,
    /// Not the form of a secret, a wrong checksum, or unknown.
    InvalidApiKey,
    /// The key was revoked.
    RevokedApiKey,
    /// The key's last day is past.
    ExpiredApiKey,
    /// The key's tenant is suspended.
    TenantSuspended,
    /// The client's address is not in the allowlist.
    IpNotAllowed,
    /// A gateway asks for keys of one tenant, and the key is another's.
    WrongTenant,
    /// The key's group lacks this permission, which the route asks for.
    MissingPermission(Permission),
}

impl Refusal {
    /// The code for programs. Integrations branch on it: it never changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingApiKey => "missing_api_key",
            Self::AmbiguousApiKey => "ambiguous_api_key",
            Self::InvalidApiKey => "invalid_api_key",
            Self::RevokedApiKey => "revoked_api_key",
            Self::ExpiredApiKey => "expired_api_key",
            Self::TenantSuspended => "tenant_suspended",
            Self::IpNotAllowed => "ip_not_allowed",
            Self::WrongTenant => "wrong_tenant",
            Self::MissingPermission(_) => "missing_permission",
        }
    }
}

/// Judges a request that presented a known key: the first check that fails answers.
///
/// # Errors
/// The refusal. It is an outcome like the other, and `Result` only so that callers can use `?`.
pub fn decide(
    grant: &Grant,
    client: ClientAddress,
    permission: Option<&Permission>,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    if grant.revoked {
        return Err(Refusal::RevokedApiKey);
    }
    if grant.expires_on.is_some_and(|date| date.is_over(now)) {
        return Err(Refusal::ExpiredApiKey);
    }
    if grant.tenant_suspended {
        return Err(Refusal::TenantSuspended);
    }
    if !grant.addresses.admit(client) {
        return Err(Refusal::IpNotAllowed);
    }
    match permission {
        Some(permission) if !grant.permissions.contains(permission) => {
            Err(Refusal::MissingPermission(permission.clone()))
        }
        _ => Ok(()),
    }
}
