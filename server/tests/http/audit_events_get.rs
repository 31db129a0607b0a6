//! `GET /api/v1/audit-events`

use serde_json::{Value, json};

use super::test_app::{KeySpec, TestApp, day};

async fn events(app: &TestApp, secret: &str, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/audit-events?{query}");
    let response = app.get(&path).key(secret).send().await;
    assert_eq!(response.status, 200, "{query}: {}", response.text());
    response.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn lists_events_the_newest_first() {
    let app = TestApp::start().await;
    app.add_tenant("globex", "Globex").await;
    let secret = app.secret(&["audit-log:read"]).await;
    let writer = app
        .issue(KeySpec {
            permissions: &["api-keys:write", "orders:read"],
            name: "Writer".to_owned(),
            ..KeySpec::default()
        })
        .await;
    let target = app
        .issue(KeySpec {
            permissions: &["orders:read"],
            ..KeySpec::default()
        })
        .await;
    let edit = app
        .request("PATCH", &format!("/api/v1/api-keys/{}", target.key.id))
        .key(writer.secret.expose())
        .json(&json!({ "name": "Renamed" }))
        .send()
        .await;
    assert_eq!(edit.status, 200);
    let all = events(&app, &secret, "limit=100").await;
    let newest = &all[0];
    let alone = std::slice::from_ref(newest);
    assert_eq!(newest["action"], "api_key.updated");
    assert_eq!(
        newest["actor"],
        json!({ "type": "api_key", "id": writer.key.id, "name": "Writer" })
    );
    assert_eq!(
        newest["target"],
        json!({ "type": "api_key", "id": target.key.id, "name": "ERP" })
    );
    assert_eq!(
        newest["changes"]["name"],
        json!({ "before": "ERP", "after": "Renamed" })
    );
    assert_eq!(newest["client_ip"], "203.0.113.9");
    assert_eq!(newest.as_object().unwrap().len(), 7);
    let text = serde_json::to_string(&all).unwrap();
    assert!(!text.contains("Globex") && !text.contains(writer.secret.expose()));

    let writer_id = writer.key.id;
    let target_id = target.key.id;
    assert_eq!(events(&app, &secret, "action=api_key.updated").await, alone);
    assert_eq!(
        events(&app, &secret, &format!("actor={writer_id}")).await,
        alone
    );
    let of_target = events(&app, &secret, &format!("key_id={target_id}")).await;
    assert_eq!(of_target.len(), 2);
    assert_eq!(of_target[1]["action"], "api_key.created");
    let by_cli = events(&app, &secret, "actor=cli&limit=100").await;
    assert_eq!(by_cli.len(), all.len() - 1);
    let today = day(0);
    assert_eq!(
        events(
            &app,
            &secret,
            &format!("from={today}&to={today}&action=api_key.updated")
        )
        .await,
        alone
    );
    let at = newest["at"].as_str().unwrap();
    assert_eq!(events(&app, &secret, &format!("from={at}")).await, alone);
    assert_eq!(
        events(&app, &secret, &format!("to={at}&limit=100")).await,
        all[1..]
    );
    assert!(
        events(&app, &secret, &format!("to={}", day(-40)))
            .await
            .is_empty()
    );
    let mixed = format!("action=api_key.updated&actor={writer_id}&key_id={target_id}&from={today}");
    assert_eq!(events(&app, &secret, &mixed).await, alone);

    let mut walked = Vec::new();
    let mut path = "/api/v1/audit-events?limit=2".to_owned();
    loop {
        let page = app.get(&path).key(&secret).send().await.json();
        walked.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/audit-events?limit=2&cursor={cursor}");
    }
    assert_eq!(walked, all);
}

#[tokio::test]
async fn p60_all_invalid_filters_are_reported_together() {
    let app = TestApp::start().await;
    let secret = app.secret(&["audit-log:read"]).await;
    let response = app
        .get("/api/v1/audit-events?action=x&actor=user&key_id=7&from=yesterday&to=2031-02-30&limit=0&nope=1")
        .key(&secret)
        .send()
        .await;
    let problem = response.assert_problem(422, "validation_failed");
    let fields: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        fields,
        ["action", "actor", "key_id", "from", "to", "limit", "nope"]
    );
    for extreme in [
        "from=0000-01-01",
        "to=9999-12-31",
        "from=9999-12-31T23:59:59-23:59",
        "to=0000-01-01T00:00:00%2B23:59",
        "from=1969-01-01",
    ] {
        events(&app, &secret, extreme).await;
    }
}
