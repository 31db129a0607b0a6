//! The second factor: set-up, sign-in in two steps, recovery codes, turning it off, and the requirement.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{audit::AuditAction, store::encryption::EncryptionKeys};
use server::clock;
use totp_rs::{Builder, Secret};

use super::{
    request::TestResponse,
    test_app::{ADMIN, PASSWORD, SUPER_USER, TestApp},
};

/// A user's authenticator app.
struct App {
    seed: String,
}

impl App {
    fn code_at(&self, at: DateTime<Utc>) -> String {
        let totp = Builder::new()
            .with_secret(Secret::try_from_base32(&self.seed).unwrap())
            .build()
            .unwrap();
        totp.generate(at.timestamp().try_into().unwrap())
            .to_string()
    }

    fn code(&self) -> String {
        self.code_at(clock::now())
    }

    /// The code of the next time step, which is accepted already.
    fn next_code(&self) -> String {
        self.code_at(clock::now() + TimeDelta::seconds(30))
    }
}

/// A user with a second factor.
struct Enrolled {
    app: App,
    codes: Vec<String>,
    session: String,
}

async fn start() -> TestApp {
    start_with("off").await
}

async fn start_with(required: &str) -> TestApp {
    let key = EncryptionKeys::generate().unwrap();
    let settings = [
        ("LATCHKEY_ENCRYPTION_KEY", key.as_str()),
        ("LATCHKEY_REQUIRE_SECOND_FACTOR", required),
    ];
    TestApp::start_with(&settings).await.with_admin().await
}

async fn send(app: &TestApp, path: &str, cookie: &str, field: (&str, &str)) -> TestResponse {
    let request = app.post(path).same_origin().cookie(cookie);
    request.form(&[field]).send().await
}

/// The text between `<code…>` and `</code>`, for each occurrence after `mark`.
fn codes_after(page: &str, mark: &str) -> Vec<String> {
    let rest = page.split(mark).nth(1).unwrap_or_default();
    let parts = rest.split("<code").skip(1);
    parts
        .filter_map(|part| part.split('>').nth(1)?.split('<').next())
        .map(str::to_owned)
        .collect()
}

async fn begin(app: &TestApp, session: &str) -> App {
    let response = send(
        app,
        "/account/second-factor",
        session,
        ("password", PASSWORD),
    )
    .await;
    assert_eq!(response.status, 200, "{}", response.text());
    let page = response.text();
    assert!(page.contains("<svg"), "a QR code");
    let seed = codes_after(&page, "Seed")[0].replace(' ', "");
    App { seed }
}

async fn enrol(app: &TestApp, email: &str) -> Enrolled {
    let session = app.sign_in(email).await;
    let authenticator = begin(app, &session).await;
    let path = "/account/second-factor/confirm";
    let response = send(app, path, &session, ("code", &authenticator.code())).await;
    assert_eq!(response.status, 200, "{}", response.text());
    let codes = codes_after(&response.text(), "Recovery codes");
    assert_eq!(codes.len(), 10);
    Enrolled {
        app: authenticator,
        codes,
        session: response.set_cookie("latchkey_session"),
    }
}

/// Types the right password, and returns the cookie of the pending sign-in.
async fn first_step(app: &TestApp, email: &str) -> String {
    let request = app.post("/sign-in").same_origin();
    let form = [("email", email), ("password", PASSWORD)];
    let response = request.form(&form).send().await;
    assert_eq!(response.status, 303, "{}", response.text());
    assert_eq!(response.header("location"), "/sign-in/second-factor");
    let mut cookies = response.headers.get_all("set-cookie").iter();
    assert!(
        !cookies.any(|cookie| cookie.as_bytes().starts_with(b"latchkey_session=")),
        "no session before the code"
    );
    response.set_cookie("latchkey_pending_sign_in")
}

async fn second_step(app: &TestApp, pending: &str, code: &str) -> TestResponse {
    send(app, "/sign-in/second-factor", pending, ("code", code)).await
}

#[tokio::test]
async fn a_sign_in_needs_the_code_and_a_code_counts_once() {
    let app = start().await;
    let elsewhere = app.sign_in(ADMIN).await;
    let mira = enrol(&app, ADMIN).await;
    assert!(app.is_signed_in(&mira.session).await);
    assert!(!app.is_signed_in(&elsewhere).await, "other sessions ended");

    // The code that confirmed the set-up is used.
    let pending = first_step(&app, ADMIN).await;
    assert!(!app.is_signed_in(&pending).await);
    let response = second_step(&app, &pending, &mira.app.code()).await;
    assert_eq!(response.status, 422);
    let code = mira.app.next_code();
    let response = second_step(&app, &pending, &code).await;
    assert_eq!(response.status, 303, "{}", response.text());
    let session = response.set_cookie("latchkey_session");
    assert!(app.is_signed_in(&session).await);

    // Neither the pending sign-in nor the code works again.
    let again = second_step(&app, &pending, &code).await;
    assert_eq!(
        (again.status.as_u16(), again.header("location")),
        (303, "/sign-in")
    );
    let pending = first_step(&app, ADMIN).await;
    assert_eq!(second_step(&app, &pending, &code).await.status, 422);
    let actions: Vec<_> = (app.audited("acme").await.iter())
        .map(|event| event.action)
        .collect();
    for action in [AuditAction::SecondFactorEnabled, AuditAction::SignInRefused] {
        assert!(actions.contains(&action), "{action:?}");
    }
}

#[tokio::test]
async fn one_code_opens_one_session_under_concurrency() {
    let app = start().await;
    let mira = enrol(&app, ADMIN).await;
    let code = mira.app.next_code();
    let mut pending = Vec::new();
    for _ in 0..4 {
        pending.push(first_step(&app, ADMIN).await);
    }
    let attempt = |index: usize| second_step(&app, &pending[index], &code);
    let (one, two, three, four) = tokio::join!(attempt(0), attempt(1), attempt(2), attempt(3));
    let responses = [one, two, three, four];
    let accepted = responses.iter().filter(|response| response.status == 303);
    assert_eq!(accepted.count(), 1);
}

#[tokio::test]
async fn a_recovery_code_signs_in_once_and_new_ones_replace_the_old() {
    let app = start().await;
    let mira = enrol(&app, ADMIN).await;
    let typed = mira.codes[0].to_lowercase().replace('-', " ");
    let pending = first_step(&app, ADMIN).await;
    let response = second_step(&app, &pending, &typed).await;
    assert_eq!(response.status, 303, "{}", response.text());
    let session = response.set_cookie("latchkey_session");
    let pending = first_step(&app, ADMIN).await;
    assert_eq!(second_step(&app, &pending, &typed).await.status, 422);
    let events = app.audited("acme").await;
    let used = events
        .iter()
        .find(|event| event.action == AuditAction::RecoveryCodeUsed)
        .unwrap();
    assert_eq!(used.changes["recovery_codes"]["after"], 9);

    let path = "/account/second-factor/recovery-codes";
    let wrong = send(
        &app,
        path,
        &session,
        ("password", "violet canoe 7 orbit lanterm"),
    )
    .await;
    assert_eq!(wrong.status, 422);
    let response = send(&app, path, &session, ("password", PASSWORD)).await;
    let fresh = codes_after(&response.text(), "Recovery codes");
    assert_eq!(fresh.len(), 10);
    let pending = first_step(&app, ADMIN).await;
    assert_eq!(
        second_step(&app, &pending, &mira.codes[1]).await.status,
        422
    );
    assert_eq!(second_step(&app, &pending, &fresh[0]).await.status, 303);
}

#[tokio::test]
async fn p13_guessed_codes_are_throttled_and_a_right_password_clears_nothing() {
    let app = start().await;
    let mira = enrol(&app, ADMIN).await;
    for _ in 0..10 {
        let pending = first_step(&app, ADMIN).await;
        assert_eq!(second_step(&app, &pending, "ABCDEFGH").await.status, 422);
    }
    // The password is refused too: the window counts both steps together.
    let request = app.post("/sign-in").same_origin();
    let form = [("email", ADMIN), ("password", PASSWORD)];
    let response = request.form(&form).send().await;
    assert_eq!(response.status, 429);
    assert!(response.headers.contains_key("retry-after"));
    assert!(app.is_signed_in(&mira.session).await);
}

#[tokio::test]
async fn a_pending_sign_in_ends_with_a_new_password_and_needs_its_cookie() {
    let app = start().await;
    let mira = enrol(&app, ADMIN).await;
    let pending = first_step(&app, ADMIN).await;
    let foreign = format!("latchkey_pending_sign_in={}", "0".repeat(64));
    for cookie in ["other=1", foreign.as_str()] {
        let response = second_step(&app, cookie, &mira.app.next_code()).await;
        assert_eq!(response.header("location"), "/sign-in");
    }
    let users = app.store.as_cli();
    let new = "seven tired herons 41 umbrella";
    let email = ADMIN.parse().unwrap();
    app.store
        .users(&users)
        .set_password(&email, new, clock::now())
        .await
        .unwrap();
    let response = second_step(&app, &pending, &mira.app.next_code()).await;
    assert_eq!(response.header("location"), "/sign-in");
}

#[tokio::test]
async fn it_is_turned_off_with_the_password_and_reset_by_an_operator() {
    let app = start().await;
    let mira = enrol(&app, ADMIN).await;
    let path = "/account/second-factor/disable";
    let wrong = send(
        &app,
        path,
        &mira.session,
        ("password", "violet canoe 7 orbit lanterm"),
    )
    .await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("The password is wrong."));
    let response = send(&app, path, &mira.session, ("password", PASSWORD)).await;
    assert_eq!(response.status, 303);
    app.sign_in(ADMIN).await;

    let mira = enrol(&app, ADMIN).await;
    let cli = app.store.as_cli();
    let (email, users) = (ADMIN.parse().unwrap(), app.store.users(&cli));
    for was_on in [true, false] {
        let reset = users.reset_second_factor(&email, clock::now()).await;
        assert_eq!(reset.unwrap().1, was_on);
    }
    assert!(!app.is_signed_in(&mira.session).await);
    app.sign_in(ADMIN).await;
    let resets = app.audited("acme").await;
    let reset = AuditAction::SecondFactorReset;
    assert_eq!(
        resets.iter().filter(|event| event.action == reset).count(),
        1
    );
}

#[tokio::test]
async fn a_super_user_who_needs_a_second_factor_can_only_set_it_up() {
    let app = start_with("on").await.with_super_user().await;
    let session = app.sign_in(SUPER_USER).await;
    for path in [
        "/tenants",
        "/account",
        "/tenant-api-keys?tenant=acme",
        "/account/second-factor/disable",
    ] {
        let response = app.get(path).cookie(&session).send().await;
        assert_eq!(
            (response.status.as_u16(), response.header("location")),
            (303, "/account/second-factor"),
            "{path}"
        );
    }
    let page = app
        .get("/account/second-factor")
        .cookie(&session)
        .send()
        .await;
    assert!(page.text().contains("Your account needs a second factor."));
    let otis = enrol(&app, SUPER_USER).await;
    let response = app.get("/tenants").cookie(&otis.session).send().await;
    assert_eq!(response.status, 200);
    // It cannot be turned off while it is required.
    let path = "/account/second-factor/disable";
    let refused = send(&app, path, &otis.session, ("password", PASSWORD)).await;
    assert_eq!(refused.status, 403);
}

#[tokio::test]
async fn without_the_key_the_pages_name_the_cause_and_readiness_stays() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let page = app
        .get("/account/second-factor")
        .cookie(&session)
        .send()
        .await;
    assert!(page.text().contains("LATCHKEY_ENCRYPTION_KEY is not set"));
    let started = send(
        &app,
        "/account/second-factor",
        &session,
        ("password", PASSWORD),
    )
    .await;
    assert_eq!(started.status, 503);
    assert_eq!(app.get("/readyz").send().await.status, 200);
}

/// With another key, the seed cannot be decrypted; recovery codes need no key.
#[tokio::test]
async fn with_a_wrong_key_recovery_codes_still_sign_in() {
    let app = start().await;
    let mira = enrol(&app, ADMIN).await;
    app.execute("UPDATE second_factors SET seed = replace(seed, 'v1.', 'v1.0')");
    let pending = first_step(&app, ADMIN).await;
    let response = second_step(&app, &pending, &mira.app.next_code()).await;
    assert_eq!(response.status, 503);
    assert!(
        response
            .text()
            .contains("Ask your operator, or use a recovery code.")
    );
    assert_eq!(
        second_step(&app, &pending, &mira.codes[3]).await.status,
        303
    );
    assert_eq!(app.get("/readyz").send().await.status, 200);
}

#[tokio::test]
async fn p53_the_database_contains_neither_seed_nor_recovery_code() {
    let app = start().await;
    let mira = enrol(&app, ADMIN).await;
    if app.is_on_postgres() {
        return;
    }
    let mut content = Vec::new();
    for entry in std::fs::read_dir(app.folder()).unwrap() {
        content.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let seed = Secret::try_from_base32(&mira.app.seed).unwrap();
    let plain = mira.codes.iter().map(|code| code.replace('-', ""));
    let mut secrets: Vec<Vec<u8>> = plain.map(String::into_bytes).collect();
    secrets.extend(mira.codes.iter().map(|code| code.clone().into_bytes()));
    secrets.extend([mira.app.seed.clone().into_bytes(), seed.as_ref().to_vec()]);
    for secret in secrets {
        let is_stored = content.windows(secret.len()).any(|window| window == secret);
        assert!(!is_stored);
    }
}
