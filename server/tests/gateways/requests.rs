//! Requests through a proxy.

use super::{
    fixture::{CLIENT, GatewayFixture, STRANGER},
    program::Program,
};
use crate::support::setup::text;

/// Headers with the identity of a key, which a client must not set.
const IDENTITY: [&str; 5] = [
    "x-tenant-id",
    "x-tenant-slug",
    "x-api-key-id",
    "x-api-key-name",
    "x-permissions",
];

/// Asserts the required behaviour of a proxy for valid, refused and forged requests.
pub(crate) fn check(start: fn(&GatewayFixture) -> Option<Program>) {
    let mut fixture = GatewayFixture::start();
    let Some(_gateway) = start(&fixture) else {
        return;
    };
    assert_valid_key_is_forwarded_with_its_identity(&fixture);
    assert_refused_requests_are_not_forwarded(&fixture);
    assert_allowlists_apply_through_the_proxy(&fixture);
    assert_forged_headers_have_no_effect(&fixture);
    assert_bodies_are_forwarded(&fixture);
    assert_revocation_applies_to_the_next_request(&fixture);
    assert_nothing_is_forwarded_without_latchkey(&mut fixture);
}

fn assert_valid_key_is_forwarded_with_its_identity(fixture: &GatewayFixture) {
    // The longest name, and a group with the maximum number of permissions of maximum length
    let name = "💠".repeat(200);
    let key = fixture.key("acme", &fixture.group, &name, &[]);
    let secret = key["secret"].as_str().unwrap();
    let response = fixture.with_key(CLIENT, secret);
    assert_eq!(response.status, 200, "{response:?} {}", fixture.log());
    assert!(response.body.contains("the order"), "{response:?}");
    let seen = fixture.only_seen();
    assert!(seen.line.starts_with("GET /orders/7?x=1 "), "{}", seen.line);
    assert_eq!(
        seen.all("x-tenant-id"),
        [fixture.tenant["id"].as_str().unwrap()]
    );
    assert_eq!(seen.all("x-tenant-slug"), ["acme"]);
    assert_eq!(seen.all("x-api-key-id"), [key["id"].as_str().unwrap()]);
    assert_eq!(seen.all("x-api-key-name"), ["%F0%9F%92%A0".repeat(200)]);
    let permissions = seen.all("x-permissions");
    assert_eq!(permissions.len(), 1);
    assert_eq!(permissions[0].split(',').count(), 64);
    assert!(permissions[0].split(',').any(|one| one == "orders:read"));
    // The proxy removes the secret.
    assert!(seen.all("x-api-key").is_empty());
    assert!(!format!("{seen:?}").contains(secret));
}

fn assert_refused_requests_are_not_forwarded(fixture: &GatewayFixture) {
    let powerless = fixture.key("acme", "Invoices", "Invoices", &[]);
    let theirs = fixture.key("globex", "Orders", "Theirs", &[]);
    let good = fixture.key("acme", "Orders", "ERP", &[]);
    let good = good["secret"].as_str().unwrap();
    let cases: [(&[(&str, &str)], u16); 5] = [
        (&[], 401),
        (&[("X-API-Key", "lk_none")], 401),
        (&[("X-API-Key", good), ("X-API-Key", good)], 401),
        (&[("X-API-Key", powerless["secret"].as_str().unwrap())], 403),
        (&[("X-API-Key", theirs["secret"].as_str().unwrap())], 403),
    ];
    for (headers, status) in cases {
        let response = fixture.ask(CLIENT, "GET /orders/7", headers, "");
        assert_eq!(response.status, status, "{headers:?} {response:?}");
        if status == 401 {
            assert!(
                response
                    .head
                    .contains("www-authenticate: apikey realm=\"latchkey\""),
                "{response:?}"
            );
        }
        fixture.nothing_seen("a refused request");
    }
}

fn assert_allowlists_apply_through_the_proxy(fixture: &GatewayFixture) {
    let key = fixture.key("acme", "Orders", "From one address", &["--allow", CLIENT]);
    let secret = key["secret"].as_str().unwrap();
    assert_eq!(fixture.with_key(CLIENT, secret).status, 200);
    fixture.only_seen();
    assert_eq!(fixture.with_key(STRANGER, secret).status, 403);
    fixture.nothing_seen("a stranger");
}

fn assert_forged_headers_have_no_effect(fixture: &GatewayFixture) {
    let key = fixture.key("acme", "Orders", "Listed", &["--allow", CLIENT]);
    let secret = key["secret"].as_str().unwrap();
    let forged: [&[(&str, &str)]; 7] = [
        &[("X-Forwarded-For", CLIENT)],
        &[("X-Forwarded-For", CLIENT), ("X-Forwarded-For", CLIENT)],
        &[("X-Forwarded-For", "127.0.0.2, 127.0.0.2, 127.0.0.1")],
        &[
            ("X-Forwarded-For", CLIENT),
            ("Connection", "X-Forwarded-For"),
        ],
        &[("Connection", "close, X-Forwarded-For")],
        &[
            ("X-Real-Ip", CLIENT),
            ("Forwarded", "for=127.0.0.2"),
            ("Client-Ip", CLIENT),
        ],
        &[("X_Forwarded_For", CLIENT)],
    ];
    for headers in forged {
        let headers = [&[("X-API-Key", secret)], headers].concat();
        let stranger = fixture.ask(STRANGER, "GET /orders/7", &headers, "");
        // Envoy refuses some names in `Connection`.
        let is_malformed = stranger.status == 400;
        assert!(
            is_malformed || stranger.status == 403,
            "{headers:?} {stranger:?}"
        );
        fixture.nothing_seen("a forged address");
        if is_malformed {
            continue;
        }
        let client = headers
            .iter()
            .map(|(name, value)| (*name, value.replace(CLIENT, STRANGER)));
        let client: Vec<_> = client.collect();
        let client: Vec<_> = client
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let response = fixture.ask(CLIENT, "GET /orders/7", &client, "");
        assert_eq!(response.status, 200, "{client:?} {response:?}");
        fixture.only_seen();
    }
    let mut headers = vec![("X-API-Key", secret)];
    headers.extend(IDENTITY.map(|name| (name, "forged")));
    headers.extend(IDENTITY.map(|name| (name, "forged")));
    headers.extend([("X_Tenant_Id", "forged"), ("x_permissions", "forged")]);
    let response = fixture.ask(CLIENT, "GET /orders/7", &headers, "");
    assert_eq!(response.status, 200, "{response:?}");
    let seen = fixture.only_seen();
    for name in IDENTITY {
        assert_eq!(seen.all(name).len(), 1, "{name}: {seen:#?}");
    }
    assert!(!format!("{seen:?}").contains("forged"), "{seen:#?}");
    // A proxy drops hop-by-hop headers. The identity may then be missing, but never forged.
    for name in IDENTITY {
        let connection = format!("close, {name}");
        let headers = [
            ("X-API-Key", secret),
            (name, "forged"),
            ("Connection", &connection),
        ];
        let response = fixture.ask(CLIENT, "GET /orders/7", &headers, "");
        if response.status == 400 {
            fixture.nothing_seen("a malformed request");
            continue;
        }
        assert_eq!(response.status, 200, "{response:?}");
        assert!(!format!("{:?}", fixture.only_seen()).contains("forged"));
    }
    for (forged, at) in [
        ("X-Tenant-Id: forged", "/orders"),
        ("x=1", "/x/..%2f?permission="),
    ] {
        let response = fixture.ask(CLIENT, &format!("GET {at}"), &[("X-Note", forged)], "");
        assert_eq!(response.status, 401, "{response:?}");
        fixture.nothing_seen("a request without a key");
    }
}

fn assert_bodies_are_forwarded(fixture: &GatewayFixture) {
    let key = fixture.key("acme", "Orders", "Sender", &[]);
    let secret = key["secret"].as_str().unwrap();
    // A body larger than Latchkey accepts
    let body = "x".repeat(200_000);
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let headers = [
            ("X-API-Key", secret),
            ("Content-Encoding", "br"),
            ("Content-Type", "x/y"),
        ];
        let response = fixture.ask(CLIENT, &format!("{method} /orders"), &headers, &body);
        assert_eq!(response.status, 200, "{method} {response:?}");
        let seen = fixture.only_seen();
        assert!(seen.line.starts_with(method), "{}", seen.line);
        assert_eq!(seen.body.len(), body.len());
    }
    let response = fixture.ask(
        CLIENT,
        "POST /orders",
        &[("X-API-Key", "lk_none")],
        "an order",
    );
    assert_eq!(response.status, 401, "{response:?}");
    fixture.nothing_seen("a refused body");
}

fn assert_revocation_applies_to_the_next_request(fixture: &GatewayFixture) {
    let key = fixture.key("acme", "Orders", "Soon revoked", &[]);
    let secret = key["secret"].as_str().unwrap();
    assert_eq!(fixture.with_key(CLIENT, secret).status, 200);
    fixture.only_seen();
    fixture
        .latchkey
        .run_json(&["key", "revoke", key["id"].as_str().unwrap()]);
    let response = fixture.with_key(CLIENT, secret);
    assert_eq!(response.status, 401, "{response:?}");
    fixture.nothing_seen("a revoked key");
}

fn assert_nothing_is_forwarded_without_latchkey(fixture: &mut GatewayFixture) {
    let key = fixture.key("acme", "Orders", "Good", &[]);
    let secret = text(&key, "secret");
    assert_eq!(fixture.with_key(CLIENT, &secret).status, 200);
    fixture.only_seen();
    drop(fixture.server.take());
    for headers in [&[][..], &[("X-API-Key", secret.as_str())]] {
        let response = fixture.ask(CLIENT, "GET /orders/7", headers, "");
        assert!(response.status >= 500, "{response:?}");
        fixture.nothing_seen("a request without Latchkey");
    }
}
