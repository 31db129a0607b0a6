//! Refusals under `/api/v1` that are the same for every route.

use serde_json::Value;

use super::{
    request::TestResponse,
    test_app::{KeySpec, TestApp, day},
};

/// The response without the request id.
fn comparable(response: &TestResponse) -> (u16, Vec<(String, String)>, String) {
    let id = response.header("x-request-id").to_owned();
    let mut headers: Vec<_> = response
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (
        response.status.as_u16(),
        headers,
        response.text().replace(&id, "ID"),
    )
}

#[tokio::test]
async fn p02_every_invalid_secret_gets_the_same_response() {
    let app = TestApp::start().await;
    let key = app.issue(KeySpec::default()).await;
    let rotated_out = key.secret.expose().to_owned();
    app.rotate(&key).await;
    // The example of `docs/behaviour.md`: valid format and checksum, but unknown.
    let unknown = format!("lk_{}0dawgh", "0".repeat(32));
    let bad_checksum = format!("lk_{}0dawgi", "0".repeat(32));
    let mut responses = Vec::new();
    for presented in [
        rotated_out.as_str(),
        &unknown,
        &bad_checksum,
        "lk_short",
        "",
        "x",
    ] {
        let response = app.get("/api/v1/whoami").key(presented).send().await;
        response.assert_problem(401, "invalid_api_key");
        responses.push(comparable(&response));
    }
    assert!(
        responses.windows(2).all(|pair| pair[0] == pair[1]),
        "{responses:#?}"
    );
}

#[tokio::test]
async fn p02_only_the_exact_secret_earns_revoked_or_expired() {
    let app = TestApp::start().await;
    let revoked = app.issue(KeySpec::default()).await;
    app.revoke("acme", &revoked).await;
    let expired = app
        .issue(KeySpec {
            expires_on: Some(day(-5)),
            ..KeySpec::default()
        })
        .await;
    for (key, code) in [(revoked, "revoked_api_key"), (expired, "expired_api_key")] {
        let secret = key.secret.expose();
        let exact = app.get("/api/v1/whoami").key(secret).send().await;
        exact.assert_problem(401, code);
        let shorter = app
            .get("/api/v1/whoami")
            .key(&secret[..secret.len() - 1])
            .send()
            .await;
        shorter.assert_problem(401, "invalid_api_key");
    }
}

#[tokio::test]
async fn p32_a_secret_with_one_wrong_character_is_invalid() {
    let (app, key) = TestApp::start().await.with_key().await;
    let secret = key.secret.expose();
    let flipped: String = {
        let at = secret
            .rfind(|letter: char| letter.is_ascii_alphabetic())
            .unwrap();
        let letter = secret.as_bytes()[at] as char;
        let other = if letter.is_ascii_lowercase() {
            letter.to_ascii_uppercase()
        } else {
            letter.to_ascii_lowercase()
        };
        format!("{}{other}{}", &secret[..at], &secret[at + 1..])
    };
    let encoded = format!("%6C{}", &secret[1..]);
    let other_prefix = format!("xy{}", &secret[2..]);
    // A Cyrillic letter that looks like a Latin one.
    let homoglyph = secret.replacen("lk_", "l\u{43a}_", 1);
    let nearly: [Vec<u8>; 8] = [
        secret[..secret.len() - 1].into(),
        format!("{secret}0").into(),
        flipped.into(),
        encoded.into(),
        other_prefix.into(),
        homoglyph.into(),
        format!("\"{secret}\"").into(),
        format!("ApiKey {secret}").into(),
    ];
    for presented in nearly {
        let response = app
            .get("/api/v1/whoami")
            .header("x-api-key", &presented)
            .send()
            .await;
        response.assert_problem(401, "invalid_api_key");
    }
}

#[tokio::test]
async fn p59_two_headers_are_ambiguous_and_malformed_ones_are_invalid() {
    let (app, key) = TestApp::start().await.with_key().await;
    let other = app.issue(KeySpec::default()).await;
    let (secret, other) = (key.secret.expose(), other.secret.expose());
    for (first, second) in [
        (secret, secret),
        (secret, other),
        ("x", secret),
        (secret, ""),
        ("", ""),
    ] {
        let response = app
            .get("/api/v1/whoami")
            .key(first)
            .key(second)
            .send()
            .await;
        response.assert_problem(401, "ambiguous_api_key");
    }
    let joined = format!("{secret},{secret}");
    let long = "k".repeat(8 * 1024);
    let odd: [&[u8]; 4] = [
        joined.as_bytes(),
        long.as_bytes(),
        b"lk_\xff\xfe",
        "lk_ä".as_bytes(),
    ];
    for presented in odd {
        let response = app
            .get("/api/v1/whoami")
            .header("x-api-key", presented)
            .send()
            .await;
        response.assert_problem(401, "invalid_api_key");
    }
}

#[tokio::test]
async fn p04_unknown_paths_and_methods_are_problems_too() {
    let (app, key) = TestApp::start().await.with_key().await;
    for path in [
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/whoami/",
        "/api/v1/whoami/x",
        "/api/v1//whoami",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let response = app
                .request(method, path)
                .key(key.secret.expose())
                .send()
                .await;
            response.assert_problem(404, "not_found");
        }
    }
    let response = app
        .post("/api/v1/whoami")
        .key(key.secret.expose())
        .send()
        .await;
    response.assert_problem(405, "method_not_allowed");
    assert_eq!(response.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let app = TestApp::start().await;
    let key = app
        .issue(KeySpec {
            permissions: &["orders:read"],
            ..KeySpec::default()
        })
        .await;
    let response = app
        .get("/api/v1/api-keys")
        .key(key.secret.expose())
        .send()
        .await;
    let problem = response.assert_problem(403, "missing_permission");
    assert_eq!(problem["permission"], Value::from("api-keys:read"));
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("api-keys:read")
    );
}

#[tokio::test]
async fn p03_refusals_are_counted_by_key_and_code_and_day() {
    let app = TestApp::start().await;
    let key = app
        .issue(KeySpec {
            permissions: &["orders:read"],
            allowlist: &["203.0.113.9"],
            ..KeySpec::default()
        })
        .await;
    let secret = key.secret.expose();
    let request = async |path: &str, peer: &str| app.get(path).from(peer).key(secret).send().await;
    for _ in 0..3 {
        let response = request("/api/v1/api-keys", "203.0.113.9").await;
        response.assert_problem(403, "missing_permission");
        assert!(!response.text().contains(secret));
    }
    for path in ["/api/v1/api-keys", "/api/v1/forward-auth"] {
        let response = request(path, "198.51.100.1").await;
        response.assert_problem(403, "ip_not_allowed");
    }
    assert_eq!(request("/api/v1/whoami", "203.0.113.9").await.status, 200);
    assert_eq!(
        app.refused("acme", &key).await,
        ["ip_not_allowed: 2", "missing_permission: 3"]
    );
    app.revoke("acme", &key).await;
    request("/api/v1/whoami", "203.0.113.9")
        .await
        .assert_problem(401, "revoked_api_key");
    request("/api/v1/api-keys", "203.0.113.9")
        .await
        .assert_problem(401, "revoked_api_key");
    assert_eq!(
        app.refused("acme", &key).await,
        [
            "ip_not_allowed: 2",
            "missing_permission: 3",
            "revoked_api_key: 2"
        ]
    );
    // Refusals are counted and cause no audit events. Keys of the tests are older than their tenant.
    let mut actions: Vec<_> = (app.audited("acme").await.iter())
        .map(|event| event.action.as_str())
        .collect();
    actions.sort_unstable();
    assert_eq!(
        actions,
        [
            "api_key.created",
            "api_key.revoked",
            "authorization_group.created",
            "tenant.created"
        ]
    );
}

#[tokio::test]
async fn every_response_has_a_generated_request_id() {
    let (app, key) = TestApp::start().await.with_key().await;
    let mut seen = std::collections::HashSet::new();
    for path in [
        "/api/v1/whoami",
        "/api/v1/nothing",
        "/healthz",
        "/sign-in",
        "/nothing",
    ] {
        let sent = "11111111-1111-7111-8111-111111111111";
        let response = app
            .get(path)
            .key(key.secret.expose())
            .header("x-request-id", sent)
            .send()
            .await;
        let id: uuid::Uuid = response.header("x-request-id").parse().unwrap();
        assert_eq!(id.get_version_num(), 7);
        assert_ne!(id.to_string(), sent);
        assert!(seen.insert(id));
    }
}
