//! `GET` and `POST /security-policy`: the page and its form.

use domain::security_policy::{SecurityPolicy, SecurityPolicyChanges};
use server::clock;

use super::{
    request::TestResponse,
    test_app::{ADMIN, KeySpec, MEMBER, SUPER_USER, TestApp, day},
};

const PATH: &str = "/security-policy";

async fn admin() -> (TestApp, String) {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    (app, session)
}

/// The fields of the form, with an unchecked box left out.
fn fields<'a>(version: &'a str, max: &'a str, lines: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("version", version),
        ("max_lifetime_days", max),
        ("default_lifetime_days", ""),
        ("ip_allowlist", lines),
    ]
}

async fn send(app: &TestApp, session: &str, fields: &[(&str, &str)]) -> TestResponse {
    let request = app.post(PATH).same_origin().cookie(session);
    request.from("192.0.2.7").form(fields).send().await
}

async fn open(app: &TestApp, session: &str) -> String {
    let response = app.get(PATH).from("192.0.2.7").cookie(session).send().await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.text().replace("<!>", "")
}

async fn stored(app: &TestApp) -> SecurityPolicy {
    let cli = app.store.as_cli();
    let scope = app.store.tenants(&cli).scope("acme").await.unwrap();
    app.store.security_policy(&scope).get().await.unwrap()
}

#[track_caller]
fn assert_shows(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
}

#[tokio::test]
async fn a_saved_policy_is_confirmed_and_shown_with_what_it_finds() {
    let (app, session) = admin().await;
    app.issue(KeySpec::default()).await;
    app.issue(KeySpec {
        expires_on: Some(day(300)),
        ..KeySpec::default()
    })
    .await;
    let page = open(&app, &session).await;
    assert_shows(
        &page,
        &[
            "1 active key never expires.",
            "You are connecting from <code>192.0.2.7</code>: an empty list admits every address.",
            "name=\"version\" value=\"1\"",
        ],
    );
    assert!(!page.contains("data-tone=\"outline\""), "no rule is set");
    let mut form = fields("1", "180", "203.0.113.0/24\r\n\r\n192.0.2.1/24");
    form.extend([("expiration_required", "on"), ("action", "save")]);
    let response = send(&app, &session, &form).await;
    assert_eq!(response.status, 303, "{}", response.text());
    assert_eq!(response.header("location"), PATH);
    let policy = stored(&app).await;
    assert!(policy.expiration_required);
    assert_eq!(policy.max_lifetime_days.map(u32::from), Some(180));
    assert_eq!(
        policy.ip_allowlist.to_lines(),
        "203.0.113.0/24\n192.0.2.0/24"
    );
    let done = response.set_cookie("latchkey_done");
    let page = app.get(PATH).from("192.0.2.7");
    let page = page.cookie(&format!("{session}; {done}")).send().await;
    let page = page.text().replace("<!>", "");
    assert_shows(
        &page,
        &[
            "Saved the security policy.",
            "1 active key never expires. <a href=\"/tenant-api-keys?status=active&amp;lifetime=never\"",
            "1 active key lives longer. <a href=\"/tenant-api-keys?status=active&amp;policy=outside\"",
            "A key generated today ends by <strong>",
            ": line 2 admits it.",
            "name=\"version\" value=\"2\"",
        ],
    );
    // A repeat of the form changes nothing.
    assert_eq!(send(&app, &session, &form).await.status, 409);
    assert_eq!(stored(&app).await.version, 2);
    // The rule concerns this session too: it can only set up a second factor from then on.
    form.retain(|(name, _)| *name != "version");
    form.extend([("version", "2"), ("second_factor_required", "on")]);
    assert_eq!(send(&app, &session, &form).await.status, 303);
    assert!(stored(&app).await.second_factor_required);
    let page = app.get(PATH).cookie(&session).send().await;
    assert_eq!(page.status, 303);
    assert!(
        page.header("location")
            .starts_with("/account/second-factor")
    );
}

#[tokio::test]
async fn every_error_stands_at_its_field_and_nothing_is_saved() {
    let (app, session) = admin().await;
    let mut form = fields("1", "0", "10.0.0.0/33");
    form[2] = ("default_lifetime_days", "<b>");
    form.push(("action", "save"));
    let response = send(&app, &session, &form).await;
    assert_eq!(response.status, 422);
    let page = response.text();
    assert_shows(
        &page,
        &[
            "Nothing was changed. Correct the marked fields.",
            "Line 1: '10.0.0.0/33' is not an IP address or CIDR range",
            "value=\"&lt;b&gt;\"",
            "10.0.0.0/33</textarea>",
        ],
    );
    assert_eq!(
        page.matches("Must be a whole number from 1 to 3,650")
            .count(),
        2
    );
    let mut form = fields("1", "180", "");
    form[2] = ("default_lifetime_days", "200");
    form.push(("action", "save"));
    let response = send(&app, &session, &form).await;
    assert_eq!(response.status, 422);
    assert_shows(
        &response.text(),
        &["Must be at most the longest lifetime, 180"],
    );
    assert_eq!(stored(&app).await.version, 1);
}

#[tokio::test]
async fn check_and_add_show_the_effect_keep_the_input_and_save_nothing() {
    let (app, session) = admin().await;
    let key = app.issue(KeySpec::default()).await;
    for address in ["192.0.2.44", "203.0.113.9"] {
        let used = app.get("/api/v1/whoami").key(key.secret.expose());
        assert_eq!(used.from(address).send().await.status, 200);
    }
    app.flush_usage().await;
    let mut form = fields("1", "30", "203.0.113.0/24");
    form.push(("action", "check"));
    let response = send(&app, &session, &form).await;
    assert_eq!(response.status, 200);
    let page = response.text().replace("<!>", "");
    let name = key.key.name.as_str();
    assert_shows(
        &page,
        &[
            "Of 2 addresses that used keys of this tenant in the last 7 days, 1 would be refused.",
            &format!("<code>192.0.2.44</code>, today, by <bdi>{name}</bdi>"),
            "name=\"add\" value=\"192.0.2.44\"",
            "<code>192.0.2.7</code>: no line admits it. ",
            "name=\"add\" value=\"192.0.2.7\"",
            "Outside policy",
        ],
    );
    form.pop();
    form.push(("add", "192.0.2.44"));
    let response = send(&app, &session, &form).await;
    assert_eq!(response.status, 200);
    let page = response.text();
    assert_shows(
        &page,
        &[
            "203.0.113.0/24\n192.0.2.44</textarea>",
            "none would be refused.",
            "value=\"30\"",
        ],
    );
    form.pop();
    form.push(("add", "everywhere"));
    assert_eq!(send(&app, &session, &form).await.status, 422);
    assert_eq!(stored(&app).await.version, 1);
}

#[tokio::test]
async fn p48_a_save_of_an_outdated_page_shows_the_policy_as_it_is_now() {
    let (app, session) = admin().await;
    let cli = app.store.as_cli();
    let scope = app.store.tenants(&cli).scope("acme").await.unwrap();
    let theirs = SecurityPolicyChanges {
        max_lifetime_days: Some(Some(90.try_into().unwrap())),
        ..SecurityPolicyChanges::default()
    };
    let policies = app.store.security_policy(&scope);
    policies.change(theirs, None, clock::now()).await.unwrap();
    let mut form = fields("1", "30", "");
    form.push(("action", "save"));
    let response = send(&app, &session, &form).await;
    assert_eq!(response.status, 409);
    let page = response.text().replace("<!>", "");
    assert_shows(
        &page,
        &[
            "The security policy was changed since you opened it.",
            "Longest lifetime: 90 days",
            "value=\"30\"",
            "name=\"version\" value=\"2\"",
        ],
    );
    assert_eq!(
        stored(&app).await.max_lifetime_days.map(u32::from),
        Some(90)
    );
    form[0] = ("version", "2");
    assert_eq!(send(&app, &session, &form).await.status, 303);
    assert_eq!(
        stored(&app).await.max_lifetime_days.map(u32::from),
        Some(30)
    );
}

#[tokio::test]
async fn p24_members_and_strangers_change_no_policy_and_a_super_user_that_of_the_url() {
    let app = TestApp::start()
        .await
        .with_admin()
        .await
        .with_member()
        .await
        .with_super_user()
        .await;
    app.add_tenant("globex", "Globex").await;
    let mut form = fields("1", "30", "");
    form.push(("action", "save"));
    let member = app.sign_in(MEMBER).await;
    assert_eq!(send(&app, &member, &form).await.status, 403);
    let stranger = app.post(PATH).same_origin().form(&form).send().await;
    assert_eq!(stranger.status, 303);
    assert_eq!(stored(&app).await.version, 1);
    let super_user = app.sign_in(SUPER_USER).await;
    let request = app.post("/security-policy?tenant=globex").same_origin();
    let response = request.cookie(&super_user).form(&form).send().await;
    assert_eq!(response.status, 303);
    assert_eq!(
        response.header("location"),
        "/security-policy?tenant=globex"
    );
    assert_eq!(stored(&app).await.version, 1);
    let event = &app.audited("globex").await[0];
    assert_eq!(event.action.as_str(), "security_policy.changed");
    assert_eq!(
        (event.actor.name.as_str(), event.target.name.as_str()),
        ("otis", "Globex")
    );
}

#[tokio::test]
async fn the_form_generate_and_the_page_of_a_key_follow_the_policy() {
    let (app, session) = admin().await;
    let key = app
        .issue(KeySpec {
            expires_on: Some(day(300)),
            ..KeySpec::default()
        })
        .await;
    let mut form = fields("1", "180", "");
    form[2] = ("default_lifetime_days", "90");
    form.push(("action", "save"));
    assert_eq!(send(&app, &session, &form).await.status, 303);
    let text = async |path: &str| {
        let response = app.get(path).cookie(&session).send().await;
        assert_eq!(response.status, 200, "{path}");
        response.text().replace("<!>", "")
    };
    let form = text("/tenant-api-keys/new").await;
    assert_shows(
        &form,
        &[
            &format!("value=\"{}\"", day(90)),
            &format!("max=\"{}\"", day(180)),
            "The security policy allows at most 180 days: until ",
        ],
    );
    let page = text(&format!("/tenant-api-keys/{}", key.key.id)).await;
    assert_shows(
        &page,
        &[
            "Outside policy",
            "310 days from creation, the policy allows 180. The key works.",
        ],
    );
    assert_shows(&text("/tenant-api-keys").await, &["Outside policy</span>"]);
    let outside = text("/tenant-api-keys?policy=outside&status=revoked").await;
    assert_shows(&outside, &["No key matches"]);
    // The form without script is refused with the message of the rule.
    let group = key.key.authorization_group.id.to_string();
    let form_id = uuid::Uuid::now_v7().to_string();
    let generate = |expires_on: String| {
        let request = app.post("/tenant-api-keys/new").same_origin();
        let fields = [
            ("form_id", form_id.as_str()),
            ("name", "New key"),
            ("description", ""),
            ("authorization_group_id", &group),
            ("expires_on", &expires_on),
            ("ip_allowlist", ""),
        ];
        request.cookie(&session).form(&fields).send()
    };
    let refused = generate(day(181).to_string()).await;
    assert_eq!(refused.status, 422);
    assert_shows(&refused.text(), &["Must be at most 180 days from today"]);
    let refused = generate(String::new()).await;
    assert_shows(&refused.text(), &["An expiration date is required"]);
    assert_eq!(generate(day(180).to_string()).await.status, 200);
    // The rotate dialog offers the latest permitted date.
    let dialog = text(&format!("/tenant-api-keys/{}/rotate", key.key.id)).await;
    assert_shows(&dialog, &[&format!("value=\"{}\"", day(180))]);
}
