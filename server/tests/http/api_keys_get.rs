//! `GET /api/v1/api-keys`

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::test_app::{KeySpec, TestApp, day};

/// Acme with keys of these names, and the secret of the key `Reader` that lists them.
async fn with_names(names: &[&str]) -> (TestApp, String) {
    let app = TestApp::start().await;
    for name in names {
        app.issue(KeySpec {
            name: (*name).to_owned(),
            ..KeySpec::default()
        })
        .await;
    }
    let reader = app
        .issue(KeySpec {
            name: "Reader".to_owned(),
            ..KeySpec::default()
        })
        .await;
    (app, reader.secret.expose().to_owned())
}

fn names(list: &Value) -> Vec<&str> {
    (list["items"].as_array().unwrap().iter())
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn lists_the_keys_of_its_own_tenant_with_the_usage() {
    let (app, secret) = with_names(&["ERP", "Shop"]).await;
    app.add_tenant("globex", "Globex").await;
    app.issue(KeySpec {
        name: "Other".to_owned(),
        tenant: "globex",
        ..KeySpec::default()
    })
    .await;
    let revoked = app
        .issue(KeySpec {
            name: "Old".to_owned(),
            ..KeySpec::default()
        })
        .await;
    app.revoke("acme", &revoked).await;
    let response = app.get("/api/v1/api-keys").key(&secret).send().await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("cache-control"), "no-store");
    let list = response.json();
    let found: BTreeSet<_> = names(&list).into_iter().collect();
    assert_eq!(found, BTreeSet::from(["ERP", "Shop", "Reader", "Old"]));
    assert_eq!(list["usage"], json!({ "used": 3, "limit": 100 }));
    assert_eq!(list["next_cursor"], Value::Null);
    assert!(!response.text().contains(&secret));
}

#[tokio::test]
async fn filters_sorts_and_pages() {
    let (app, secret) = with_names(&["b", "A", "c"].map(|name| match name {
        "b" => "Bee",
        "A" => "ant",
        _ => "Cat",
    }))
    .await;
    let expired = KeySpec {
        name: "Dog".to_owned(),
        expires_on: Some(day(-3)),
        ..KeySpec::default()
    };
    app.issue(expired).await;
    let list = |query: &'static str| {
        let (app, secret) = (&app, &secret);
        async move {
            let response = app
                .get(&format!("/api/v1/api-keys?{query}"))
                .key(secret)
                .send()
                .await;
            assert_eq!(response.status, 200, "{query}: {}", response.text());
            response.json()
        }
    };
    assert_eq!(
        names(&list("sort=name").await),
        ["ant", "Bee", "Cat", "Dog", "Reader"]
    );
    assert_eq!(names(&list("sort=-name&limit=2").await), ["Reader", "Dog"]);
    assert_eq!(names(&list("expiration=expired").await), ["Dog"]);
    assert_eq!(names(&list("q=EE").await), ["Bee"]);
    // Every parameter present and empty.
    let everything = list("status=&expiration=&q=&sort=&limit=&cursor=").await;
    assert_eq!(names(&everything).len(), 5);

    let mut walked = Vec::new();
    let mut path = "/api/v1/api-keys?sort=name&limit=2".to_owned();
    loop {
        let page = app.get(&path).key(&secret).send().await.json();
        walked.extend(names(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/api-keys?sort=name&limit=2&cursor={cursor}");
    }
    assert_eq!(walked, ["ant", "Bee", "Cat", "Dog", "Reader"]);
}

#[tokio::test]
async fn p60_all_invalid_parameters_are_reported_together() {
    let (app, secret) = with_names(&[]).await;
    let too_long = format!("q={}", "%C3%A9".repeat(101));
    let cases: [(&str, &[&str]); 13] = [
        ("nope=1", &["nope"]),
        ("status=Active", &["status"]),
        ("status=active&status=active", &["status"]),
        ("expiration=soon", &["expiration"]),
        ("sort=secret_digest", &["sort"]),
        ("sort=name%3Bdrop", &["sort"]),
        ("limit=0", &["limit"]),
        ("limit=101", &["limit"]),
        ("limit=1e1&sort=--name", &["limit", "sort"]),
        (
            "limit=-1&status=x&expiration=y&z=1",
            &["expiration", "limit", "status", "z"],
        ),
        ("q=%00", &["q"]),
        ("q=%ff", &["q"]),
        (&too_long, &["q"]),
    ];
    for (query, fields) in cases {
        let response = app
            .get(&format!("/api/v1/api-keys?{query}"))
            .key(&secret)
            .send()
            .await;
        let problem = response.assert_problem(422, "validation_failed");
        let named: BTreeSet<_> = (problem["errors"].as_array().unwrap().iter())
            .map(|error| {
                assert!(
                    error["message"]
                        .as_str()
                        .is_some_and(|message| !message.is_empty())
                );
                error["field"].as_str().unwrap()
            })
            .collect();
        assert_eq!(named, fields.iter().copied().collect(), "{query}");
    }
}

#[tokio::test]
async fn a_foreign_cursor_is_refused() {
    let (app, secret) = with_names(&["ERP"]).await;
    for cursor in ["x", "AAAA", "eyJ9", "%20", "..%2F..", &"A".repeat(3_000)] {
        let response = app
            .get(&format!("/api/v1/api-keys?cursor={cursor}"))
            .key(&secret)
            .send()
            .await;
        response.assert_problem(400, "invalid_cursor");
    }
}

#[tokio::test]
async fn p60_metacharacters_are_searched_literally() {
    let (app, secret) =
        with_names(&["100% sure", "under_score", "back\\slash", "it's", "plain"]).await;
    let cases = [
        ("%25", "100% sure"),
        ("_", "under_score"),
        ("%5C", "back\\slash"),
        ("%27", "it's"),
    ];
    for (q, expected) in cases {
        let response = app
            .get(&format!("/api/v1/api-keys?q={q}"))
            .key(&secret)
            .send()
            .await;
        assert_eq!(names(&response.json()), [expected], "{q}");
    }
    for q in ["%27%20OR%201=1--", "%25%25", "a%25", "*", "%5B%5D"] {
        let response = app
            .get(&format!("/api/v1/api-keys?q={q}"))
            .key(&secret)
            .send()
            .await;
        assert_eq!(names(&response.json()), Vec::<&str>::new(), "{q}");
    }
}

#[tokio::test]
async fn p60_lists_keys_that_never_expire_or_were_not_used() {
    let (app, secret) = with_names(&["ERP", "Shop"]).await;
    let used = app
        .issue(KeySpec {
            name: "Used".to_owned(),
            expires_on: Some(day(10)),
            ..KeySpec::default()
        })
        .await;
    let path = "/api/v1/forward-auth";
    let accepted = app.get(path).key(used.secret.expose()).send().await;
    assert_eq!(accepted.status, 200);
    app.flush_usage().await;
    let list = async |query: &str| {
        let path = format!("/api/v1/api-keys?sort=name&{query}");
        let response = app.get(&path).key(&secret).send().await;
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    };
    assert_eq!(
        names(&list("lifetime=never").await),
        ["ERP", "Reader", "Shop"]
    );
    // Each key was created ten days ago; only one was used since then, besides the calling key.
    assert_eq!(
        names(&list("unused_days=9&lifetime=never").await),
        ["ERP", "Reader", "Shop"]
    );
    assert_eq!(
        names(&list("unused_days=9&expiration=expiring_soon").await).len(),
        0
    );
    assert_eq!(names(&list("unused_days=11").await).len(), 0);
    for query in [
        "lifetime=ever",
        "unused_days=0",
        "unused_days=3651",
        "unused_days=090",
        "unused_days=x",
        "lifetime=never&lifetime=never",
    ] {
        let path = format!("/api/v1/api-keys?{query}");
        let response = app.get(&path).key(&secret).send().await;
        response.assert_problem(422, "validation_failed");
    }
}
