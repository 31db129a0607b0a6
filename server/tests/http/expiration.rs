//! P40, P41: expiration dates. Exact instants are tested in `domain`, where time is a parameter.

use serde_json::json;

use super::test_app::{ADMIN, KeySpec, TestApp, day};

#[tokio::test]
async fn p40_a_key_works_on_its_last_day_and_not_on_the_day_after() {
    let app = TestApp::start().await;
    for (last_day, status) in [(day(1), 200), (day(0), 200), (day(-1), 401)] {
        let key = app
            .issue(KeySpec {
                expires_on: Some(last_day),
                ..KeySpec::default()
            })
            .await;
        let response = app
            .get("/api/v1/whoami")
            .key(key.secret.expose())
            .send()
            .await;
        assert_eq!(response.status, status, "{last_day}: {}", response.text());
        if status == 401 {
            response.assert_problem(401, "expired_api_key");
        }
    }
}

#[tokio::test]
async fn p41_the_form_accepts_only_future_dates() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    let group = app.group("acme", &["orders:read"]).await;
    let generate = |expires_on: String| {
        let form = json!({
            "tenant": null,
            "form": {
                "name": "ERP", "description": "", "authorization_group_id": group.id,
                "expires_on": expires_on, "ip_allowlist": "",
            },
        });
        app.post("/api/pages/generate_api_key")
            .same_origin()
            .cookie(&session)
            .json(&form)
            .send()
    };
    const PAST: &str = "Must be a future date";
    const NO_DATE: &str = "Must be a date, like 2030-12-31";
    let refused = [
        (day(0).to_string(), PAST),
        (day(-1).to_string(), PAST),
        ("2027-02-30".to_owned(), NO_DATE),
        (format!("{}T00:00:00Z", day(365)), NO_DATE),
        ("10000-01-01".to_owned(), NO_DATE),
        ("20270101".to_owned(), NO_DATE),
        ("1767225600".to_owned(), NO_DATE),
    ];
    for (date, message) in refused {
        let response = generate(date.clone()).await;
        assert_eq!(response.status, 422, "{date}: {}", response.text());
        let error = response.json();
        assert_eq!(
            error["fields"],
            json!([{ "field": "expires_on", "message": message }]),
            "{date}"
        );
    }
    assert_eq!(app.used_keys().await, 0);
    for date in [day(1).to_string(), day(365).to_string(), String::new()] {
        let response = generate(date.clone()).await;
        assert_eq!(response.status, 200, "{date}: {}", response.text());
    }
    assert_eq!(app.used_keys().await, 3);
}
