//! `GET /api/v1/authorization-groups`

use serde_json::{Value, json};

use super::test_app::TestApp;

#[tokio::test]
async fn lists_the_groups_of_its_own_tenant_by_name_in_pages() {
    let app = TestApp::start().await;
    app.add_tenant("globex", "Globex").await;
    app.group("globex", &["theirs:read"]).await;
    let secret = app.secret(&["authorization-groups:read"]).await;
    for permissions in [&["b:read"][..], &["a:read"], &["a:write", "b:read"]] {
        app.group("acme", permissions).await;
    }
    let response = app
        .get("/api/v1/authorization-groups")
        .key(&secret)
        .send()
        .await;
    assert_eq!(response.status, 200, "{}", response.text());
    let list = response.json();
    assert_eq!(list["next_cursor"], Value::Null);
    let items = list["items"].as_array().unwrap();
    let names: Vec<_> = items
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "Group a:read",
            "Group a:write b:read",
            "Group authorization-groups:read",
            "Group b:read",
        ]
    );
    assert_eq!(items[1]["type"], "tenant_api_key");
    assert_eq!(items[1]["permissions"], json!(["a:write", "b:read"]));
    assert_eq!(items[1].as_object().unwrap().len(), 4);

    let mut walked = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/authorization-groups?limit=1&cursor={cursor}");
        let page = app.get(&path).key(&secret).send().await.json();
        walked.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(&walked, items);
}

#[tokio::test]
async fn p26_a_cursor_of_another_list_or_a_tampered_one_is_refused() {
    let app = TestApp::start().await;
    let secret = app
        .secret(&[
            "api-keys:read",
            "audit-log:read",
            "authorization-groups:read",
        ])
        .await;
    app.group("acme", &["a:read"]).await;
    let lists = ["api-keys", "audit-events", "authorization-groups"];
    let mut cursors = Vec::new();
    app.secret(&["a:read"]).await;
    for list in lists {
        let path = format!("/api/v1/{list}?limit=1");
        let page = app.get(&path).key(&secret).send().await.json();
        cursors.push(page["next_cursor"].as_str().unwrap().to_owned());
    }
    for (list, own) in lists.iter().zip(&cursors) {
        let request = async |cursor: &str| {
            let path = format!("/api/v1/{list}?cursor={cursor}");
            app.get(&path).key(&secret).send().await
        };
        assert_eq!(request(own).await.status, 200);
        let others = cursors.iter().filter(|cursor| *cursor != own);
        for other in others {
            request(other).await.assert_problem(400, "invalid_cursor");
        }
        let mut tampered = own.clone();
        let last = tampered.pop().unwrap();
        tampered.push(if last == 'A' { 'Q' } else { 'A' });
        request(&tampered)
            .await
            .assert_problem(400, "invalid_cursor");
        request(&own[1..])
            .await
            .assert_problem(400, "invalid_cursor");
    }
}

#[tokio::test]
async fn p26_a_cursor_of_another_tenant_lists_only_own_rows() {
    let app = TestApp::start().await;
    app.add_tenant("globex", "Globex").await;
    let permissions: &[&str] = &[
        "api-keys:read",
        "audit-log:read",
        "authorization-groups:read",
    ];
    let spec = super::test_app::KeySpec {
        permissions,
        ..super::test_app::KeySpec::default()
    };
    let mut secrets = Vec::new();
    for tenant in ["acme", "globex"] {
        for _ in 0..2 {
            app.issue(super::test_app::KeySpec {
                tenant,
                name: format!("Key of {tenant}"),
                ..spec.clone()
            })
            .await;
        }
        app.group(tenant, &["a:read"]).await;
        let key = app
            .issue(super::test_app::KeySpec {
                tenant,
                ..spec.clone()
            })
            .await;
        secrets.push(key.secret.expose().to_owned());
    }
    for list in ["api-keys", "audit-events", "authorization-groups"] {
        let theirs = app
            .get(&format!("/api/v1/{list}?limit=1"))
            .key(&secrets[1])
            .send()
            .await
            .json();
        let cursor = theirs["next_cursor"].as_str().unwrap();
        let mine = app
            .get(&format!("/api/v1/{list}?cursor={cursor}"))
            .key(&secrets[0])
            .send()
            .await;
        assert_eq!(mine.status, 200, "{list}");
        assert!(!mine.text().contains("globex"), "{list}: {}", mine.text());
    }
}
