//! `GET /tenant-api-keys/{id}`: the page of a key.

use domain::{
    key::{
        IssuedKey,
        reason::RevocationReason,
        usage::{KeyUsage, RefusalReason},
    },
    store::TenantScope,
};
use server::clock;

use super::{
    request::TestResponse,
    test_app::{ADMIN, KeySpec, MEMBER, SUPER_USER, TestApp, day},
};

fn path_of(key: &IssuedKey) -> String {
    format!("/tenant-api-keys/{}", key.key.id)
}

/// The page without the markers that separate adjacent texts.
fn html(response: &TestResponse) -> String {
    response.text().replace("<!>", "").replace("<!-- -->", "")
}

async fn page(app: &TestApp, session: &str, path: &str) -> String {
    let response = app.get(path).cookie(session).send().await;
    assert_eq!(response.status, 200, "{path}");
    html(&response)
}

#[track_caller]
fn assert_shows(html: &str, parts: &[&str]) {
    for part in parts {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
}

async fn scope(app: &TestApp) -> TenantScope {
    let cli = app.store.as_cli();
    app.store.tenants(&cli).scope("acme").await.unwrap()
}

/// Sends `count` requests with the key from `peer` that require `permission`.
async fn send(app: &TestApp, key: &IssuedKey, peer: &str, permission: &str, count: u64) {
    for _ in 0..count {
        app.get(&format!("/api/v1/forward-auth?permission={permission}"))
            .key(key.secret.expose())
            .from(peer)
            .send()
            .await;
    }
}

#[tokio::test]
async fn p24_each_role_gets_its_status() {
    let app = TestApp::start()
        .await
        .with_admin()
        .await
        .with_member()
        .await
        .with_super_user()
        .await;
    app.add_tenant("globex", "Globex").await;
    let own = app
        .issue(KeySpec {
            name: "Acme ERP".to_owned(),
            ..KeySpec::default()
        })
        .await;
    let theirs = app
        .issue(KeySpec {
            name: "Globex ERP".to_owned(),
            tenant: "globex",
            ..KeySpec::default()
        })
        .await;
    let (own, theirs) = (path_of(&own), path_of(&theirs));
    let in_tenant = |path: &str, tenant: &str| format!("{path}?tenant={tenant}");
    for (user, path, status, name) in [
        (ADMIN, own.clone(), 200, Some("Acme ERP")),
        (ADMIN, theirs.clone(), 404, None),
        (ADMIN, in_tenant(&theirs, "globex"), 403, None),
        (ADMIN, in_tenant(&own, "acme"), 403, None),
        (ADMIN, "/tenant-api-keys/nothing".to_owned(), 404, None),
        (
            ADMIN,
            "/tenant-api-keys/01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
            404,
            None,
        ),
        (MEMBER, own.clone(), 403, None),
        // Leads to the list of tenants.
        (SUPER_USER, own.clone(), 303, None),
        (SUPER_USER, in_tenant(&own, "acme"), 200, Some("Acme ERP")),
        (SUPER_USER, in_tenant(&own, "globex"), 404, None),
        (
            SUPER_USER,
            in_tenant(&theirs, "globex"),
            200,
            Some("Globex ERP"),
        ),
    ] {
        let session = app.sign_in(user).await;
        let response = app.get(&path).cookie(&session).send().await;
        assert_eq!(response.status, status, "{user} {path}");
        let text = response.text();
        for shown in ["Acme ERP", "Globex ERP"] {
            assert_eq!(text.contains(shown), name == Some(shown), "{user} {path}");
        }
    }
    let stranger = app.get(&own).header("accept", "text/html").send().await;
    assert_eq!(stranger.status, 303);
    assert!(
        stranger
            .header("location")
            .starts_with("/sign-in?return_to=")
    );
}

#[tokio::test]
async fn links_of_a_super_user_carry_the_tenant() {
    let app = TestApp::start().await.with_super_user().await;
    let key = app
        .issue(KeySpec {
            allowlist: &["198.51.100.0/24"],
            ..KeySpec::default()
        })
        .await;
    send(&app, &key, "203.0.113.9", "orders:read", 1).await;
    app.flush_usage().await;
    let session = app.sign_in(SUPER_USER).await;
    let path = path_of(&key);
    let html = page(
        &app,
        &session,
        &format!("{path}?tenant=acme&ip=203.0.113.9"),
    )
    .await;
    let main = html.split_once("<main").unwrap().1;
    for link in main.split("href=\"").skip(1) {
        let href = link.split('"').next().unwrap();
        // The list of tenants belongs to none.
        let is_page = href.starts_with('/') && href != "/tenants";
        assert!(!is_page || href.contains("tenant=acme"), "{href}");
    }
    assert_shows(
        main,
        &[r#"<input type="hidden" name="tenant" value="acme""#],
    );
}

#[tokio::test]
async fn the_numbers_are_those_of_the_store() {
    let app = TestApp::start().await.with_admin().await;
    let key = app
        .issue(KeySpec {
            allowlist: &["198.51.100.0/24", "2001:db8::/32"],
            ..KeySpec::default()
        })
        .await;
    let session = app.sign_in(ADMIN).await;
    let path = path_of(&key);
    let unused = page(&app, &session, &path).await;
    assert_shows(
        &unused,
        &[
            "No requests yet",
            "No request was refused in the last 7 days",
            "No request was accepted in the last 7 days",
            "Would it pass?",
        ],
    );
    send(&app, &key, "198.51.100.7", "orders:read", 5).await;
    send(&app, &key, "2001:db8::7", "orders:read", 2).await;
    send(&app, &key, "198.51.100.7", "orders:write", 3).await;
    send(&app, &key, "203.0.113.9", "orders:read", 4).await;
    send(&app, &key, "203.0.113.10", "orders:read", 1).await;
    app.flush_usage().await;

    let scope = scope(&app).await;
    let keys = app.store.keys(&scope);
    let KeyUsage { days, addresses } = keys.key_usage(key.key.id, 30, clock::now()).await.unwrap();
    let reasons = keys
        .refusal_reasons(key.key.id, clock::now())
        .await
        .unwrap();
    let accepted: u64 = days.iter().map(|day| day.accepted).sum();
    let refused: u64 = days.iter().map(|day| day.refused_total()).sum();
    assert_eq!((accepted, refused), (7, 8));

    let html = page(&app, &session, &path).await;
    assert_shows(
        &html,
        &[
            "<b>7</b> accepted",
            "<b>8</b> refused, drawn on top, all of them today",
            "7 accepted, 8 refused so far</title>",
            "between 0 and 7 accepted; at most 8 refused, on ",
            "8 requests, 8 of them today",
        ],
    );
    // One bar and one row for each day; the chart shows each day once.
    assert_eq!(html.matches(r#"<g class="day">"#).count(), 30);
    let table = html.split_once("Most frequent reason").unwrap().1;
    let table = table.split_once("</table>").unwrap().0;
    assert_eq!(table.matches("<tr>").count(), 30);
    assert_shows(
        table,
        &[
            r#"<td class="number">7</td><td class="number">8</td><td><code>ip_not_allowed</code></td>"#,
        ],
    );
    for RefusalReason {
        code,
        count,
        addresses,
        ..
    } in reasons
    {
        let entry = html
            .split_once(&format!(
                r#"href="/help#{code}" rel="external" class="code">403 {code}</a>"#
            ))
            .unwrap()
            .1;
        let entry = entry.split_once("</ul>").unwrap().0;
        assert_shows(entry, &[&format!("<b>{count}</b> request")]);
        for address in addresses {
            let ip = address.ip.unwrap();
            let times = if address.count == 1 { "time" } else { "times" };
            assert_shows(
                entry,
                &[&format!(
                    r#"<code>{ip}</code><span class="muted small">{} {times}</span>"#,
                    address.count
                )],
            );
        }
    }
    let table = html.split_once(r#"id="addresses-title""#).unwrap().1;
    let table = table.split_once("</section>").unwrap().0;
    for address in addresses.iter().filter(|address| address.accepted > 0) {
        let ip = address.ip.as_deref().unwrap();
        assert_shows(
            table,
            &[&format!(
                r#"<td><code>{ip}</code></td><td class="number">{}</td>"#,
                address.accepted
            )],
        );
    }
    assert!(
        !table.contains("203.0.113.9"),
        "an address that was only refused"
    );
}

#[tokio::test]
async fn a_question_in_the_url_is_answered_as_a_real_request_is() {
    let app = TestApp::start().await.with_admin().await;
    let key = app
        .issue(KeySpec {
            allowlist: &["198.51.100.0/24"],
            expires_on: Some(day(20)),
            ..KeySpec::default()
        })
        .await;
    let revoked = app.issue(KeySpec::default()).await;
    app.revoke("acme", &revoked).await;
    let expired = app
        .issue(KeySpec {
            expires_on: Some(day(-1)),
            ..KeySpec::default()
        })
        .await;
    let session = app.sign_in(ADMIN).await;
    for key in [&key, &revoked, &expired] {
        for peer in ["198.51.100.7", "203.0.113.9"] {
            for permission in ["orders:read", "orders:write"] {
                let real = app
                    .get(&format!("/api/v1/forward-auth?permission={permission}"))
                    .key(key.secret.expose())
                    .from(peer)
                    .send()
                    .await;
                let question = format!("{}?ip={peer}&permission={permission}&at=", path_of(key));
                let html = page(&app, &session, &question).await;
                if real.status == 200 {
                    assert_shows(&html, &["<strong>Accepted</strong>"]);
                    assert_eq!(html.matches(r#"data-result="pass""#).count(), 6);
                } else {
                    let code = real.json()["code"].as_str().unwrap().to_owned();
                    let verdict = format!("Refused: {} <code>{code}</code>", real.status.as_u16());
                    assert_shows(&html, &[&verdict]);
                    assert_eq!(html.matches(r#"data-result="fail""#).count(), 1);
                }
                // The form keeps the simulated request.
                assert_shows(
                    &html,
                    &[
                        &format!(r#"value="{peer}""#),
                        &format!(r#"value="{permission}""#),
                    ],
                );
            }
        }
    }
    // A later time, and an unknown address
    let path = path_of(&key);
    let after = format!("{path}?ip=198.51.100.7&at={}%2000%3A00", day(21));
    let html = page(&app, &session, &after).await;
    assert_shows(
        &html,
        &[
            "Refused: 401 <code>expired_api_key</code>",
            "decided here",
            "not reached",
        ],
    );
    let unknown = page(&app, &session, &format!("{path}?ip=")).await;
    assert_shows(
        &unknown,
        &[
            "Refused: 403 <code>ip_not_allowed</code>",
            "The address is unknown",
        ],
    );
    // A simulation is not counted, and without one the page shows no result.
    assert_eq!(app.refused("acme", &key).await.len(), 2);
    let html = page(&app, &session, &path).await;
    assert!(!html.contains(r#"class="verdict""#));
}

#[tokio::test]
async fn a_question_that_cannot_be_read_has_a_message_under_its_field_and_no_answer() {
    let app = TestApp::start().await.with_admin().await;
    let (app, key) = app.with_key().await;
    let session = app.sign_in(ADMIN).await;
    let path = path_of(&key);
    for (question, field, message) in [
        (
            "ip=10.0.0.0%2F8",
            "ip",
            "Must be an IP address, like 203.0.113.7 or 2001:db8::7",
        ),
        (
            "ip=%22%3E%3Cb%3E",
            "ip",
            "Must be an IP address, like 203.0.113.7 or 2001:db8::7",
        ),
        (
            "permission=orders",
            "permission",
            "Must be resource:action, like orders:read",
        ),
        ("at=tomorrow", "at", "Must be a time, like 2027-07-01 00:00"),
    ] {
        let html = page(&app, &session, &format!("{path}?{question}")).await;
        let error = format!(r#"id="probe-{field}-error""#);
        assert_shows(&html, &[&error, message]);
        assert_eq!(
            html.matches(r#"aria-invalid="true""#).count(),
            1,
            "{question}"
        );
        assert!(!html.contains(r#"class="verdict""#) && !html.contains("\"><b>"));
    }
}

#[tokio::test]
async fn names_and_reasons_are_text() {
    let app = TestApp::start().await.with_admin().await;
    let hostile = r#"</title><script>alert(1)</script>"><img src=x onerror=alert(2)>&amp;"#;
    let key = app
        .issue(KeySpec {
            name: hostile.to_owned(),
            ..KeySpec::default()
        })
        .await;
    let scope = scope(&app).await;
    let reason: RevocationReason = hostile.parse().unwrap();
    app.store
        .keys(&scope)
        .revoke_with_reason(key.key.id, Some(&reason), clock::now())
        .await
        .unwrap();
    let session = app.sign_in(ADMIN).await;
    let html = page(&app, &session, &path_of(&key)).await;
    assert!(
        !html.contains("<script>alert") && !html.contains("<img"),
        "{html}"
    );
    assert!(!html.contains("</title><script>"), "{html}");
    let escaped = "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;";
    // Title, breadcrumb, heading, reason and history.
    assert!(html.matches(escaped).count() >= 5, "{html}");
}

#[tokio::test]
async fn a_revoked_key_has_no_actions_and_names_who_revoked_it_and_why() {
    let app = TestApp::start().await.with_admin().await;
    let (app, key) = app.with_key().await;
    let session = app.sign_in(ADMIN).await;
    let path = path_of(&key);
    let actions =
        ["edit", "rotate", "revoke"].map(|action| format!(r#"href="{path}/{action}?from=key""#));
    let html = page(&app, &session, &path).await;
    for action in &actions {
        assert_shows(&html, &[action]);
    }
    let scope = scope(&app).await;
    let reason: RevocationReason = "The contract ended".parse().unwrap();
    app.store
        .keys(&scope)
        .revoke_with_reason(key.key.id, Some(&reason), clock::now())
        .await
        .unwrap();
    let html = page(&app, &session, &path).await;
    for action in &actions {
        assert!(!html.contains(action.as_str()));
    }
    let facts = html.split_once(r#"<dl class="facts">"#).unwrap().1;
    assert!(facts.starts_with("<div><dt>Revoked</dt>"), "{facts}");
    assert_shows(facts, &["at the command line", "The contract ended"]);
}

#[tokio::test]
async fn long_lists_show_ten_entries_and_a_disclosure() {
    let app = TestApp::start().await.with_admin().await;
    let key = app
        .issue(KeySpec {
            permissions: &[
                "a:a", "b:b", "c:c", "d:d", "e:e", "f:f", "g:g", "h:h", "i:i", "j:j", "k:k", "l:l",
            ],
            allowlist: &[
                "10.0.0.1",
                "10.0.0.2",
                "10.0.0.3",
                "10.0.0.4",
                "10.0.0.5",
                "10.0.0.6",
                "10.0.0.7",
                "10.0.0.8",
                "10.0.0.9",
                "10.0.0.10",
                "10.0.0.11",
            ],
            ..KeySpec::default()
        })
        .await;
    let session = app.sign_in(ADMIN).await;
    let html = page(&app, &session, &path_of(&key)).await;
    assert_shows(&html, &["and 2 more", "and 1 more"]);
}

#[tokio::test]
async fn the_edit_dialog_adds_the_address_of_the_link_and_saves_nothing_by_itself() {
    let app = TestApp::start().await.with_admin().await;
    let key = app
        .issue(KeySpec {
            allowlist: &["198.51.100.0/24"],
            ..KeySpec::default()
        })
        .await;
    let any = app.issue(KeySpec::default()).await;
    let session = app.sign_in(ADMIN).await;
    let added = "to the IP allowlist. Save to apply it.";
    let path = format!("{}/edit?allow=", path_of(&key));
    let html = page(&app, &session, &format!("{path}203.0.113.9")).await;
    assert_shows(
        &html,
        &[added, "198.51.100.0/24\n203.0.113.9/32</textarea>"],
    );
    // Nothing is added if the text is no address, if the list contains it, or if it would narrow an empty list.
    let no_change = [
        format!("{path}%3Cb%3E"),
        format!("{path}198.51.100.0%2F24"),
        format!("{}/edit?allow=203.0.113.9", path_of(&any)),
    ];
    for path in no_change {
        assert!(!page(&app, &session, &path).await.contains(added), "{path}");
    }
    let scope = scope(&app).await;
    let stored = app
        .store
        .keys(&scope)
        .get(key.key.id, clock::now())
        .await
        .unwrap();
    assert_eq!(stored.ip_allowlist.to_lines(), "198.51.100.0/24");
}
