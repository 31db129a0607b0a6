use chrono::{DateTime, Utc};
use domain::{
    client_address::ClientAddress,
    key::{
        allowlist::{Addresses, Allowlist},
        verdict::{AllowlistOf, Grant, Refusal, decide},
    },
    permission::{Permission, PermissionSet},
};
use proptest::prelude::*;

fn now() -> DateTime<Utc> {
    "2026-11-25T12:00:00Z".parse().expect("a time")
}

fn permission(text: &str) -> Permission {
    text.parse().expect("a permission")
}

/// A grant and a request for which the chosen checks fail.
fn grant([revoked, expired, suspended, outside_tenant, outside_key]: [bool; 5]) -> Grant {
    let addresses = |is_elsewhere: bool| {
        Addresses::from(&if is_elsewhere {
            Allowlist::parse_lines("192.0.2.0/24").expect("a list")
        } else {
            Allowlist::default()
        })
    };
    Grant {
        revoked,
        expires_on: expired.then(|| "2026-11-24".parse().expect("a date")),
        tenant_suspended: suspended,
        tenant_addresses: addresses(outside_tenant),
        addresses: addresses(outside_key),
        permissions: PermissionSet::new([permission("orders:read")]).expect("a small set"),
    }
}

proptest! {
    /// All 64 combinations: the first failing check of section 4 determines the refusal.
    #[test]
    fn the_first_failing_check_determines_the_refusal(failing: [bool; 5], lacking: bool) {
        let [revoked, expired, suspended, outside_tenant, outside_key] = failing;
        let asked = permission(if lacking { "orders:write" } else { "orders:read" });
        let client = ClientAddress::known("203.0.113.9".parse().expect("an address"));
        let expected = if revoked {
            Err(Refusal::RevokedApiKey)
        } else if expired {
            Err(Refusal::ExpiredApiKey)
        } else if suspended {
            Err(Refusal::TenantSuspended)
        } else if outside_tenant {
            Err(Refusal::IpNotAllowed(AllowlistOf::Tenant))
        } else if outside_key {
            Err(Refusal::IpNotAllowed(AllowlistOf::Key))
        } else if lacking {
            Err(Refusal::MissingPermission(asked.clone()))
        } else {
            Ok(())
        };
        prop_assert_eq!(decide(&grant(failing), client, Some(&asked), now()), expected);
    }
}

#[test]
fn a_route_without_permission_requires_none() {
    let client = ClientAddress::known("203.0.113.9".parse().expect("an address"));
    let mut grant = grant([false; 5]);
    grant.permissions = PermissionSet::default();
    assert_eq!(decide(&grant, client, None, now()), Ok(()));
}

#[test]
fn refusal_codes_match_the_contract() {
    let codes = [
        (Refusal::MissingApiKey, "missing_api_key"),
        (Refusal::AmbiguousApiKey, "ambiguous_api_key"),
        (Refusal::InvalidApiKey, "invalid_api_key"),
        (Refusal::RevokedApiKey, "revoked_api_key"),
        (Refusal::ExpiredApiKey, "expired_api_key"),
        (Refusal::TenantSuspended, "tenant_suspended"),
        (Refusal::IpNotAllowed(AllowlistOf::Tenant), "ip_not_allowed"),
        (Refusal::IpNotAllowed(AllowlistOf::Key), "ip_not_allowed"),
        (
            Refusal::MissingPermission(permission("orders:read")),
            "missing_permission",
        ),
    ];
    for (refusal, code) in codes {
        assert_eq!(refusal.code(), code);
    }
}
