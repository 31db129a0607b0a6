//! The verdict on a request: section 4 of `docs/behaviour.md`.

use chrono::{DateTime, Utc};

use super::{allowlist::Addresses, expiry::ExpirationDate};
use crate::{
    client_address::ClientAddress,
    permission::{Permission, PermissionSet},
};

/// The properties of a key that determine the verdict on its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whether it is revoked.
    pub revoked: bool,
    /// The last day on which it works.
    pub expires_on: Option<ExpirationDate>,
    /// Whether its tenant is suspended.
    pub tenant_suspended: bool,
    /// The addresses that its tenant's allowlist admits.
    pub tenant_addresses: Addresses,
    /// The addresses that its own allowlist admits.
    pub addresses: Addresses,
    /// The permissions of its group.
    pub permissions: PermissionSet,
}

/// The reason for which a request with a key is refused, in the order of the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The header `X-API-Key` is missing.
    MissingApiKey,
    /// There is more than one header `X-API-Key`.
    AmbiguousApiKey,
    /// The format or checksum of the secret is wrong, or the secret is unknown.
    InvalidApiKey,
    /// The key was revoked.
    RevokedApiKey,
    /// The key's last day is past.
    ExpiredApiKey,
    /// The key's tenant is suspended.
    TenantSuspended,
    /// The client's address is not in this allowlist.
    IpNotAllowed(AllowlistOf),
    /// The gateway requires another tenant.
    WrongTenant,
    /// The key's group lacks this permission, which the route requires.
    MissingPermission(Permission),
}

/// An allowlist that a request must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowlistOf {
    /// The allowlist of the tenant's security policy.
    Tenant,
    /// The key's own.
    Key,
}

impl Refusal {
    /// The stable code for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingApiKey => "missing_api_key",
            Self::AmbiguousApiKey => "ambiguous_api_key",
            Self::InvalidApiKey => "invalid_api_key",
            Self::RevokedApiKey => "revoked_api_key",
            Self::ExpiredApiKey => "expired_api_key",
            Self::TenantSuspended => "tenant_suspended",
            Self::IpNotAllowed(_) => "ip_not_allowed",
            Self::WrongTenant => "wrong_tenant",
            Self::MissingPermission(_) => "missing_permission",
        }
    }
}

/// Decides on a request with a key that exists. The first failed check determines the refusal.
///
/// # Errors
/// The refusal, as an error so that callers can use `?`.
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
    if !grant.tenant_addresses.admit(client) {
        return Err(Refusal::IpNotAllowed(AllowlistOf::Tenant));
    }
    if !grant.addresses.admit(client) {
        return Err(Refusal::IpNotAllowed(AllowlistOf::Key));
    }
    match permission {
        Some(permission) if !grant.permissions.contains(permission) => {
            Err(Refusal::MissingPermission(permission.clone()))
        }
        _ => Ok(()),
    }
}
