//! `GET /api/v1/api-keys/{id}/usage`

use serde_json::{Value, json};

use super::test_app::{KeySpec, TestApp, day};

#[tokio::test]
async fn lists_every_day_with_refusals_by_code_and_addresses() {
    let app = TestApp::start().await;
    let key = app.issue(KeySpec::default()).await;
    let reader = app.secret(&["api-keys:read"]).await;
    for (permission, status) in [("orders:read", 200), ("orders:write", 403)] {
        for _ in 0..2 {
            let path = format!("/api/v1/forward-auth?permission={permission}");
            let response = app
                .get(&path)
                .key(key.secret.expose())
                .from("192.0.2.7")
                .send()
                .await;
            assert_eq!(response.status, status, "{}", response.text());
        }
    }
    app.flush_usage().await;
    let path = format!("/api/v1/api-keys/{}/usage", key.key.id);
    let response = app.get(&path).key(&reader).send().await;
    assert_eq!(response.status, 200, "{}", response.text());
    let usage = response.json();
    let days = usage["days"].as_array().unwrap();
    assert_eq!(days.len(), 30);
    assert_eq!(
        days[0],
        json!({ "date": day(-29), "accepted": 0, "refused": {} })
    );
    let today = json!({ "date": day(0), "accepted": 2, "refused": { "missing_permission": 2 } });
    assert_eq!(days[29], today);
    let address = json!({ "ip": "192.0.2.7", "accepted": 2, "refused": 2, "last_date": day(0) });
    assert_eq!(usage["addresses"], json!([address]));
    assert_eq!(usage.as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn p60_days_are_a_number_from_1_to_90() {
    let app = TestApp::start().await;
    let key = app.issue(KeySpec::default()).await;
    let reader = app.secret(&["api-keys:read"]).await;
    let path = format!("/api/v1/api-keys/{}/usage", key.key.id);
    for (days, expected) in [("1", 1), ("90", 90), ("", 30)] {
        let response = app
            .get(&format!("{path}?days={days}"))
            .key(&reader)
            .send()
            .await;
        assert_eq!(response.status, 200, "{days}: {}", response.text());
        assert_eq!(response.json()["days"].as_array().unwrap().len(), expected);
    }
    for query in [
        "days=0",
        "days=91",
        "days=07",
        "days=-1",
        "days=x",
        "days=7&days=7",
        "day=7",
    ] {
        let response = app
            .get(&format!("{path}?{query}"))
            .key(&reader)
            .send()
            .await;
        response.assert_problem(422, "validation_failed");
    }
}

#[tokio::test]
async fn p24_p27_another_tenants_key_has_no_usage() {
    let app = TestApp::start().await;
    app.add_tenant("globex", "Globex").await;
    let theirs = app
        .issue(KeySpec {
            tenant: "globex",
            ..KeySpec::default()
        })
        .await;
    let reader = app.secret(&["api-keys:read"]).await;
    let mut bodies = Vec::new();
    for id in [
        theirs.key.id.to_string(),
        "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
    ] {
        let path = format!("/api/v1/api-keys/{id}/usage");
        let response = app.get(&path).key(&reader).send().await;
        let mut problem: Value = response.assert_problem(404, "not_found");
        problem.as_object_mut().unwrap().remove("instance");
        problem.as_object_mut().unwrap().remove("request_id");
        bodies.push(problem);
    }
    assert_eq!(bodies[0], bodies[1]);
}
