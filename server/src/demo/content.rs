//! The content of the demo tenant: keys in every state of the list.

use std::net::Ipv4Addr;

use domain::{group::GroupType, user::Role};

/// The age of tenants, groups and users in days; it exceeds that of every key.
pub(super) const TENANT_AGE: i64 = 420;

pub(super) struct DemoTenant {
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    pub(super) key_limit: u32,
    pub(super) groups: &'static [DemoGroup],
    pub(super) keys: &'static [DemoKey],
}

pub(super) struct DemoGroup {
    pub(super) name: &'static str,
    pub(super) kind: GroupType,
    pub(super) permissions: &'static [&'static str],
}

pub(super) struct DemoUser {
    pub(super) email: &'static str,
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) tenant: Option<&'static str>,
}

pub(super) struct DemoKey {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) group: &'static str,
    pub(super) made_days_ago: i64,
    /// The number of days from today; negative values are in the past.
    pub(super) expires_in_days: Option<i64>,
    pub(super) allowed: &'static [&'static str],
    pub(super) used: Option<Use>,
    pub(super) revoked_days_ago: Option<i64>,
    /// Whether the demo prints its secret.
    pub(super) is_to_try: bool,
}

/// The time and client address of a key's last use.
pub(super) struct Use {
    pub(super) minutes_ago: i64,
    pub(super) from: Ipv4Addr,
}

/// A key that was created a month ago, never expires, has no allowlist and was never used.
const PLAIN: DemoKey = DemoKey {
    name: "",
    description: "",
    group: "Orders read/write",
    made_days_ago: 30,
    expires_in_days: None,
    allowed: &[],
    used: None,
    revoked_days_ago: None,
    is_to_try: false,
};

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

pub(super) const USERS: &[DemoUser] = &[
    DemoUser {
        email: "mira@acme.example",
        name: "Mira Castellanos",
        role: Role::TenantAdmin,
        tenant: Some("acme"),
    },
    DemoUser {
        email: "jonas@acme.example",
        name: "Jonas Weber",
        role: Role::Member,
        tenant: Some("acme"),
    },
    DemoUser {
        email: "operator@latchkey.example",
        name: "Operator",
        role: Role::SuperUser,
        tenant: None,
    },
];

pub(super) const TENANTS: &[DemoTenant] = &[
    DemoTenant {
        slug: "acme",
        name: "Acme Logistics",
        key_limit: 10,
        groups: &[
            DemoGroup {
                name: "Orders read/write",
                kind: GroupType::TenantApiKey,
                permissions: &["orders:read", "orders:write"],
            },
            DemoGroup {
                name: "Reporting",
                kind: GroupType::TenantApiKey,
                permissions: &["reports:read"],
            },
            DemoGroup {
                name: "Console automation",
                kind: GroupType::TenantApiKey,
                permissions: &[
                    "api-keys:read",
                    "api-keys:write",
                    "api-keys:verify",
                    "api-keys:rotate-self",
                    "authorization-groups:read",
                    "audit-log:read",
                ],
            },
            DemoGroup {
                name: "Dispatchers",
                kind: GroupType::User,
                permissions: &["orders:read"],
            },
        ],
        keys: ACME_KEYS,
    },
    DemoTenant {
        slug: "northwind",
        name: "Northwind",
        key_limit: 10,
        groups: &[DemoGroup {
            name: "Catalogue read-only",
            kind: GroupType::TenantApiKey,
            permissions: &["catalogue:read"],
        }],
        keys: &[
            DemoKey {
                name: "Shopify connector",
                description: "Stock levels out",
                group: "Catalogue read-only",
                used: Some(Use {
                    minutes_ago: 3 * HOUR,
                    from: Ipv4Addr::new(198, 51, 100, 20),
                }),
                ..PLAIN
            },
            DemoKey {
                name: "Price comparison feed",
                group: "Catalogue read-only",
                made_days_ago: 12,
                expires_in_days: Some(200),
                ..PLAIN
            },
        ],
    },
];

/// Eight keys, six of them not revoked. Oldest first.
const ACME_KEYS: &[DemoKey] = &[
    // Revoked, and expired since then.
    DemoKey {
        name: "Contractor laptop",
        group: "Reporting",
        made_days_ago: 400,
        expires_in_days: Some(-150),
        used: Some(Use {
            minutes_ago: 212 * DAY,
            from: Ipv4Addr::new(203, 0, 113, 77),
        }),
        revoked_days_ago: Some(210),
        ..PLAIN
    },
    // Expired.
    DemoKey {
        name: "Legacy SOAP bridge",
        description: "Kept until the customs portal is switched off",
        made_days_ago: 380,
        expires_in_days: Some(-14),
        used: Some(Use {
            minutes_ago: 15 * DAY,
            from: Ipv4Addr::new(10, 4, 0, 12),
        }),
        ..PLAIN
    },
    // Active, without expiration date, in use.
    DemoKey {
        name: "ERP nightly sync",
        description: "Pulls orders and invoices into SAP at 02:00 UTC",
        made_days_ago: 190,
        used: Some(Use {
            minutes_ago: 7 * HOUR,
            from: Ipv4Addr::new(198, 51, 100, 7),
        }),
        ..PLAIN
    },
    // A long name, a distant expiration date, an allowlist.
    DemoKey {
        name: "Warehouse management system – Rotterdam and Antwerp distribution centres, inbound and outbound",
        description: "Only from the two sites’ NAT gateways; owner is the platform team",
        made_days_ago: 120,
        expires_in_days: Some(245),
        allowed: &["10.4.0.0/16", "192.0.2.7", "2001:db8:4::/48"],
        used: Some(Use {
            minutes_ago: 4,
            from: Ipv4Addr::new(10, 4, 12, 30),
        }),
        ..PLAIN
    },
    // Expires soon, in use.
    DemoKey {
        name: "Partner feed (Kestrel)",
        group: "Reporting",
        made_days_ago: 80,
        expires_in_days: Some(9),
        used: Some(Use {
            minutes_ago: 2 * DAY,
            from: Ipv4Addr::new(203, 0, 113, 12),
        }),
        ..PLAIN
    },
    // Revoked, but not expired.
    DemoKey {
        name: "Zapier",
        description: "Replaced by the ERP’s own export",
        made_days_ago: 60,
        used: Some(Use {
            minutes_ago: 22 * DAY,
            from: Ipv4Addr::new(198, 51, 100, 99),
        }),
        revoked_days_ago: Some(21),
        ..PLAIN
    },
    // Expires soon, never used.
    DemoKey {
        name: "Label printer, dock 4",
        made_days_ago: 3,
        expires_in_days: Some(27),
        ..PLAIN
    },
    // The key to try.
    DemoKey {
        name: "Terraform",
        description: "Makes and rotates the keys of the staging cluster",
        group: "Console automation",
        made_days_ago: 1,
        is_to_try: true,
        ..PLAIN
    },
];
