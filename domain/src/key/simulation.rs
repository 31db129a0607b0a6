//! "Would it pass?": the verdict on a simulated request, with the check that decided it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

use super::verdict::{AllowlistOf, Refusal};
use crate::permission::Permission;

/// A request that is simulated, not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedRequest {
    /// The client's address; `None` if it is unknown.
    pub ip: Option<IpAddr>,
    /// The permission that the route requires.
    pub permission: Option<Permission>,
    /// The time of the request; `None` for now.
    pub at: Option<DateTime<Utc>>,
}

/// A check that depends on the key, in the order of [`super::verdict::decide`]. The preceding checks concern the presented secret; a
/// simulation assumes that it is the key's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The key is not revoked.
    Revoked,
    /// The key's last day is not over.
    Expired,
    /// The tenant is not suspended.
    TenantSuspended,
    /// The tenant's allowlist contains the client's address.
    TenantIpAllowlist,
    /// The key's allowlist contains the client's address.
    IpAllowlist,
    /// The group has the permission.
    Permission,
}

impl Check {
    /// Every check, in order.
    pub const ALL: [Self; 6] = [
        Self::Revoked,
        Self::Expired,
        Self::TenantSuspended,
        Self::TenantIpAllowlist,
        Self::IpAllowlist,
        Self::Permission,
    ];

    /// The check that fails with `refusal`; `None` for a refusal that none of these checks causes.
    #[must_use]
    pub const fn of(refusal: &Refusal) -> Option<Self> {
        match refusal {
            Refusal::RevokedApiKey => Some(Self::Revoked),
            Refusal::ExpiredApiKey => Some(Self::Expired),
            Refusal::TenantSuspended => Some(Self::TenantSuspended),
            Refusal::IpNotAllowed(AllowlistOf::Tenant) => Some(Self::TenantIpAllowlist),
            Refusal::IpNotAllowed(AllowlistOf::Key) => Some(Self::IpAllowlist),
            Refusal::MissingPermission(_) => Some(Self::Permission),
            Refusal::MissingApiKey
            | Refusal::AmbiguousApiKey
            | Refusal::InvalidApiKey
            | Refusal::WrongTenant => None,
        }
    }
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// The request passes it.
    Passed,
    /// The request fails it, so this check decides the verdict.
    DecidedHere,
    /// An earlier check decided the verdict.
    NotReached,
}

/// The verdict on a simulated request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Simulation {
    /// The code of the refusal; `None` if the request would pass.
    pub code: Option<String>,
    /// The permission that the group lacks, if it caused the refusal.
    pub missing_permission: Option<String>,
    /// Each check, in order.
    pub checks: Vec<(Check, CheckOutcome)>,
}

impl Simulation {
    /// The simulation with this verdict.
    #[must_use]
    pub fn of(verdict: &Result<(), Refusal>) -> Self {
        let refusal = verdict.as_ref().err();
        let decided = refusal.and_then(Check::of);
        let place = decided.and_then(|check| Check::ALL.iter().position(|other| *other == check));
        let checks = Check::ALL.into_iter().enumerate().map(|(index, check)| {
            let outcome = match place {
                Some(place) if index == place => CheckOutcome::DecidedHere,
                Some(place) if index > place => CheckOutcome::NotReached,
                _ => CheckOutcome::Passed,
            };
            (check, outcome)
        });
        Self {
            code: refusal.map(|refusal| refusal.code().to_owned()),
            missing_permission: match refusal {
                Some(Refusal::MissingPermission(permission)) => Some(permission.to_string()),
                _ => None,
            },
            checks: checks.collect(),
        }
    }

    /// Whether the request would pass.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.code.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_after_the_one_that_decides_are_not_reached() {
        use CheckOutcome::{DecidedHere, NotReached, Passed};
        let outcomes = |verdict: Result<(), Refusal>| {
            let simulation = Simulation::of(&verdict);
            let checks: Vec<_> = simulation.checks.iter().map(|(_, of)| *of).collect();
            (simulation.code, checks)
        };
        assert_eq!(outcomes(Ok(())), (None, vec![Passed; 6]));
        assert_eq!(
            outcomes(Err(Refusal::RevokedApiKey)),
            (
                Some("revoked_api_key".to_owned()),
                [vec![DecidedHere], vec![NotReached; 5]].concat()
            )
        );
        assert_eq!(
            outcomes(Err(Refusal::IpNotAllowed(AllowlistOf::Key))).1,
            [Passed, Passed, Passed, Passed, DecidedHere, NotReached]
        );
        assert_eq!(
            outcomes(Err(Refusal::IpNotAllowed(AllowlistOf::Tenant))).1,
            [Passed, Passed, Passed, DecidedHere, NotReached, NotReached]
        );
        let missing = Refusal::MissingPermission("orders:read".parse().expect("a permission"));
        let simulation = Simulation::of(&Err(missing));
        assert_eq!(simulation.checks[5], (Check::Permission, DecidedHere));
        assert_eq!(
            simulation.missing_permission.as_deref(),
            Some("orders:read")
        );
    }
}
