//! Section 4 of `docs/behaviour.md`, row by row: IPv4, IPv6 and mapped addresses, with and without trusted proxies.
//!
//! Each key fails its own check and every later check that it can fail, which tests the order of the checks.

use domain::key::IssuedKey;

use super::{
    request::TestRequest,
    test_app::{KeySpec, TestApp, day},
};

const PROXY: &str = "10.0.0.1";
const PROXY_IPV6: &str = "fd00::1";
/// An address outside every allowlist.
const ELSEWHERE: &[&str] = &["198.51.100.0/24", "2001:db8:ffff::/48"];
const HERE: &[&str] = &["203.0.113.0/24", "2001:db8:1::/48"];

/// The connection and the headers of a request.
#[derive(Clone, Copy, Debug)]
struct Way {
    peer: &'static str,
    forwarded_for: &'static [&'static str],
    /// The expected client address.
    seen: &'static str,
}

const DIRECT: [Way; 4] = [
    Way {
        peer: "203.0.113.9",
        forwarded_for: &[],
        seen: "203.0.113.9",
    },
    Way {
        peer: "2001:db8:1::9",
        forwarded_for: &[],
        seen: "2001:db8:1::9",
    },
    Way {
        peer: "::ffff:203.0.113.9",
        forwarded_for: &[],
        seen: "203.0.113.9",
    },
    // A header from an untrusted address.
    Way {
        peer: "203.0.113.9",
        forwarded_for: &["198.51.100.1"],
        seen: "203.0.113.9",
    },
];

const PROXIED: [Way; 6] = [
    Way {
        peer: PROXY,
        forwarded_for: &["203.0.113.9"],
        seen: "203.0.113.9",
    },
    Way {
        peer: PROXY,
        forwarded_for: &["2001:db8:1::9"],
        seen: "2001:db8:1::9",
    },
    Way {
        peer: PROXY,
        forwarded_for: &["::ffff:203.0.113.9"],
        seen: "203.0.113.9",
    },
    Way {
        peer: "::ffff:10.0.0.1",
        forwarded_for: &["198.51.100.1, 203.0.113.9"],
        seen: "203.0.113.9",
    },
    Way {
        peer: PROXY_IPV6,
        forwarded_for: &["198.51.100.1", "203.0.113.9, 10.0.0.7"],
        seen: "203.0.113.9",
    },
    Way {
        peer: "203.0.113.9",
        forwarded_for: &["198.51.100.1"],
        seen: "203.0.113.9",
    },
];

struct Keys {
    rotated_out: String,
    revoked: IssuedKey,
    expired: IssuedKey,
    suspended: IssuedKey,
    elsewhere: IssuedKey,
    powerless: IssuedKey,
    good: IssuedKey,
    good_from_here: IssuedKey,
}

async fn make_keys(app: &TestApp) -> Keys {
    app.add_tenant("globex", "Globex").await;
    let worst = KeySpec {
        tenant: "globex",
        permissions: &["orders:read"],
        allowlist: ELSEWHERE,
        expires_on: Some(day(-1)),
        ..KeySpec::default()
    };
    let revoked = app.issue(worst.clone()).await;
    let expired = app.issue(worst.clone()).await;
    let suspended = app
        .issue(KeySpec {
            expires_on: None,
            ..worst.clone()
        })
        .await;
    let elsewhere = app
        .issue(KeySpec {
            tenant: "acme",
            expires_on: None,
            ..worst.clone()
        })
        .await;
    let powerless = app
        .issue(KeySpec {
            tenant: "acme",
            expires_on: None,
            allowlist: HERE,
            ..worst
        })
        .await;
    let rotated = app.issue(KeySpec::default()).await;
    app.rotate(&rotated).await;
    app.revoke("globex", &revoked).await;
    app.suspend("globex").await;
    Keys {
        rotated_out: rotated.secret.expose().to_owned(),
        revoked,
        expired,
        suspended,
        elsewhere,
        powerless,
        good: app.issue(KeySpec::default()).await,
        good_from_here: app
            .issue(KeySpec {
                allowlist: HERE,
                ..KeySpec::default()
            })
            .await,
    }
}

fn request(app: &TestApp, way: Way) -> TestRequest {
    (way.forwarded_for.iter()).fold(
        app.get("/api/v1/api-keys").from(way.peer),
        |request, line| request.header("x-forwarded-for", line),
    )
}

async fn check_every_row(app: &TestApp, keys: &Keys, way: Way) {
    let unknown = format!("lk_{}0dawgh", "0".repeat(32));
    let wrong_checksum = format!("lk_{}0dawgi", "0".repeat(32));
    let refused: [(Option<&str>, u16, &str); 10] = [
        (None, 401, "missing_api_key"),
        (Some("not a key"), 401, "invalid_api_key"),
        (Some(&wrong_checksum), 401, "invalid_api_key"),
        (Some(&unknown), 401, "invalid_api_key"),
        (Some(&keys.rotated_out), 401, "invalid_api_key"),
        (Some(keys.revoked.secret.expose()), 401, "revoked_api_key"),
        (Some(keys.expired.secret.expose()), 401, "expired_api_key"),
        (
            Some(keys.suspended.secret.expose()),
            403,
            "tenant_suspended",
        ),
        (Some(keys.elsewhere.secret.expose()), 403, "ip_not_allowed"),
        (
            Some(keys.powerless.secret.expose()),
            403,
            "missing_permission",
        ),
    ];
    for (presented, status, code) in refused {
        let request = request(app, way);
        let request = match presented {
            Some(secret) => request.key(secret),
            None => request,
        };
        request.send().await.assert_problem(status, code);
    }
    let good = keys.good.secret.expose();
    let twice = request(app, way).key(good).key(good).send().await;
    twice.assert_problem(401, "ambiguous_api_key");
    for key in [&keys.good, &keys.good_from_here] {
        let response = request(app, way).key(key.secret.expose()).send().await;
        assert_eq!(response.status, 200, "{way:?}: {}", response.text());
    }
    let seen = app.get("/api/v1/whoami").from(way.peer);
    let seen = (way.forwarded_for.iter()).fold(seen, |request, line| {
        request.header("x-forwarded-for", line)
    });
    let seen = seen.key(good).send().await;
    assert_eq!(seen.json()["client_ip"], way.seen, "{way:?}");
}

#[tokio::test]
async fn every_row_without_trusted_proxies() {
    let app = TestApp::start().await;
    let keys = make_keys(&app).await;
    for way in DIRECT {
        check_every_row(&app, &keys, way).await;
    }
}

#[tokio::test]
async fn every_row_with_trusted_proxies() {
    let app = TestApp::start_with(&[("LATCHKEY_TRUSTED_PROXIES", "10.0.0.0/8,fd00::/8")]).await;
    let keys = make_keys(&app).await;
    for way in PROXIED {
        check_every_row(&app, &keys, way).await;
    }
}
