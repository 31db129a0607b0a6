//! P28: a key grants no more than it has.

use domain::key::IssuedKey;
use serde_json::{Value, json};

use super::{
    request::TestResponse,
    test_app::{KeySpec, TestApp, day},
};

const OWN: &[&str] = &["api-keys:read", "api-keys:write", "orders:read"];

/// Acme with a key that may write keys, works from one network, and expires in 100 days.
async fn start() -> (TestApp, IssuedKey) {
    let app = TestApp::start().await;
    let own = app.issue(own()).await;
    (app, own)
}

fn own() -> KeySpec {
    KeySpec {
        permissions: OWN,
        allowlist: &["203.0.113.0/24", "2001:db8::/33", "2001:db8:8000::/33"],
        expires_on: Some(day(100)),
        ..KeySpec::default()
    }
}

/// A key within the own grant of [`own`].
fn lesser() -> KeySpec {
    KeySpec {
        permissions: &["orders:read"],
        allowlist: &["203.0.113.128/25"],
        expires_on: Some(day(100)),
        ..KeySpec::default()
    }
}

async fn create(app: &TestApp, own: &IssuedKey, body: Value) -> TestResponse {
    let request = app.post("/api/v1/api-keys").key(own.secret.expose());
    request.json(&body).send().await
}

#[tokio::test]
async fn p28_a_new_key_is_within_the_grant_of_its_creator() {
    let (app, own) = start().await;
    let same = app.group("acme", OWN).await;
    let less = app.group("acme", &["orders:read"]).await;
    let more = app.group("acme", &["orders:read", "orders:write"]).await;
    let body = |group: &domain::group::AuthorizationGroup, expires_on: Value, list: Value| {
        json!({
            "name": "New", "authorization_group_id": group.id, "expires_on": expires_on,
            "ip_allowlist": list,
        })
    };
    let within = json!(["203.0.113.0/25", "203.0.113.200", "2001:db8::/32"]);
    let cases = [
        (body(&same, json!(day(100)), within.clone()), true),
        (body(&less, json!(day(1)), json!(["203.0.113.0/24"])), true),
        (body(&more, json!(day(100)), within.clone()), false),
        (body(&less, json!(day(101)), within.clone()), false),
        (body(&less, Value::Null, within.clone()), false),
        (body(&less, json!(day(100)), json!([])), false),
        (
            body(&less, json!(day(100)), json!(["203.0.112.0/23"])),
            false,
        ),
        (
            body(
                &less,
                json!(day(100)),
                json!(["203.0.113.7", "198.51.100.1"]),
            ),
            false,
        ),
        (
            body(&less, json!(day(100)), json!(["2001:db8::/31"])),
            false,
        ),
        (body(&less, json!(day(100)), json!(["0.0.0.0/0"])), false),
    ];
    for (body, passes) in cases {
        let events = app.audited("acme").await.len();
        let response = create(&app, &own, body.clone()).await;
        if passes {
            assert_eq!(response.status, 201, "{body}: {}", response.text());
        } else {
            response.assert_problem(403, "exceeds_own_grant");
            assert_eq!(app.audited("acme").await.len(), events, "{body}");
        }
    }
}

#[tokio::test]
async fn p28_only_keys_within_the_grant_are_edited_and_rotated_and_they_stay_within() {
    let (app, own) = start().await;
    let more = app.group("acme", &["orders:read", "orders:write"]).await;
    let less = app.group("acme", &["orders:read"]).await;
    let beyond = [
        KeySpec {
            permissions: &["orders:write"],
            ..lesser()
        },
        KeySpec {
            expires_on: None,
            ..lesser()
        },
        KeySpec {
            expires_on: Some(day(101)),
            ..lesser()
        },
        KeySpec {
            allowlist: &[],
            ..lesser()
        },
        KeySpec {
            allowlist: &["203.0.113.1", "198.51.100.1"],
            ..lesser()
        },
    ];
    let patch = async |key: &IssuedKey, body: Value| {
        app.request("PATCH", &format!("/api/v1/api-keys/{}", key.key.id))
            .key(own.secret.expose())
            .json(&body)
            .send()
            .await
    };
    let rotate = async |key: &IssuedKey, body: Value| {
        app.post(&format!("/api/v1/api-keys/{}/rotate", key.key.id))
            .key(own.secret.expose())
            .json(&body)
            .send()
            .await
    };
    for spec in beyond {
        let key = app.issue(spec.clone()).await;
        let made = app.audited("acme").await[0].clone();
        // An edit that would bring the key within the own grant is refused too.
        let tamed = json!({
            "authorization_group_id": less.id, "ip_allowlist": ["203.0.113.1"],
        });
        for body in [json!({ "name": "Mine" }), json!({}), tamed] {
            patch(&key, body)
                .await
                .assert_problem(403, "exceeds_own_grant");
        }
        for body in [json!({}), json!({ "expires_on": day(1) })] {
            rotate(&key, body)
                .await
                .assert_problem(403, "exceeds_own_grant");
        }
        assert_eq!(app.audited("acme").await[0], made, "{spec:?}");
    }

    let key = app.issue(lesser()).await;
    for body in [
        json!({ "authorization_group_id": more.id }),
        json!({ "ip_allowlist": [] }),
        json!({ "ip_allowlist": ["203.0.112.0/23"] }),
    ] {
        patch(&key, body)
            .await
            .assert_problem(403, "exceeds_own_grant");
    }
    for date in [json!(day(101)), Value::Null] {
        let response = rotate(&key, json!({ "expires_on": date })).await;
        response.assert_problem(403, "exceeds_own_grant");
    }
    let edited = patch(
        &key,
        json!({ "name": "Other", "ip_allowlist": ["203.0.113.0/24"] }),
    )
    .await;
    assert_eq!(edited.status, 200, "{}", edited.text());
    let rotated = rotate(&key, json!({ "expires_on": day(99) })).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text());
}

#[tokio::test]
async fn p28_a_key_cannot_edit_or_rotate_itself_but_revoke_itself() {
    let (app, own) = start().await;
    let path = format!("/api/v1/api-keys/{}", own.key.id);
    let secret = own.secret.expose();
    for request in [
        app.request("PATCH", &path).json(&json!({ "name": "Me" })),
        app.request("PATCH", &path).json(&json!({})),
        app.post(&format!("{path}/rotate")),
    ] {
        request
            .key(secret)
            .send()
            .await
            .assert_problem(403, "exceeds_own_grant");
    }
    let revoked = app.post(&format!("{path}/revoke")).key(secret).send().await;
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    app.get("/api/v1/whoami")
        .key(secret)
        .send()
        .await
        .assert_problem(401, "revoked_api_key");
}

#[tokio::test]
async fn p28_a_key_beyond_the_grant_can_be_revoked_with_the_permission() {
    let (app, own) = start().await;
    let wide = app
        .issue(KeySpec {
            permissions: &["orders:write"],
            ..KeySpec::default()
        })
        .await;
    let path = format!("/api/v1/api-keys/{}/revoke", wide.key.id);
    let response = app.post(&path).key(own.secret.expose()).send().await;
    assert_eq!(response.status, 200, "{}", response.text());
}

#[tokio::test]
async fn p39_the_current_grant_applies() {
    let (app, own) = start().await;
    let cli = app.store.as_cli();
    let scope = app.store.tenants(&cli).scope("acme").await.unwrap();
    let less = app.group("acme", &["orders:read"]).await;
    let body = json!({
        "name": "New", "authorization_group_id": less.id, "expires_on": day(1),
        "ip_allowlist": ["203.0.113.1"],
    });
    assert_eq!(create(&app, &own, body.clone()).await.status, 201);
    let permissions = ["api-keys:read", "api-keys:write"].map(|text| text.parse().unwrap());
    app.store
        .groups(&scope)
        .set_permissions(
            &own.key.authorization_group.id.to_string(),
            domain::permission::PermissionSet::new(permissions).unwrap(),
            server::clock::now(),
        )
        .await
        .unwrap();
    create(&app, &own, body)
        .await
        .assert_problem(403, "exceeds_own_grant");
}
