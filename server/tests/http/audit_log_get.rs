//! `GET /audit-log`, its exports, and `GET /installation-log`.

use std::{collections::BTreeSet, ops::Range};

use axum::body::Body;
use chrono::TimeDelta;
use domain::{
    actor::ActorKind,
    audit::{AuditAction, AuditEvent},
    key::IssuedKey,
};
use http::Response;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use server::clock;
use uuid::Uuid;

use super::test_app::{ADMIN, KeySpec, SUPER_USER, TestApp, day};

const JSON_LINES: &str = "/audit-log/export.jsonl";
const CSV: &str = "/audit-log/export.csv";

async fn page(app: &TestApp, session: &str, path: &str) -> String {
    let response = app.get(path).cookie(session).send().await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response.text()
}

/// The identifiers of the events that a page shows, in its order.
fn shown(html: &str) -> Vec<String> {
    let entries = html.split(r#"id="event-"#).skip(1);
    entries
        .map(|entry| entry.split('"').next().unwrap().to_owned())
        .collect()
}

fn ids<'a>(events: impl IntoIterator<Item = &'a AuditEvent>) -> Vec<String> {
    let ids = events.into_iter().map(|event| event.id.to_string());
    ids.collect()
}

/// The lines of an export as JSON.
fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn line_ids(lines: &[Value]) -> Vec<String> {
    lines
        .iter()
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The records of a CSV file, the first with the names of the columns.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let cells = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
    reader
        .records()
        .map(|record| cells(record.unwrap()))
        .collect()
}

/// A log with changes by the command line, an administrator and a key, ten days ago and today.
struct Log {
    app: TestApp,
    session: String,
    erp: IssuedKey,
    writer: IssuedKey,
    /// All events of Acme, newest first.
    events: Vec<AuditEvent>,
}

async fn log() -> Log {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let erp = app.issue(KeySpec::default()).await;
    let shop = KeySpec {
        name: "Shop".to_owned(),
        ..KeySpec::default()
    };
    let shop = app.issue(shop).await;
    let writer = KeySpec {
        name: "Writer".to_owned(),
        permissions: &["api-keys:write", "api-keys:read", "orders:read"],
        ..KeySpec::default()
    };
    let writer = app.issue(writer).await;
    let path = format!("/api/v1/api-keys/{}", erp.key.id);
    let edit = app.request("PATCH", &path).key(writer.secret.expose());
    let edit = edit.json(&json!({ "description": "Nightly" })).send().await;
    assert_eq!(edit.status, 200, "{}", edit.text());
    let path = format!("/tenant-api-keys/{}/revoke", shop.key.id);
    let revoke = app.post(&path).same_origin().cookie(&session);
    let revoke = revoke.form(&[("reason", "Closed")]).send().await;
    assert_eq!(revoke.status, 303, "{}", revoke.text());
    let events = app.audited("acme").await;
    Log {
        app,
        session,
        erp,
        writer,
        events,
    }
}

#[tokio::test]
async fn each_filter_selects_the_same_events_on_the_page_and_in_both_exports() {
    let log = log().await;
    let (erp, writer) = (log.erp.key.id, log.writer.key.id);
    let admin = log
        .events
        .iter()
        .find(|event| event.action == AuditAction::SignedIn)
        .unwrap()
        .actor
        .id
        .unwrap();
    let last_four: String = log.erp.key.hint.chars().rev().take(4).collect();
    let last_four: String = last_four.chars().rev().collect();
    let (today, old) = (day(0), day(-10));
    type Selects<'a> = Box<dyn Fn(&AuditEvent) -> bool + 'a>;
    let of = |id: Uuid| -> Selects<'_> { Box::new(move |event| event.target.id == Some(id)) };
    let on = |date| -> Selects<'_> { Box::new(move |event| event.at.date_naive() == date) };
    let by = |id: Uuid| -> Selects<'_> { Box::new(move |event| event.actor.id == Some(id)) };
    let is = |action| -> Selects<'_> { Box::new(move |event| event.action == action) };
    let cases: Vec<(String, Selects<'_>)> = vec![
        (String::new(), Box::new(|_| true)),
        (
            "action=api_key.created".into(),
            is(AuditAction::ApiKeyCreated),
        ),
        (
            "action=api_key.revoked".into(),
            is(AuditAction::ApiKeyRevoked),
        ),
        ("action=tenant.suspended".into(), Box::new(|_| false)),
        (
            "actor=cli".into(),
            Box::new(|event| event.actor.kind == ActorKind::Cli),
        ),
        (format!("actor={admin}"), by(admin)),
        (format!("actor={writer}"), by(writer.as_uuid())),
        (format!("key_id={erp}"), of(erp.as_uuid())),
        ("q=er".into(), of(erp.as_uuid())),
        (format!("q={last_four}"), of(erp.as_uuid())),
        ("q=none".into(), Box::new(|_| false)),
        (format!("from={today}"), on(today)),
        (format!("to={}", day(-1)), on(old)),
        (format!("from={old}&to={old}"), on(old)),
        (format!("from={today}&to={old}"), Box::new(|_| false)),
        (
            format!("key_id={erp}&action=api_key.updated&actor={writer}&from={today}&to={today}"),
            is(AuditAction::ApiKeyUpdated),
        ),
    ];
    let mut selected_sizes = BTreeSet::new();
    for (query, selects) in cases {
        let expected = ids(log.events.iter().filter(|event| {
            // `er` also matches the name "Writer".
            selects(event) || (query == "q=er" && event.target.id == Some(writer.as_uuid()))
        }));
        selected_sizes.insert(expected.len());
        let html = page(&log.app, &log.session, &format!("/audit-log?{query}")).await;
        assert_eq!(shown(&html), expected, "the page for {query}");
        if expected.is_empty() {
            assert!(html.contains("No event matches these filters"), "{query}");
        }
        // The links to the exports carry the filters.
        let link = format!("{JSON_LINES}?{query}").replace('&', "&amp;");
        assert!(query.is_empty() || html.contains(&link), "{link}");
        let text = page(&log.app, &log.session, &format!("{JSON_LINES}?{query}")).await;
        assert_eq!(line_ids(&lines(&text)), expected, "JSON Lines for {query}");
        let text = page(&log.app, &log.session, &format!("{CSV}?{query}")).await;
        let records = records(&text);
        assert_eq!(records[0][0], "id");
        let exported: Vec<_> = records[1..].iter().map(|cells| cells[0].clone()).collect();
        assert_eq!(exported, expected, "CSV for {query}");
    }
    assert!(
        selected_sizes.len() > 4,
        "the cases differ: {selected_sizes:?}"
    );
}

#[tokio::test]
async fn an_invalid_date_is_an_error_on_the_page_and_refuses_an_export() {
    let log = log().await;
    for query in ["from=17/11/2026", "to=2026-02-30"] {
        let html = page(&log.app, &log.session, &format!("/audit-log?{query}")).await;
        assert!(html.contains(r#"aria-invalid="true""#) && html.contains(r#"role="alert""#));
        assert_eq!(shown(&html).len(), log.events.len(), "nothing is filtered");
        for path in [JSON_LINES, CSV] {
            let response = log.app.get(&format!("{path}?{query}")).cookie(&log.session);
            assert_eq!(response.send().await.status, 422, "{path}?{query}");
        }
    }
}

#[tokio::test]
async fn an_entry_unfolds_to_the_changed_fields_the_receipt_and_links() {
    let log = log().await;
    let of = |action| {
        log.events
            .iter()
            .find(|event| event.action == action)
            .unwrap()
    };
    let edited = of(AuditAction::ApiKeyUpdated);
    // An event that changes no verdict has no receipt of its own on PostgreSQL either.
    let signed_in = of(AuditAction::SignedIn);
    log.app.execute(
        "INSERT INTO audit_receipts (event_id, at, replicas, refused_on, after_ms) \
         SELECT id, at, 3, 2, 41 FROM audit_events WHERE action = 'session.created'",
    );
    let path = format!("/audit-log?event={}", edited.id);
    let html = page(&log.app, &log.session, &path).await;
    // The page begins with the linked event, which is the only open one.
    assert_eq!(shown(&html)[0], edited.id.to_string());
    assert_eq!(html.matches("<details").count(), shown(&html).len());
    let open: Vec<_> = (html.split("<details").skip(1))
        .filter(|entry| entry.split('>').next().unwrap().contains("open"))
        .collect();
    assert_eq!(open.len(), 1, "{open:?}");
    let entry = open[0];
    let (erp, writer) = (log.erp.key.id, log.writer.key.id);
    for text in [
        "<strong>Writer<",
        "<dt>Description<",
        "Nightly",
        "203.0.113.9",
        &edited.id.to_string(),
        &format!(r#"href="/tenant-api-keys/{erp}""#),
        &format!(r#"href="/audit-log?key_id={erp}""#),
        &format!(r#"href="/audit-log?actor={writer}""#),
    ] {
        assert!(entry.contains(text), "{text}: {entry}");
    }
    // A receipt is shown with its event only, and is in both exports.
    let html = page(&log.app, &log.session, "/audit-log").await;
    let receipt = "In effect on 2 of 3 servers";
    let entries: Vec<_> = html.split("<details").skip(1).collect();
    let with_receipt: Vec<_> = (entries.iter())
        .filter(|entry| entry.contains(receipt))
        .collect();
    assert_eq!(with_receipt.len(), 1);
    assert!(with_receipt[0].contains(&signed_in.id.to_string()));
    assert!(with_receipt[0].contains("41 ms after the change"));
    let text = page(&log.app, &log.session, JSON_LINES).await;
    let line = (lines(&text).into_iter())
        .find(|line| line["id"] == json!(signed_in.id))
        .unwrap();
    let numbers = ["replicas", "refused_on", "after_ms"].map(|name| line["receipt"][name].clone());
    assert_eq!(numbers, [json!(3), json!(2), json!(41)]);
    let text = page(&log.app, &log.session, CSV).await;
    let records = records(&text);
    assert_eq!(
        records[0][11..],
        ["receipt_replicas", "receipt_refused_on", "receipt_after_ms"]
    );
    let record = records
        .iter()
        .find(|cells| cells[0] == signed_in.id.to_string());
    assert_eq!(record.unwrap()[11..], ["3", "2", "41"]);
}

#[tokio::test]
async fn no_cell_of_the_csv_file_is_a_formula_and_json_lines_are_unchanged() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let names = [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-2+3",
        "@SUM(A1:A9)",
        "plain, \"quoted\" = name",
    ];
    for name in names {
        let spec = KeySpec {
            name: name.to_owned(),
            ..KeySpec::default()
        };
        app.issue(spec).await;
    }
    // An event of an earlier version may contain control characters.
    insert_events(&app, 0..1, |_| "\tcell".to_owned());
    let response = app.get(CSV).cookie(&session).send().await;
    assert_eq!(response.status, 200);
    let today = day(0);
    assert_eq!(
        response.header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    assert_eq!(
        response.header("content-disposition"),
        format!("attachment; filename=\"audit-log-acme-{today}.csv\"")
    );
    assert_eq!(response.header("cache-control"), "private, no-store");
    assert!(response.headers.get("content-encoding").is_none());
    let records = records(&response.text());
    let column = records[0]
        .iter()
        .position(|name| name == "target_name")
        .unwrap();
    let cells: BTreeSet<_> = records.iter().map(|cells| cells[column].clone()).collect();
    for name in names.into_iter().chain(["\tcell"]) {
        let cell = match name.starts_with("plain") {
            true => name.to_owned(),
            false => format!("'{name}"),
        };
        assert!(cells.contains(&cell), "{cell} in {cells:?}");
    }
    for cell in records.iter().flatten() {
        assert!(
            !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
            "{cell:?}"
        );
    }
    let response = app.get(JSON_LINES).cookie(&session).send().await;
    assert_eq!(response.header("content-type"), "application/jsonl");
    let lines = lines(&response.text());
    assert_eq!(lines.len(), records.len() - 1);
    let exported: BTreeSet<_> = (lines.iter())
        .map(|line| line["target"]["name"].as_str().unwrap())
        .collect();
    assert!(
        names.iter().all(|name| exported.contains(name)),
        "{exported:?}"
    );
}

#[tokio::test]
async fn p24_another_tenants_administrator_sees_no_event_by_filter_link_or_cursor() {
    let log = log().await;
    let app = &log.app;
    app.add_tenant("globex", "Globex").await;
    app.add_user(
        "gil@globex.example",
        domain::user::Role::TenantAdmin,
        Some("globex"),
    )
    .await;
    let session = app.sign_in("gil@globex.example").await;
    let own: BTreeSet<_> = ids(&app.audited("globex").await).into_iter().collect();
    insert_events(app, 0..30, |number| format!("Key {number}"));
    let html = page(app, &log.session, "/audit-log").await;
    let cursor = html.split("cursor=").nth(1).unwrap();
    let cursor = cursor.split(['"', '&']).next().unwrap();
    let erp = log.erp.key.id;
    for query in [
        String::new(),
        format!("key_id={erp}"),
        "q=ERP".to_owned(),
        format!("actor={}", log.writer.key.id),
        "actor=cli".to_owned(),
        format!("cursor={cursor}"),
    ] {
        for path in ["/audit-log", CSV, JSON_LINES] {
            let text = page(app, &session, &format!("{path}?{query}")).await;
            for event in &log.events {
                assert!(!text.contains(&event.id.to_string()), "{path}?{query}");
            }
            assert!(!text.contains("Writer"), "{path}?{query}");
            if path == "/audit-log" {
                assert!(shown(&text).iter().all(|id| own.contains(id)), "{query}");
            }
        }
    }
    let path = format!("/audit-log?event={}", log.events[0].id);
    assert_eq!(app.get(&path).cookie(&session).send().await.status, 404);
}

#[tokio::test]
async fn the_installation_log_shows_super_users_the_events_of_no_tenant() {
    let app = TestApp::start()
        .await
        .with_admin()
        .await
        .with_super_user()
        .await;
    app.issue(KeySpec::default()).await;
    let refused = app.post("/sign-in").same_origin();
    let form = [
        ("email", "ghost@nowhere.example"),
        ("password", "not a password"),
    ];
    assert_eq!(refused.form(&form).send().await.status, 422);
    let admin = app.sign_in(ADMIN).await;
    let session = app.sign_in(SUPER_USER).await;
    let html = page(&app, &session, "/installation-log").await;
    for text in ["created the tenant ", "ghost@nowhere.example", "signed in"] {
        assert!(html.contains(text), "{text}: {html}");
    }
    let cli = app.store.as_cli();
    let events = app.store.installation_log(&cli).newest(100).await.unwrap();
    assert_eq!(shown(&html), ids(&events));
    // Neither changes of keys nor sign-ins of administrators.
    let is_of_tenant = |event: &AuditEvent| {
        event.action == AuditAction::ApiKeyCreated || event.actor.name == "mira"
    };
    assert!(!events.iter().any(is_of_tenant));
    let created = page(&app, &session, "/installation-log?action=tenant.created").await;
    assert_eq!(shown(&created).len(), 1);
    let signed_in = page(&app, &session, "/installation-log?action=session.created").await;
    assert_eq!(shown(&signed_in).len(), 1, "only the super user's");
    let refusal = app.get("/installation-log").cookie(&admin).send().await;
    assert_eq!(refusal.status, 403);
    assert!(shown(&refusal.text()).is_empty());
}

/// The first piece of an export.
async fn first_piece(body: &mut Body) -> String {
    let frame = body.frame().await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

async fn open_export(app: &TestApp, session: &str, path: &str) -> Body {
    let response: Response<Body> = app.get(path).cookie(session).open().await;
    assert_eq!(response.status(), 200, "{path}");
    response.into_body()
}

#[tokio::test]
async fn an_export_reads_its_events_while_it_is_sent_and_holds_no_connection_between() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    insert_events(&app, 0..3_500, |number| format!("Key {number}"));
    for path in [JSON_LINES, CSV] {
        let events = line_ids(&lines(&page(&app, &session, JSON_LINES).await)).len();
        // More exports than the lists that a tenant may load at once: each waits for its client.
        let mut stalled = Vec::new();
        for _ in 0..4 {
            let mut body = open_export(&app, &session, path).await;
            let head = usize::from(path == CSV);
            assert_eq!(first_piece(&mut body).await.lines().count(), 1_000 + head);
            stalled.push(body);
        }
        let before = app.store.statements();
        assert_eq!(shown(&page(&app, &session, "/audit-log").await).len(), 25);
        let of_page = app.store.statements() - before;
        // A replica on PostgreSQL also polls meanwhile.
        assert!(
            of_page < 20 || app.is_on_postgres(),
            "stalled exports read nothing: {of_page} statements"
        );

        // An event that is added now, older than every other one, is read later.
        let late = format!("Late {path}");
        insert_events(&app, 100_000..100_001, |_| late.clone());
        let mut body = stalled.remove(0);
        let before = app.store.statements();
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            pieces.push(String::from_utf8(data.to_vec()).unwrap());
        }
        let lines: Vec<_> = pieces.iter().map(|piece| piece.lines().count()).collect();
        assert_eq!(lines[..2], [1_000, 1_000], "each piece is one step");
        assert_eq!(1_000 + lines.iter().sum::<usize>(), events + 1, "{path}");
        assert!(pieces.concat().contains(&late));
        // For each piece the events and their receipts, and one statement that finds no more.
        let statements = app.store.statements() - before;
        let is_bounded = statements <= 2 * pieces.len() as u64 + 1;
        assert!(is_bounded || app.is_on_postgres(), "{statements}");
    }
}

#[tokio::test]
async fn an_export_that_fails_ends_with_an_error_and_not_as_a_complete_file() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    insert_events(&app, 0..1_500, |number| format!("Key {number}"));
    let mut body = open_export(&app, &session, JSON_LINES).await;
    assert_eq!(first_piece(&mut body).await.lines().count(), 1_000);
    app.execute("DROP TABLE audit_receipts");
    let next = body.frame().await.unwrap();
    assert!(
        next.is_err(),
        "the connection is closed before the last chunk"
    );
}

/// Inserts an event of Acme for each number, one second apart, the newest of them 20 days old. `name` names the target.
fn insert_events(app: &TestApp, numbers: Range<u32>, name: impl Fn(u32) -> String) {
    let rows: Vec<_> = numbers
        .map(|number| {
            let at = clock::now() - TimeDelta::days(20) - TimeDelta::seconds(number.into());
            let at = at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00");
            let name = name(number).replace('\'', "''");
            let id = Uuid::now_v7().simple().to_string();
            let (id, at) = if app.is_on_postgres() {
                (format!("'{id}'::uuid"), format!("'{at}'::timestamptz"))
            } else {
                (format!("X'{id}'"), format!("'{at}'"))
            };
            format!(
                "({id}, (SELECT id FROM tenants WHERE slug = 'acme'), {at}, 'api_key.updated', 'cli', 'latchkey', \
                 'api_key', '{name}', '{{}}')"
            )
        })
        .collect();
    app.execute(&format!(
        "INSERT INTO audit_events (id, tenant_id, at, action, actor_kind, actor_name, target_kind, target_name, changes) \
         VALUES {}",
        rows.join(", ")
    ));
}
