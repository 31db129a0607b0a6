//! The documented additions: preflight requests of browsers, and bearer tokens.

use super::{
    fixture::{CLIENT, GatewayFixture},
    program::Program,
};

/// Asserts that the proxy responds to preflight requests and accepts keys as bearer tokens.
pub(crate) fn check(start: fn(&GatewayFixture) -> Option<Program>) {
    let fixture = GatewayFixture::start();
    let Some(_gateway) = start(&fixture) else {
        return;
    };
    let preflight = |origin: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "x-api-key"),
        ];
        fixture.ask(CLIENT, "OPTIONS /orders", &headers, "")
    };
    let response = preflight("https://app.example");
    assert_eq!(response.status, 204, "{response:?} {}", fixture.log());
    for line in [
        "access-control-allow-origin: https://app.example",
        "access-control-allow-headers: x-api-key, content-type",
    ] {
        assert!(response.head.contains(line), "{line}: {response:?}");
    }
    assert_eq!(preflight("https://evil.example").status, 401);
    fixture.nothing_seen("a preflight request");

    let key = fixture.key("acme", "Orders", "Bearer", &[]);
    let secret = key["secret"].as_str().unwrap();
    let bearer = format!("Bearer {secret}");
    let none = "Bearer lk_none";
    for (headers, status) in [
        (&[("Authorization", bearer.as_str())][..], 200),
        (&[("Authorization", none)], 401),
        (&[("X-API-Key", secret), ("Authorization", none)], 200),
        (&[("X-API-Key", "lk_none"), ("Authorization", &bearer)], 401),
        (&[("Authorization", "Basic bGs6eA==")], 401),
    ] {
        let response = fixture.ask(CLIENT, "GET /orders/7", headers, "");
        assert_eq!(response.status, status, "{headers:?} {response:?}");
        if status == 200 {
            assert!(!format!("{:?}", fixture.only_seen()).contains(secret));
        } else {
            fixture.nothing_seen("a refused request");
        }
    }
}
