//! `GET /sign-in/sso` and `GET /sign-in/sso/callback`
//!
//! | file | tests |
//! | --- | --- |
//! | `flow.rs` | the parameters, cookies and the state of a sign-in |
//! | `people.rs` | which person is which user |
//! | `tokens.rs` | invalid tokens |
//! | `provider_faults.rs` | a provider that is down, slow, or has changed its keys |
//! | `sign_in_page.rs` | the page and its settings |
//! | `real_providers.rs` | sign-ins at oidc-provider and idpyoidc |

mod flow;
mod people;
mod provider_faults;
mod real_providers;
mod sign_in_page;
mod tokens;

use domain::audit::AuditEvent;
use serde_json::Value;
use url::Url;

use super::{request::TestResponse, test_app::TestApp};
use crate::support::test_provider::{CLIENT_ID, CLIENT_SECRET, TestProvider};

/// The public URL of the application.
const PUBLIC_URL: &str = "http://keys.test";
/// The settings of tests that make users.
const CLAIMS: [(&str, &str); 4] = [
    ("LATCHKEY_OIDC_ALLOWED_DOMAINS", "acme.example"),
    ("LATCHKEY_OIDC_TENANT_CLAIM", "tenant"),
    ("LATCHKEY_OIDC_ROLE_CLAIM", "groups"),
    (
        "LATCHKEY_OIDC_ROLE_MAP",
        "latchkey-admins=tenant_admin,staff=member",
    ),
];

/// The application with single sign-on at `issuer` and these further settings.
async fn app_with(issuer: &str, more: &[(&str, &str)]) -> TestApp {
    let mut settings = vec![
        ("LATCHKEY_PUBLIC_URL", PUBLIC_URL),
        ("LATCHKEY_OIDC_ISSUER", issuer),
        ("LATCHKEY_OIDC_CLIENT_ID", CLIENT_ID),
        ("LATCHKEY_OIDC_CLIENT_SECRET", CLIENT_SECRET),
        ("LATCHKEY_OIDC_NAME", "Sign in with Acme"),
    ];
    settings.extend(more);
    TestApp::start_with(&settings).await
}

/// The application that links and makes users, and its provider.
async fn start() -> (TestApp, TestProvider) {
    let provider = TestProvider::start();
    let app = app_with(&provider.issuer, &CLAIMS).await;
    (app, provider)
}

/// A sign-in whose browser is at the provider.
struct Begun {
    /// The URL at the provider.
    url: Url,
    /// The `name=value` of the cookie.
    cookie: String,
}

impl Begun {
    /// Begins a sign-in.
    async fn at(app: &TestApp, path: &str) -> Self {
        let response = app.get(path).send().await;
        assert_eq!(response.status, 303, "{}", response.text());
        Self {
            url: response.header("location").parse().unwrap(),
            cookie: response.set_cookie("latchkey_sso"),
        }
    }

    async fn new(app: &TestApp) -> Self {
        Self::at(app, "/sign-in/sso").await
    }

    /// A parameter of the URL at the provider.
    fn parameter(&self, name: &str) -> String {
        let mut pairs = self.url.query_pairs();
        let found = pairs.find(|(found, _)| found == name);
        found
            .unwrap_or_else(|| panic!("no {name} in {}", self.url))
            .1
            .into_owned()
    }

    fn nonce(&self) -> String {
        self.parameter("nonce")
    }

    /// The callback of the browser that began, with this code.
    async fn finish(&self, app: &TestApp, code: &str) -> TestResponse {
        self.finish_with(app, &[("code", code)], &self.cookie).await
    }

    /// The callback with these parameters beside the state, and this cookie header.
    async fn finish_with(
        &self,
        app: &TestApp,
        parameters: &[(&str, &str)],
        cookie: &str,
    ) -> TestResponse {
        let state = self.parameter("state");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("state", &state)
            .extend_pairs(parameters)
            .finish();
        let path = format!("/sign-in/sso/callback?{query}");
        let request = app.get(&path).header("sec-fetch-site", "cross-site");
        let request = if cookie.is_empty() {
            request
        } else {
            request.cookie(cookie)
        };
        request.send().await
    }
}

/// Signs a person in whose token differs by `changes` from the right one.
async fn sign_in(app: &TestApp, provider: &TestProvider, changes: &Value) -> TestResponse {
    let begun = Begun::new(app).await;
    let code = provider.code(&begun.nonce(), changes);
    begun.finish(app, &code).await
}

/// Asserts that the sign-in succeeded; returns the session cookie.
#[track_caller]
fn assert_signed_in(response: &TestResponse) -> String {
    assert_eq!(response.status, 303, "{}", response.text());
    let location = response.header("location");
    assert!(!location.starts_with("/sign-in"), "{location}");
    response.set_cookie("latchkey_session")
}

/// Asserts that the sign-in was refused for this reason, and that no session was opened.
#[track_caller]
fn assert_refused(response: &TestResponse, word: &str) {
    assert_eq!(response.status, 303, "{}", response.text());
    let location = response.header("location");
    let rest = location
        .strip_prefix(&format!("/sign-in?sso={word}"))
        .unwrap_or_else(|| panic!("{location} is not {word}"));
    assert!(rest.is_empty() || rest.starts_with('&'), "{location}");
    let mut cookies = response.headers.get_all("set-cookie").iter();
    assert!(
        !cookies.any(|line| line.to_str().unwrap().starts_with("latchkey_session=")),
        "{:?}",
        response.headers
    );
}

/// The events of the installation's log, newest first.
async fn installation_log(app: &TestApp) -> Vec<AuditEvent> {
    let cli = app.store.as_cli();
    app.store
        .installation_log(&cli)
        .newest(1_000)
        .await
        .unwrap()
}

/// The reasons of refused single sign-ons in these events, newest first.
fn reasons(events: &[AuditEvent]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| event.changes["single_sign_on"]["after"].as_str())
        .map(str::to_owned)
        .collect()
}

/// The actions of these events, newest first.
fn actions(events: &[AuditEvent]) -> Vec<&'static str> {
    events.iter().map(|event| event.action.as_str()).collect()
}

/// The number of users.
async fn users(app: &TestApp) -> usize {
    let cli = app.store.as_cli();
    app.store.users(&cli).list().await.unwrap().len()
}
