//! Secrets in the logs of a proxy.

use super::{
    fixture::{CLIENT, GatewayFixture},
    program::Program,
};
use crate::support::setup::text;

/// Asserts that the proxy logs no secret while it forwards, refuses, and cannot reach the service or Latchkey.
pub(crate) fn check(start: fn(&GatewayFixture) -> Option<Program>) {
    let mut fixture = GatewayFixture::start();
    let Some(gateway) = start(&fixture) else {
        return;
    };
    let key = fixture.key("acme", "Orders", "Logged", &[]);
    let powerless = fixture.key("acme", "Invoices", "Refused", &[]);
    let secret = text(&key, "secret");
    let refused = text(&powerless, "secret");
    let ask = |fixture: &GatewayFixture| {
        let mut statuses = Vec::new();
        for request in ["GET /orders/7", "POST /orders"] {
            for secret in [&secret, &refused] {
                let response = fixture.ask(CLIENT, request, &[("X-API-Key", secret)], "x");
                statuses.push(response.status);
            }
            // A header line that makes a proxy log an error about the request.
            let bad = [("X-API-Key", secret.as_str()), ("X-Bad\u{1}", "y")];
            fixture.ask(CLIENT, request, &bad, "x");
        }
        statuses
    };
    assert_eq!(ask(&fixture), [200, 403, 200, 403], "{}", fixture.log());
    fixture.upstream.stop();
    for status in ask(&fixture) {
        assert!(status == 403 || status >= 500, "{status}");
    }
    drop(fixture.server.take());
    for status in ask(&fixture) {
        assert!(status >= 500, "{status}");
    }
    gateway.stop();
    let log = fixture.log();
    assert!(
        log.contains("/orders/7"),
        "the access log is missing: {log}"
    );
    for secret in [secret, refused] {
        // The secret without its prefix
        let line = log.lines().find(|line| line.contains(&secret[3..]));
        assert_eq!(line, None);
    }
}
