//! A provider that is down, slow, or has changed its keys. A password signs in meanwhile.

use std::net::TcpListener;

use serde_json::json;

use super::{
    super::test_app::ADMIN, Begun, CLAIMS, app_with, assert_refused, assert_signed_in, sign_in,
    start, users,
};
use crate::support::test_provider::{SigningKey, TestProvider};

#[tokio::test]
async fn a_server_starts_and_a_password_signs_in_while_the_provider_is_down() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let app = app_with(&issuer, &CLAIMS).await.with_admin().await;
    let response = app.get("/sign-in/sso?return_to=/audit-log").send().await;
    assert_eq!(
        response.header("location"),
        "/sign-in?sso=unavailable&return_to=%2Faudit-log"
    );
    let page = app.get("/sign-in?sso=unavailable").send().await;
    assert!(page.text().contains("Single sign-on can’t be reached."));
    app.sign_in(ADMIN).await;
}

#[tokio::test]
async fn a_provider_that_does_not_respond_is_given_up_and_delays_nobody_else() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    provider.set_silent(true);
    // The password signs in while the other requests wait for the provider.
    let waiting = futures_util::future::join_all((0..5).map(|_| app.get("/sign-in/sso").send()));
    let (responses, session) = tokio::join!(waiting, app.sign_in(ADMIN));
    for response in responses {
        assert_eq!(response.header("location"), "/sign-in?sso=unavailable");
    }
    assert!(app.is_signed_in(&session).await);
    // In the middle of a sign-in
    provider.set_silent(false);
    let begun = loop {
        let response = app.get("/sign-in/sso").send().await;
        // A failure is remembered for two seconds.
        if response.header("location").starts_with(&provider.issuer) {
            break Begun {
                url: response.header("location").parse().unwrap(),
                cookie: response.set_cookie("latchkey_sso"),
            };
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let code = provider.code(&begun.nonce(), &json!({ "email": ADMIN }));
    provider.set_silent(true);
    assert_refused(&begun.finish(&app, &code).await, "unavailable");
    provider.set_silent(false);
    assert_signed_in(&sign_in(&app, &provider, &json!({ "email": ADMIN })).await);
    assert_eq!(users(&app).await, 1);
}

#[tokio::test]
async fn an_error_of_the_provider_is_refused() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    for status in [400, 401, 500, 503] {
        provider.behaviour().token_status = Some(status);
        assert_refused(
            &sign_in(&app, &provider, &json!({ "email": ADMIN })).await,
            "refused",
        );
    }
    provider.behaviour().token_status = None;
    assert_signed_in(&sign_in(&app, &provider, &json!({ "email": ADMIN })).await);
}

#[tokio::test]
async fn a_response_without_end_is_cut_off() {
    let provider = TestProvider::start();
    provider.behaviour().flood = Some(64 * 1024 * 1024);
    let app = app_with(&provider.issuer, &CLAIMS).await;
    let response = app.get("/sign-in/sso").send().await;
    assert_eq!(response.header("location"), "/sign-in?sso=unavailable");
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_or_with_insecure_endpoints_is_refused() {
    for (member, value) in [
        ("issuer", "https://other.example"),
        ("authorization_endpoint", "http://login.example/authorize"),
        ("token_endpoint", "http://login.example/token"),
        ("jwks_uri", "http://login.example/keys"),
        ("jwks_uri", "file:///etc/passwd"),
    ] {
        let provider = TestProvider::start();
        provider
            .behaviour()
            .discovery
            .insert(member.to_owned(), json!(value));
        let app = app_with(&provider.issuer, &CLAIMS).await;
        let response = app.get("/sign-in/sso").send().await;
        assert_eq!(
            response.header("location"),
            "/sign-in?sso=unavailable",
            "{member}: {value}"
        );
    }
}

#[tokio::test]
async fn new_keys_of_the_provider_are_fetched_when_a_token_needs_them() {
    let (app, provider) = start().await;
    let app = app.with_admin().await;
    assert_signed_in(&sign_in(&app, &provider, &json!({ "email": ADMIN })).await);
    assert_signed_in(&sign_in(&app, &provider, &json!({ "email": ADMIN })).await);
    assert_eq!(provider.key_requests(), 1, "keys are kept");
    provider.behaviour().keys = vec![SigningKey::new("second")];
    assert_signed_in(&sign_in(&app, &provider, &json!({ "email": ADMIN })).await);
    assert_eq!(provider.key_requests(), 2);
    // Tokens with forged key identifiers cause no further request.
    let forged = SigningKey::new("forged");
    for _ in 0..20 {
        let begun = Begun::new(&app).await;
        let header = json!({ "alg": "EdDSA", "kid": forged.id });
        let claims = provider.claims(&begun.nonce(), &json!({ "email": ADMIN }));
        let code = provider.code_for(forged.sign(&header, &claims));
        assert_refused(&begun.finish(&app, &code).await, "refused");
    }
    assert_eq!(provider.key_requests(), 2);
    assert_signed_in(&sign_in(&app, &provider, &json!({ "email": ADMIN })).await);
}
