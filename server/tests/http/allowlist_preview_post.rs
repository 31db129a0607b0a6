//! The effect of a changed allowlist: the button Check of `POST /tenant-api-keys/{id}/edit`, and the server function.

use domain::key::IssuedKey;
use serde_json::{Value, json};

use super::{
    request::TestResponse,
    test_app::{ADMIN, KeySpec, TestApp},
};

/// A key that `192.0.2.7` and `203.0.113.9` used today.
async fn used_key() -> (TestApp, String, IssuedKey) {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let key = app.issue(KeySpec::default()).await;
    for address in ["192.0.2.7", "203.0.113.9", "203.0.113.9"] {
        let used = app
            .get("/api/v1/whoami")
            .key(key.secret.expose())
            .from(address);
        assert_eq!(used.send().await.status, 200);
    }
    app.flush_usage().await;
    (app, session, key)
}

async fn press(
    app: &TestApp,
    session: &str,
    key: &IssuedKey,
    button: &str,
    version: i64,
    lines: &str,
) -> TestResponse {
    let group = key.key.authorization_group.id.to_string();
    app.post(&format!("/tenant-api-keys/{}/edit", key.key.id))
        .same_origin()
        .cookie(session)
        .form(&[
            ("version", &version.to_string()),
            ("name", "ERP, typed"),
            ("description", "Typed"),
            ("authorization_group_id", &group),
            ("ip_allowlist", lines),
            ("action", button),
        ])
        .send()
        .await
}

async fn stored(app: &TestApp, key: &IssuedKey) -> Value {
    let asked = app.get("/api/v1/whoami").key(key.secret.expose());
    asked.from("192.0.2.7").send().await.json()
}

#[tokio::test]
async fn check_shows_the_refused_addresses_keeps_the_input_and_saves_nothing() {
    let (app, session, key) = used_key().await;
    let version = key.key.version;
    let response = press(
        &app,
        &session,
        &key,
        "check",
        version,
        "192.0.2.0/24\r\n10.1.2.3/8",
    )
    .await;
    assert_eq!(response.status, 200);
    let page = response.text();
    for shown in [
        "Of 2 addresses that used this key in the last 7 days, 1 would be refused: 203.0.113.9 (today).",
        "Counted from ",
        "value=\"ERP, typed\"",
        "192.0.2.0/24\n10.1.2.3/8</textarea>",
        &format!("name=\"version\" value=\"{version}\""),
    ] {
        assert!(page.contains(shown), "{shown} is missing in {page}");
    }
    assert_eq!(stored(&app, &key).await["ip_allowlist"], json!([]));

    let saved = press(&app, &session, &key, "save", version, "192.0.2.0/24").await;
    assert_eq!(saved.status, 303, "a preview blocks no save");
    let stored = stored(&app, &key).await;
    assert_eq!(stored["ip_allowlist"], json!(["192.0.2.0/24"]));

    let current = version + 1;
    let same = press(
        &app,
        &session,
        &key,
        "check",
        current,
        "192.0.2.9/24\r\n192.0.2.1",
    )
    .await;
    assert_eq!(same.status, 200);
    assert!(
        same.text()
            .contains("This list admits the same addresses as the saved one.")
    );
}

#[tokio::test]
async fn check_of_an_invalid_allowlist_names_its_lines() {
    let (app, session, key) = used_key().await;
    let lines = "192.0.2.7\r\n10.0.0.0/33";
    let response = press(&app, &session, &key, "check", key.key.version, lines).await;
    assert_eq!(response.status, 422);
    let page = response.text();
    assert!(
        page.contains("Line 2: &#39;10.0.0.0/33&#39;") || page.contains("Line 2: '10.0.0.0/33'")
    );
    assert!(!page.contains("would be refused"));
    assert_eq!(stored(&app, &key).await["name"], "ERP");
}

#[tokio::test]
async fn a_save_after_a_check_or_a_refused_form_still_reports_a_change_by_another_person() {
    for lines in ["192.0.2.0/24", "10.0.0.0/33"] {
        let (app, session, key) = used_key().await;
        let version = key.key.version;
        let theirs = press(&app, &session, &key, "save", version, "2001:db8::/32").await;
        assert_eq!(theirs.status, 303);
        let checked = press(&app, &session, &key, "check", version, lines).await;
        let kept = format!("name=\"version\" value=\"{version}\"");
        assert!(checked.text().contains(&kept), "{lines}");
        let saved = press(&app, &session, &key, "save", version, "192.0.2.0/24").await;
        assert_eq!(saved.status, 409, "{lines}");
    }
}

#[tokio::test]
async fn the_server_function_judges_the_list_and_refuses_keys_of_other_tenants() {
    let (app, session, key) = used_key().await;
    app.add_tenant("globex", "Globex").await;
    let foreign = KeySpec {
        tenant: "globex",
        ..KeySpec::default()
    };
    let foreign = app.issue(foreign).await;
    let ask = async |key: &IssuedKey, lines: &str| {
        app.post("/api/pages/preview_allowlist")
            .same_origin()
            .cookie(&session)
            .json(&json!({ "tenant": null, "id": key.key.id, "lines": lines }))
            .send()
            .await
    };
    let judged = ask(&key, "203.0.113.0/24").await.json();
    let preview = &judged["Changed"];
    assert_eq!(preview["addresses"], 2, "{judged}");
    assert_eq!(preview["refused"][0]["ip"], "192.0.2.7");
    assert_eq!(ask(&key, "").await.json(), "Unchanged");
    assert_eq!(ask(&key, "10.0.0.0/33").await.status, 422);
    assert_eq!(ask(&foreign, "203.0.113.0/24").await.status, 404);
}
