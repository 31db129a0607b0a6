//! The content of the demo tenant: keys in every state of the list.

use std::net::Ipv4Addr;

use domain::{group::GroupType, user::Role};

/// The age of tenants, groups and users in days; it exceeds that of every key.
pub(super) const TENANT_AGE: i64 = 420;

/// The address of the administrators' browsers.
pub(super) const OFFICE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 42);

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
    /// A permission that the administrator added later: how many days ago, and which.
    pub(super) added: Option<(i64, &'static str)>,
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
    pub(super) rotated_days_ago: Option<i64>,
    /// A later allowlist: how many days ago it was saved, and its entries.
    pub(super) allowed_later: Option<(i64, &'static [&'static str])>,
    /// Earlier requests.
    pub(super) traffic: &'static [Traffic],
    pub(super) used: Option<Use>,
    pub(super) revoked: Option<Revocation>,
    /// Whether the demo prints its secret.
    pub(super) is_to_try: bool,
}

/// The time and client address of a key's last use.
pub(super) struct Use {
    pub(super) minutes_ago: i64,
    pub(super) from: Ipv4Addr,
}

pub(super) struct Revocation {
    pub(super) days_ago: i64,
    pub(super) reason: &'static str,
}

/// Requests from one address on consecutive days; fewer at weekends.
pub(super) struct Traffic {
    pub(super) from: Ipv4Addr,
    /// The first and the last day, as days before today.
    pub(super) days_ago: (i64, i64),
    /// The number of requests on a weekday.
    pub(super) per_day: i64,
    /// The permission that the requests require.
    pub(super) permission: Option<&'static str>,
    /// The code with which they are refused; `None` if they are accepted.
    pub(super) refused: Option<&'static str>,
}

/// Accepted requests of the last 30 days.
const ACCEPTED: Traffic = Traffic {
    from: Ipv4Addr::LOCALHOST,
    days_ago: (29, 1),
    per_day: 24,
    permission: None,
    refused: None,
};

/// A key that was created a month ago, never expires, has no allowlist and was never used.
const PLAIN: DemoKey = DemoKey {
    name: "",
    description: "",
    group: "Orders read/write",
    made_days_ago: 30,
    expires_in_days: None,
    allowed: &[],
    rotated_days_ago: None,
    allowed_later: None,
    traffic: &[],
    used: None,
    revoked: None,
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
                added: None,
            },
            DemoGroup {
                name: "Reporting",
                kind: GroupType::TenantApiKey,
                permissions: &["reports:read"],
                added: Some((40, "invoices:read")),
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
                added: None,
            },
            DemoGroup {
                name: "Dispatchers",
                kind: GroupType::User,
                permissions: &["orders:read"],
                added: None,
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
            added: None,
        }],
        keys: &[
            DemoKey {
                name: "Shopify connector",
                description: "Stock levels out",
                group: "Catalogue read-only",
                traffic: &[Traffic {
                    from: Ipv4Addr::new(198, 51, 100, 20),
                    ..ACCEPTED
                }],
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
        revoked: Some(Revocation {
            days_ago: 210,
            reason: "The contract ended",
        }),
        ..PLAIN
    },
    // Expired.
    DemoKey {
        name: "Legacy SOAP bridge",
        description: "Kept until the customs portal is switched off",
        made_days_ago: 380,
        expires_in_days: Some(-14),
        traffic: &[
            Traffic {
                from: Ipv4Addr::new(10, 4, 0, 12),
                days_ago: (29, 16),
                per_day: 6,
                ..ACCEPTED
            },
            Traffic {
                from: Ipv4Addr::new(10, 4, 0, 12),
                days_ago: (13, 0),
                per_day: 6,
                refused: Some("expired_api_key"),
                ..ACCEPTED
            },
        ],
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
        rotated_days_ago: Some(12),
        traffic: &[Traffic {
            from: Ipv4Addr::new(198, 51, 100, 7),
            per_day: 40,
            ..ACCEPTED
        }],
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
        allowed: &["10.4.0.0/16", "192.0.2.7"],
        allowed_later: Some((18, &["10.4.0.0/16", "192.0.2.7", "2001:db8:4::/48"])),
        traffic: &[
            Traffic {
                from: Ipv4Addr::new(10, 4, 12, 30),
                per_day: 110,
                ..ACCEPTED
            },
            Traffic {
                from: Ipv4Addr::new(192, 0, 2, 7),
                per_day: 45,
                ..ACCEPTED
            },
            // A new site, whose address is not in the allowlist.
            Traffic {
                from: Ipv4Addr::new(203, 0, 113, 9),
                days_ago: (2, 0),
                per_day: 18,
                refused: Some("ip_not_allowed"),
                ..ACCEPTED
            },
        ],
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
        traffic: &[
            Traffic {
                from: Ipv4Addr::new(203, 0, 113, 12),
                days_ago: (29, 3),
                permission: Some("reports:read"),
                ..ACCEPTED
            },
            Traffic {
                from: Ipv4Addr::new(203, 0, 113, 12),
                days_ago: (6, 3),
                per_day: 5,
                permission: Some("orders:read"),
                refused: Some("missing_permission"),
            },
        ],
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
        description: "Copies new orders into the team’s spreadsheet",
        made_days_ago: 60,
        used: Some(Use {
            minutes_ago: 22 * DAY,
            from: Ipv4Addr::new(198, 51, 100, 99),
        }),
        traffic: &[
            Traffic {
                from: Ipv4Addr::new(198, 51, 100, 99),
                days_ago: (29, 23),
                per_day: 9,
                ..ACCEPTED
            },
            Traffic {
                from: Ipv4Addr::new(198, 51, 100, 99),
                days_ago: (20, 0),
                per_day: 2,
                refused: Some("revoked_api_key"),
                ..ACCEPTED
            },
        ],
        revoked: Some(Revocation {
            days_ago: 21,
            reason: "Replaced by the ERP’s own export",
        }),
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
