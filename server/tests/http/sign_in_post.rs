//! `POST /sign-in`

use domain::user::Role;

use super::{
    request::{TestRequest, TestResponse},
    test_app::{ADMIN, PASSWORD, TestApp},
};

const WRONG: &str = "violet canoe 7 orbit lanterm";

fn attempt(app: &TestApp, email: &str, password: &str) -> TestRequest {
    app.post("/sign-in")
        .same_origin()
        .form(&[("email", email), ("password", password)])
}

#[track_caller]
fn assert_signed_in(response: &TestResponse) {
    assert_eq!(response.status, 303, "{}", response.text());
    assert!(response.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn p08_the_cookie_is_http_only_and_without_a_domain() {
    let app = TestApp::start().await.with_admin().await;
    let response = attempt(&app, ADMIN, PASSWORD).send().await;
    assert_signed_in(&response);
    assert_eq!(response.header("location"), "/tenant-api-keys");
    let lines: Vec<_> = response
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|line| line.to_str().unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    for (name, line) in [
        ("latchkey_session", lines[0]),
        ("latchkey_device", lines[1]),
    ] {
        let mut parts = line.split("; ");
        let token = parts
            .next()
            .unwrap()
            .strip_prefix(&format!("{name}="))
            .unwrap();
        assert!(
            token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "256 bits"
        );
        let attributes: Vec<_> = parts.filter(|part| !part.starts_with("Max-Age=")).collect();
        assert_eq!(attributes, ["HttpOnly", "Path=/", "SameSite=Lax"]);
    }
    let session = response.set_cookie("latchkey_session");
    assert!(app.is_signed_in(&session).await);
    // The database contains only digests.
    let token = session.split_once('=').unwrap().1;
    for file in std::fs::read_dir(app.folder()).unwrap() {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        assert!(
            !content
                .windows(token.len())
                .any(|window| window == token.as_bytes())
        );
    }
}

#[tokio::test]
async fn p08_on_https_the_cookie_is_secure_and_bound_to_the_host() {
    let app = TestApp::start_with(&[("LATCHKEY_PUBLIC_URL", "https://keys.example")])
        .await
        .with_admin()
        .await;
    let response = attempt(&app, ADMIN, PASSWORD).send().await;
    assert_signed_in(&response);
    for line in response.headers.get_all("set-cookie") {
        let line = line.to_str().unwrap();
        assert!(line.starts_with("__Host-latchkey_"), "{line}");
        assert!(
            line.contains("; Secure") && line.contains("; Path=/;") && !line.contains("Domain"),
            "{line}"
        );
    }
    let session = response.set_cookie("__Host-latchkey_session");
    assert!(app.is_signed_in(&session).await);
    let planted = session.strip_prefix("__Host-").unwrap();
    assert!(
        !app.is_signed_in(planted).await,
        "without its prefix anybody on the network can plant it"
    );
}

#[tokio::test]
async fn p09_a_planted_session_cookie_is_replaced() {
    let app = TestApp::start().await.with_admin().await;
    let planted = format!("latchkey_session={}", "ab".repeat(32));
    let response = attempt(&app, ADMIN, PASSWORD).cookie(&planted).send().await;
    assert_signed_in(&response);
    let session = response.set_cookie("latchkey_session");
    assert_ne!(session, planted);
    assert!(!app.is_signed_in(&planted).await);
    // A second sign-in issues a new token and ends the first session.
    let response = attempt(&app, ADMIN, PASSWORD).cookie(&session).send().await;
    let second = response.set_cookie("latchkey_session");
    assert_ne!(second, session);
    assert!(app.is_signed_in(&second).await);
    assert!(!app.is_signed_in(&session).await);
    // Either of two cookies may be planted.
    assert!(!app.is_signed_in(&format!("{planted}; {second}")).await);
    assert!(!app.is_signed_in(&format!("{second}; {planted}")).await);
}

/// The response without the request id and the submitted email address.
fn comparable(response: &TestResponse, email: &str) -> (u16, Vec<(String, String)>, String) {
    let policy = response.header("content-security-policy").to_owned();
    let nonce = policy
        .split('\'')
        .find_map(|part| part.strip_prefix("nonce-"))
        .unwrap()
        .to_owned();
    let mut headers: Vec<_> = response
        .headers
        .iter()
        // The length depends on the submitted email address; bodies are compared below.
        .filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "content-length"))
        .map(|(name, value)| {
            (
                name.to_string(),
                value.to_str().unwrap().replace(&nonce, "NONCE"),
            )
        })
        .collect();
    headers.sort();
    let body = response
        .text()
        .replace(&nonce, "NONCE")
        .replace(email, "EMAIL");
    (response.status.as_u16(), headers, body)
}

#[tokio::test]
async fn p14_unknown_user_and_wrong_password_get_the_same_response() {
    let app = TestApp::start().await.with_admin().await;
    app.add_user("gone@acme.example", Role::TenantAdmin, Some("acme"))
        .await;
    let cli = app.store.as_cli();
    let gone = "gone@acme.example".parse().unwrap();
    app.store
        .users(&cli)
        .disable(&gone, server::clock::now())
        .await
        .unwrap();
    let wrong = attempt(&app, ADMIN, WRONG).send().await;
    let unknown = attempt(&app, "nobody@acme.example", WRONG).send().await;
    let disabled = attempt(&app, "gone@acme.example", WRONG).send().await;
    let no_address = attempt(&app, "not an address", WRONG).send().await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.text().contains("Email or password is wrong."),
        "{}",
        wrong.text()
    );
    assert!(wrong.text().contains(ADMIN), "the address is kept");
    assert!(!wrong.text().contains(WRONG), "the password is not");
    assert!(wrong.headers.get("set-cookie").is_none());
    let expected = comparable(&wrong, ADMIN);
    assert_eq!(comparable(&unknown, "nobody@acme.example"), expected);
    assert_eq!(comparable(&disabled, "gone@acme.example"), expected);
    assert_eq!(comparable(&no_address, "not an address"), expected);
}

#[tokio::test]
async fn only_the_right_password_reveals_a_disabled_user_and_a_suspended_tenant() {
    const DISABLED: &str = "gone@acme.example";
    let app = TestApp::start().await.with_admin().await;
    app.add_user(DISABLED, Role::TenantAdmin, Some("acme"))
        .await;
    let cli = app.store.as_cli();
    app.store
        .users(&cli)
        .disable(&DISABLED.parse().unwrap(), server::clock::now())
        .await
        .unwrap();
    app.suspend("acme").await;
    let refused = "Email or password is wrong.";
    for (email, password, status, message) in [
        (ADMIN, WRONG, 422, refused),
        (DISABLED, WRONG, 422, refused),
        (
            ADMIN,
            PASSWORD,
            403,
            "Acme is suspended. Ask your operator.",
        ),
        (
            DISABLED,
            PASSWORD,
            403,
            "Your account is disabled. Ask your operator to enable it.",
        ),
    ] {
        let response = attempt(&app, email, password).send().await;
        assert_eq!(response.status, status, "{email}");
        let page = response.text();
        assert!(page.contains(message), "{email}: {page}");
        assert!(response.headers.get("set-cookie").is_none());
        assert!(!page.contains(password));
    }
}

#[tokio::test]
async fn an_empty_field_is_named_and_is_no_attempt() {
    let app = TestApp::start().await.with_admin().await;
    for (email, password, message) in [
        ("", "", "Enter your email and your password."),
        (" ", WRONG, "Enter your email."),
        (ADMIN, "", "Enter your password."),
    ] {
        // More often than the limit on wrong passwords.
        for _ in 0..12 {
            let response = attempt(&app, email, password).send().await;
            assert_eq!(response.status, 422, "{message}");
            let page = response.text();
            assert!(page.contains(message), "{page}");
            let marked = page.matches("aria-invalid=\"true\"").count();
            let empty = usize::from(email.trim().is_empty()) + usize::from(password.is_empty());
            assert_eq!(marked, empty, "{message}");
        }
    }
    assert_signed_in(&attempt(&app, ADMIN, PASSWORD).send().await);
}

#[tokio::test]
async fn the_sign_in_page_names_its_destination_and_who_can_help() {
    let app = TestApp::start().await.with_admin().await;
    for (query, name) in [
        ("", "API Keys"),
        ("?return_to=%2Ftenant-api-keys%2Fnew", "API Keys"),
        ("?return_to=%2Faccount", "My account"),
        ("?return_to=%2Faudit-log%3Faction%3Dsigned_in", "Audit Log"),
        ("?return_to=%2Fnothing%2Fhere", "Latchkey"),
        ("?return_to=%2F%2Fevil.example", "API Keys"),
    ] {
        let page = app.get(&format!("/sign-in{query}")).send().await.text();
        assert!(
            page.contains(&format!("to continue to {name}<")),
            "{query}: {page}"
        );
        assert!(page.contains("Forgot your password? Ask your operator to set a new one."));
    }
}

#[tokio::test]
async fn p13_after_ten_wrong_passwords_the_right_one_is_refused_too() {
    let app = TestApp::start().await.with_admin().await;
    app.add_user("iris@acme.example", Role::TenantAdmin, Some("acme"))
        .await;
    for number in 1..=10 {
        // One client with several spellings of its address
        let peer = if number % 2 == 0 {
            "203.0.113.9"
        } else {
            "::ffff:203.0.113.9"
        };
        let response = attempt(&app, ADMIN, WRONG).from(peer).send().await;
        assert_eq!(response.status, 422, "attempt {number}");
    }
    for password in [WRONG, PASSWORD] {
        let response = attempt(&app, ADMIN, password).send().await;
        assert_eq!(response.status, 429, "{}", response.text());
        let seconds: u64 = response.header("retry-after").parse().unwrap();
        assert!((1..=24 * 60 * 60).contains(&seconds), "{seconds}");
        assert!(
            response.text().contains("Too many attempts. Try again in "),
            "{}",
            response.text()
        );
        assert!(response.headers.get("set-cookie").is_none());
    }
    assert_signed_in(
        &attempt(&app, ADMIN, PASSWORD)
            .from("198.51.100.7")
            .send()
            .await,
    );
}

#[tokio::test]
async fn p13_a_64_of_ipv6_is_one_client() {
    let app = TestApp::start().await.with_admin().await;
    for number in 1..=10 {
        let peer = format!("2001:db8:0:1::{number}");
        assert_eq!(
            attempt(&app, ADMIN, WRONG).from(&peer).send().await.status,
            422
        );
    }
    let request = attempt(&app, ADMIN, PASSWORD).from("2001:db8:0:1:ffff:ffff:ffff:ffff");
    assert_eq!(request.send().await.status, 429);
    assert_signed_in(
        &attempt(&app, ADMIN, PASSWORD)
            .from("2001:db8:0:2::1")
            .send()
            .await,
    );
}

#[tokio::test]
async fn p74_known_and_unknown_accounts_get_the_same_response_after_a_hundred_failures() {
    let app = TestApp::start().await.with_admin().await;
    let mut told = Vec::new();
    for (network, email) in [(0, ADMIN), (1, "nobody@acme.example")] {
        let mut responses = Vec::new();
        // 130 wrong passwords from 15 addresses
        for number in 0..130 {
            let peer = format!("2001:db8:{network}:{}::{}", number / 9, number % 9 + 1);
            responses.push(attempt(&app, email, WRONG).from(&peer).send().await);
        }
        let statuses: Vec<u16> = responses
            .iter()
            .map(|response| response.status.as_u16())
            .collect();
        assert!(statuses[..100].iter().all(|status| *status == 422));
        // The address of the hundredth attempt, then three new ones with one attempt each
        let rest: Vec<u16> = (100..130)
            .map(|number| {
                if number == 100 || number % 9 == 0 {
                    422
                } else {
                    429
                }
            })
            .collect();
        assert_eq!(statuses[100..], rest, "{email}");
        let last = &responses[129];
        let seconds: u64 = last.header("retry-after").parse().unwrap();
        assert!(
            (24 * 60 * 60 - 120..=24 * 60 * 60).contains(&seconds),
            "{seconds}"
        );
        assert!(
            last.text()
                .contains("Too many attempts. Try again in 24 hours."),
            "{}",
            last.text()
        );
        // Both responses are compared without the request id and the seconds.
        let mut shown: Vec<_> = [&responses[0], &responses[99], &responses[100], last]
            .map(|response| comparable(response, email))
            .into();
        for (_, headers, _) in &mut shown {
            for (name, value) in headers {
                if name == "retry-after" {
                    "SECONDS".clone_into(value);
                }
            }
        }
        told.push(shown);
    }
    assert_eq!(told[0], told[1]);
    // The owner, from an address without attempts today
    assert_signed_in(
        &attempt(&app, ADMIN, PASSWORD)
            .from("198.51.100.7")
            .send()
            .await,
    );
}

#[tokio::test]
async fn c09_both_spellings_of_an_internationalised_domain_sign_in() {
    let app = TestApp::start().await;
    app.add_user("ann@m\u{fc}nchen.example", Role::TenantAdmin, Some("acme"))
        .await;
    for spelling in ["ann@xn--mnchen-3ya.example", "ann@m\u{fc}nchen.example"] {
        assert_signed_in(&attempt(&app, spelling, PASSWORD).send().await);
    }
}

#[tokio::test]
async fn a_form_that_is_not_percent_encoded_utf_8_is_refused_with_its_remedy() {
    let app = TestApp::start().await.with_admin().await;
    for email in ["%ff%fe", "100%", "a%u0041"] {
        let body = format!("email={email}&password=x");
        let response = app
            .post("/sign-in")
            .same_origin()
            .body("application/x-www-form-urlencoded", body)
            .send()
            .await;
        assert_eq!(response.status, 400);
        assert!(
            response.text().contains("write % as %25"),
            "{}",
            response.text()
        );
    }
}

#[tokio::test]
async fn p15_a_password_that_is_too_long_is_refused_and_not_echoed() {
    let app = TestApp::start().await.with_admin().await;
    let long = "a long one ".repeat(100);
    let response = attempt(&app, ADMIN, &long).send().await;
    assert_eq!(response.status, 422);
    assert!(!response.text().contains("a long one"));
}

#[tokio::test]
async fn only_pages_of_this_site_are_redirected_to() {
    let app = TestApp::start().await.with_admin().await;
    let cases = [
        ("/tenant-api-keys/new", "/tenant-api-keys/new"),
        (
            "/tenant-api-keys?status=active&q=a%20b",
            "/tenant-api-keys?status=active&q=a%20b",
        ),
        ("", "/tenant-api-keys"),
        ("https://attacker.example/", "/tenant-api-keys"),
        ("//attacker.example/", "/tenant-api-keys"),
        ("/\\attacker.example/", "/tenant-api-keys"),
        ("/\t/attacker.example/", "/tenant-api-keys"),
        ("\\\\attacker.example", "/tenant-api-keys"),
        ("javascript:alert(1)", "/tenant-api-keys"),
        ("/x\r\nSet-Cookie: a=b", "/tenant-api-keys"),
        ("/sign-out", "/tenant-api-keys"),
        ("tenant-api-keys", "/tenant-api-keys"),
    ];
    for (return_to, target) in cases {
        let fields = [
            ("email", ADMIN),
            ("password", PASSWORD),
            ("return_to", return_to),
        ];
        let response = app
            .post("/sign-in")
            .same_origin()
            .form(&fields)
            .send()
            .await;
        assert_signed_in(&response);
        assert_eq!(response.header("location"), target, "{return_to:?}");
    }
}

#[tokio::test]
async fn a_refused_sign_in_keeps_the_return_page() {
    let app = TestApp::start().await.with_admin().await;
    let fields = [
        ("email", ADMIN),
        ("password", WRONG),
        ("return_to", "/tenant-api-keys/new"),
    ];
    let response = app
        .post("/sign-in")
        .same_origin()
        .form(&fields)
        .send()
        .await;
    assert_eq!(response.status, 422);
    assert!(
        response.text().contains("value=\"/tenant-api-keys/new\""),
        "{}",
        response.text()
    );
}

#[tokio::test]
async fn p20_a_body_that_is_not_a_form_is_refused() {
    let app = TestApp::start().await.with_admin().await;
    let json = serde_json::json!({ "email": ADMIN, "password": PASSWORD });
    assert_eq!(app.post("/sign-in").json(&json).send().await.status, 415);
    let text = format!("email={ADMIN}&password={PASSWORD}");
    assert_eq!(
        app.post("/sign-in")
            .body("text/plain", text)
            .send()
            .await
            .status,
        415
    );
    let incomplete = app.post("/sign-in").form(&[("email", ADMIN)]).send().await;
    assert!(incomplete.status.is_client_error());
    let in_query = app
        .get(&format!("/sign-in?email={ADMIN}&password=x"))
        .send()
        .await;
    assert!(in_query.headers.get("set-cookie").is_none());
}
