//! Sign-ins at real providers: oidc-provider (npm) and idpyoidc (PyPI).

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use domain::user::Role;
use serde_json::{Value, json};
use url::Url;

use super::{
    super::test_app::{ADMIN, TestApp},
    Begun, CLAIMS, CLIENT_ID, CLIENT_SECRET, PUBLIC_URL, actions, app_with, assert_refused,
    assert_signed_in, installation_log, reasons, users,
};
use crate::support::{
    client::{Response, send},
    environment::setting,
    skip::{has_program, skip},
};

/// The path of a Python interpreter with idpyoidc, which `cargo xtask test` installs from PyPI.
const IDPYOIDC: &str = "TEST_IDPYOIDC";

/// A running provider.
struct RealProvider {
    issuer: String,
    child: Child,
    /// The provider stops when it is closed.
    _stdin: Option<ChildStdin>,
}

impl Drop for RealProvider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The persons of the providers.
fn accounts() -> Value {
    json!({
        "known": { "email": ADMIN, "email_verified": true, "name": "Mira Albrecht" },
        "new": {
            "email": "nova@partner.example", "email_verified": true, "name": "Nova Lind",
            "tenant": "acme", "groups": ["staff"],
        },
        "unverified": { "email": ADMIN, "email_verified": false, "name": "Mallory" },
        "stranger": { "email": "joe@elsewhere.example", "email_verified": true, "name": "Joe" },
    })
}

impl RealProvider {
    fn run(mut command: Command) -> Self {
        let config = json!({
            "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "accounts": accounts(),
            "callback": format!("{PUBLIC_URL}/sign-in/sso/callback"),
        });
        let mut child = command
            .arg(config.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the provider runs");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let stdin = child.stdin.take();
        Self {
            issuer: line.trim().to_owned(),
            child,
            _stdin: stdin,
        }
    }

    /// Starts oidc-provider; `None` if it is not installed, which is reported.
    fn oidc_provider() -> Option<Self> {
        let end2end = repository().join("end2end");
        if !has_program("node", "--version") {
            return None;
        }
        if !end2end.join("node_modules/oidc-provider").is_dir() {
            skip("oidc-provider (npm ci in end2end)");
            return None;
        }
        let mut command = Command::new("node");
        command.arg(end2end.join("support/oidc_provider.mjs"));
        Some(Self::run(command))
    }

    /// Starts idpyoidc; `None` if it is not installed, which is reported.
    fn idpyoidc() -> Option<Self> {
        let Some(python) = setting(IDPYOIDC) else {
            skip("idpyoidc");
            return None;
        };
        let mut command = Command::new(python);
        command.arg(repository().join("xtask/idpyoidc/provider.py"));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        Some(Self::run(command))
    }

    fn address(&self) -> &str {
        self.issuer.strip_prefix("http://").expect("loopback")
    }
}

/// A browser at oidc-provider.
struct Browser<'a> {
    address: &'a str,
    cookies: Vec<String>,
}

impl Browser<'_> {
    fn ask(&mut self, method: &str, path: &str, body: &str) -> Response {
        let cookies = self.cookies.join("; ");
        let mut headers = vec![("Content-Type", "application/x-www-form-urlencoded")];
        if !cookies.is_empty() {
            headers.push(("Cookie", &cookies));
        }
        let response = send(self.address, method, path, &headers, body);
        for line in response.head.lines() {
            let cookie = line
                .split_once(": ")
                .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
            if let Some((_, cookie)) = cookie {
                let pair = cookie.split(';').next().expect("a pair").to_owned();
                let name = pair.split('=').next().expect("a name").to_owned();
                self.cookies
                    .retain(|other| !other.starts_with(&format!("{name}=")));
                self.cookies.push(pair);
            }
        }
        response
    }

    fn follow(&mut self, location: &str) -> Response {
        let path = path_of(location);
        self.ask("GET", &path, "")
    }
}

/// The path of a URL with its query.
fn path_of(location: &str) -> String {
    let base = Url::parse("http://127.0.0.1").unwrap();
    let url = base.join(location).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// Signs in at oidc-provider as this person; returns the parameters of the callback.
fn at_oidc_provider(provider: &RealProvider, begun: &Begun, person: &str) -> Vec<(String, String)> {
    let mut browser = Browser {
        address: provider.address(),
        cookies: Vec::new(),
    };
    let page = browser.follow(begun.url.as_str());
    let interaction = page.header("location").expect("an interaction").to_owned();
    let path = path_of(&interaction);
    let posted = browser.ask(
        "POST",
        path.trim_end_matches('?'),
        &format!("subject={person}"),
    );
    let mut location = posted.header("location").expect("it continues").to_owned();
    while !location.starts_with(PUBLIC_URL) {
        let next = browser.follow(&location);
        location = next
            .header("location")
            .unwrap_or_else(|| panic!("{} {}", next.head, next.body))
            .to_owned();
    }
    parameters(&location)
}

/// Signs in at idpyoidc as this person; returns the parameters of the callback.
fn at_idpyoidc(provider: &RealProvider, begun: &Begun, person: &str) -> Vec<(String, String)> {
    assert_eq!(
        send(provider.address(), "POST", "/person", &[], person).status,
        204
    );
    let response = send(
        provider.address(),
        "GET",
        &path_of(begun.url.as_str()),
        &[],
        "",
    );
    let location = response.header("location");
    parameters(location.unwrap_or_else(|| panic!("{} {}", response.head, response.body)))
}

/// The parameters of a URL except the state, which [`Begun::finish_with`] adds.
fn parameters(location: &str) -> Vec<(String, String)> {
    let url = Url::parse(location).unwrap();
    url.query_pairs()
        .into_owned()
        .filter(|(name, _)| name != "state")
        .collect()
}

type SignIn = fn(&RealProvider, &Begun, &str) -> Vec<(String, String)>;

/// Signs a known, a new and two refused persons in.
async fn sign_persons_in(app: &TestApp, provider: &RealProvider, sign_in: SignIn) {
    let finish = async |person: &str| {
        let begun = Begun::new(app).await;
        let parameters = sign_in(provider, &begun, person);
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        begun.finish_with(app, &parameters, &begun.cookie).await
    };
    assert_refused(&finish("unverified").await, "no-account");
    let session = assert_signed_in(&finish("known").await);
    assert_eq!(
        app.get("/tenant-api-keys")
            .cookie(&session)
            .send()
            .await
            .status,
        200
    );
    assert_signed_in(&finish("known").await);
    let session = assert_signed_in(&finish("new").await);
    assert_eq!(
        app.get("/account").cookie(&session).send().await.status,
        200
    );
    assert_eq!(
        app.get("/tenant-api-keys")
            .cookie(&session)
            .send()
            .await
            .status,
        403
    );
    assert_refused(&finish("stranger").await, "no-account");
    let told = &reasons(&installation_log(app).await)[0];
    assert!(told.contains("the claim tenant names no tenant"), "{told}");
    assert_eq!(users(app).await, 2);
    let cli = app.store.as_cli();
    let made = app.store.users(&cli).list().await.unwrap();
    let made = made
        .iter()
        .find(|(user, _)| user.email.as_str() == "nova@partner.example");
    assert_eq!(made.expect("the new user").0.role, Role::Member);
    let audited = app.audited("acme").await;
    for action in ["user.sso_linked", "user.created"] {
        let count = actions(&audited)
            .iter()
            .filter(|found| **found == action)
            .count();
        // The administrator was created by the fixture.
        assert_eq!(
            count,
            if action == "user.created" { 2 } else { 1 },
            "{action}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn persons_sign_in_at_oidc_provider_also_after_it_has_changed_its_key() {
    let Some(provider) = RealProvider::oidc_provider() else {
        return;
    };
    let app = app_with(&provider.issuer, &CLAIMS).await.with_admin().await;
    sign_persons_in(&app, &provider, at_oidc_provider).await;
    let rotated = send(provider.address(), "POST", "/rotate-keys", &[], "");
    assert_eq!(rotated.status, 204);
    let begun = Begun::new(&app).await;
    let parameters = at_oidc_provider(&provider, &begun, "known");
    let code = parameters
        .iter()
        .find(|(name, _)| name == "code")
        .expect("a code");
    assert_signed_in(&begun.finish(&app, &code.1).await);
    // The person cancels.
    let begun = Begun::new(&app).await;
    let parameters = at_oidc_provider(&provider, &begun, "nobody");
    let error = [("error", parameters[0].1.as_str())];
    assert_eq!(parameters[0].0, "error");
    assert_refused(
        &begun.finish_with(&app, &error, &begun.cookie).await,
        "cancelled",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn persons_sign_in_at_idpyoidc() {
    let Some(provider) = RealProvider::idpyoidc() else {
        return;
    };
    let app = app_with(&provider.issuer, &CLAIMS).await.with_admin().await;
    sign_persons_in(&app, &provider, at_idpyoidc).await;
}
