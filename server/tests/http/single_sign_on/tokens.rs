//! Invalid tokens: refused, nothing is made, and a password still signs in.

use serde_json::{Value, json};

use super::{
    super::test_app::ADMIN, Begun, CLIENT_ID, CLIENT_SECRET, assert_refused, assert_signed_in,
    installation_log, reasons, start, users,
};
use crate::support::test_provider::{SigningKey, TestProvider, base64_url};

/// A code for a token of this nonce.
type MakeCode = fn(&TestProvider, &str) -> String;

fn right(provider: &TestProvider, nonce: &str) -> Value {
    provider.claims(nonce, &json!({ "email": ADMIN }))
}

fn changed(provider: &TestProvider, nonce: &str, mut changes: Value) -> String {
    changes["email"] = json!(ADMIN);
    provider.code(nonce, &changes)
}

fn now() -> i64 {
    server::clock::now().timestamp()
}

/// Every kind of invalid token, with a part of the reason for the operator.
const INVALID: &[(&str, &str, MakeCode)] = &[
    ("wrong issuer", "Invalid issuer", |provider, nonce| {
        changed(provider, nonce, json!({ "iss": "https://other.example" }))
    }),
    (
        "issuer with a slash",
        "Invalid issuer",
        |provider, nonce| {
            changed(
                provider,
                nonce,
                json!({ "iss": format!("{}/", provider.issuer) }),
            )
        },
    ),
    ("wrong audience", "Invalid audiences", |provider, nonce| {
        changed(provider, nonce, json!({ "aud": "another-client" }))
    }),
    (
        "further audience",
        "Invalid audiences",
        |provider, nonce| {
            changed(
                provider,
                nonce,
                json!({ "aud": [CLIENT_ID, "another-client"] }),
            )
        },
    ),
    ("another party", "claim azp", |provider, nonce| {
        changed(provider, nonce, json!({ "azp": "another-client" }))
    }),
    ("wrong nonce", "Invalid nonce", |provider, _| {
        changed(provider, &"0".repeat(64), json!({}))
    }),
    ("no nonce", "Invalid nonce", |provider, nonce| {
        changed(provider, nonce, json!({ "nonce": null }))
    }),
    ("expired", "Expired", |provider, nonce| {
        changed(provider, nonce, json!({ "exp": now() - 61 }))
    }),
    (
        "issued in the future",
        "in the future",
        |provider, nonce| {
            changed(
                provider,
                nonce,
                json!({ "iat": now() + 120, "exp": now() + 600 }),
            )
        },
    ),
    ("issued long ago", "10 minutes ago", |provider, nonce| {
        changed(provider, nonce, json!({ "iat": now() - 700 }))
    }),
    (
        "wrong hash of the access token",
        "at_hash",
        |provider, nonce| changed(provider, nonce, json!({ "at_hash": base64_url([7; 16]) })),
    ),
    ("empty subject", "subject", |provider, nonce| {
        changed(provider, nonce, json!({ "sub": "" }))
    }),
    ("long subject", "subject", |provider, nonce| {
        changed(provider, nonce, json!({ "sub": "x".repeat(256) }))
    }),
    (
        "changed claims",
        "Signature verification failed",
        |provider, nonce| {
            let key = provider.key();
            let header = json!({ "alg": "EdDSA", "kid": key.id });
            let token = key.sign(&header, &right(provider, nonce));
            let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
            let mut claims = right(provider, nonce);
            claims["sub"] = json!("someone-else");
            parts[1] = base64_url(claims.to_string());
            provider.code_for(parts.join("."))
        },
    ),
    (
        "key of another",
        "Signature verification failed",
        |provider, nonce| {
            let key = SigningKey::new("first");
            let header = json!({ "alg": "EdDSA", "kid": key.id });
            provider.code_for(key.sign(&header, &right(provider, nonce)))
        },
    ),
    (
        "unknown key",
        "Signature verification failed",
        |provider, nonce| {
            let key = SigningKey::new("unknown");
            let header = json!({ "alg": "EdDSA", "kid": key.id });
            provider.code_for(key.sign(&header, &right(provider, nonce)))
        },
    ),
    (
        "alg none",
        "Signature verification failed",
        |provider, nonce| {
            let header = base64_url(json!({ "alg": "none", "typ": "JWT" }).to_string());
            let claims = base64_url(right(provider, nonce).to_string());
            provider.code_for(format!("{header}.{claims}."))
        },
    ),
    (
        "alg none with a signature",
        "Signature verification failed",
        |provider, nonce| {
            let key = provider.key();
            let header = json!({ "alg": "none", "kid": key.id });
            provider.code_for(key.sign(&header, &right(provider, nonce)))
        },
    ),
    (
        "the client's secret as the key",
        "Signature verification failed",
        |provider, nonce| {
            let header = base64_url(json!({ "alg": "HS256", "typ": "JWT" }).to_string());
            let content = format!(
                "{header}.{}",
                base64_url(right(provider, nonce).to_string())
            );
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, CLIENT_SECRET.as_bytes());
            let signature = ring::hmac::sign(&key, content.as_bytes());
            provider.code_for(format!("{content}.{}", base64_url(signature)))
        },
    ),
    ("critical header", "critical", |provider, nonce| {
        let key = provider.key();
        let header = json!({ "alg": "EdDSA", "kid": key.id, "crit": ["x"], "x": 1 });
        provider.code_for(key.sign(&header, &right(provider, nonce)))
    }),
    ("another kind of token", "JWT type", |provider, nonce| {
        let key = provider.key();
        let header = json!({ "alg": "EdDSA", "kid": key.id, "typ": "logout+jwt" });
        provider.code_for(key.sign(&header, &right(provider, nonce)))
    }),
    ("no token", "no ID token", |provider, _| {
        provider.code_for(Value::Null)
    }),
    ("no JWT", "malformed", |provider, _| {
        provider.code_for("no.token")
    }),
    ("no claims", "malformed", |provider, _| {
        let key = provider.key();
        let header = json!({ "alg": "EdDSA", "kid": key.id });
        provider.code_for(key.sign(&header, &json!([])))
    }),
    ("no text", "malformed", |provider, _| {
        provider.code_for(json!({ "x": 1 }))
    }),
    ("an unknown code", "invalid_grant", |_, _| {
        "unknown".to_owned()
    }),
];

#[tokio::test]
async fn every_invalid_token_is_refused_and_changes_nothing() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    for (name, reason, make) in INVALID {
        let begun = Begun::new(&app).await;
        let code = make(&provider, &begun.nonce());
        assert_refused(&begun.finish(&app, &code).await, "refused");
        let told = reasons(&installation_log(&app).await);
        assert!(
            told.iter().any(|told| told.contains(reason)),
            "{name}: {told:?}"
        );
    }
    assert_eq!(users(&app).await, 1);
    let linked = app.audited("acme").await;
    assert!(
        linked
            .iter()
            .all(|event| event.action.as_str() != "user.sso_linked")
    );
    // No reason contains a token, a code or a nonce.
    for told in reasons(&installation_log(&app).await) {
        assert!(!told.contains("eyJ") && !told.contains("code-"), "{told}");
    }
    app.sign_in(ADMIN).await;
    let begun = Begun::new(&app).await;
    let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
    assert_signed_in(&begun.finish(&app, &code).await);
}

#[tokio::test]
async fn clocks_may_differ_by_a_minute() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    for changes in [
        json!({ "exp": now() - 50 }),
        json!({ "iat": now() + 50 }),
        json!({ "iat": now() - 600 }),
    ] {
        let begun = Begun::new(&app).await;
        let code = changed(&provider, &begun.nonce(), changes.clone());
        let response = begun.finish(&app, &code).await;
        assert_signed_in(&response);
    }
}

#[tokio::test]
async fn a_token_of_another_sign_in_is_refused() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    let attacker = Begun::new(&app).await;
    let victim = Begun::new(&app).await;
    let code = provider.code(&attacker.nonce(), &json!({ "email": ADMIN }));
    assert_refused(&victim.finish(&app, &code).await, "refused");
}
