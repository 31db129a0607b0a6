//! The authorization table: each route of the API with each kind of credential.

use std::{collections::BTreeSet, sync::LazyLock};

use domain::key::IssuedKey;
use serde_json::{Value, json};
use server::{
    caller::Caller,
    router::{permissions, routes},
};

use super::{
    request::{TestRequest, TestResponse},
    test_app::{ADMIN, KeySpec, TestApp, day},
};

/// All permissions of the route table, and one that no route requires.
static EVERYTHING: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| permissions().into_iter().chain(["orders:read"]).collect());

/// The response to a key of another tenant.
#[derive(Clone, Copy, Debug)]
enum Foreign {
    /// The same status as for a key of Acme, with data of its own tenant.
    OwnWorld,
    /// The response is 404.
    NotFound,
    /// The body refers to objects that do not belong to its tenant.
    Invalid,
}

/// A row of the table.
struct Line {
    method: &'static str,
    path: &'static str,
    /// The status for a key of Acme with the permission.
    good: u16,
    foreign: Foreign,
    /// Built from the identifiers of the target and the group.
    body: Option<fn(&IssuedKey) -> Value>,
}

const GROUP: &str = "/api/v1/authorization-groups/{id}";

/// Requests that change the caller's own tenant.
const OF_OWN_TENANT: [&str; 2] = ["/api/v1/whoami/rotate", "/api/v1/authorization-groups"];

const fn line(method: &'static str, path: &'static str, good: u16, foreign: Foreign) -> Line {
    Line {
        method,
        path,
        good,
        foreign,
        body: None,
    }
}

fn lines() -> Vec<Line> {
    use Foreign::{Invalid, NotFound, OwnWorld};
    vec![
        line("GET", "/api/v1/whoami", 200, OwnWorld),
        line("POST", "/api/v1/whoami/rotate", 200, OwnWorld),
        line("GET", "/api/v1/api-keys", 200, OwnWorld),
        Line {
            body: Some(
                |target| json!({ "name": "New", "authorization_group_id": target.key.authorization_group.id }),
            ),
            ..line("POST", "/api/v1/api-keys", 201, Invalid)
        },
        line("GET", "/api/v1/api-keys/{id}", 200, NotFound),
        Line {
            body: Some(|_| json!({ "name": "Renamed" })),
            ..line("PATCH", "/api/v1/api-keys/{id}", 200, NotFound)
        },
        line("POST", "/api/v1/api-keys/{id}/rotate", 200, NotFound),
        line("POST", "/api/v1/api-keys/{id}/revoke", 200, NotFound),
        Line {
            body: Some(|target| json!({ "ids": [target.key.id] })),
            ..line("POST", "/api/v1/api-keys/revoke", 200, Invalid)
        },
        line("GET", "/api/v1/api-keys/{id}/usage", 200, NotFound),
        line("POST", "/api/v1/api-keys/{id}/simulate", 200, NotFound),
        line("GET", "/api/v1/authorization-groups", 200, OwnWorld),
        Line {
            body: Some(|_| json!({ "name": "New group", "permissions": ["orders:read"] })),
            ..line("POST", "/api/v1/authorization-groups", 201, OwnWorld)
        },
        line("GET", GROUP, 200, NotFound),
        Line {
            body: Some(|_| json!({})),
            ..line("PATCH", GROUP, 200, NotFound)
        },
        // The target has the group.
        line("DELETE", GROUP, 409, NotFound),
        line("GET", "/api/v1/audit-events", 200, OwnWorld),
        Line {
            body: Some(|target| json!({ "secret": target.secret })),
            ..line("POST", "/api/v1/verify", 200, OwnWorld)
        },
        line("*", "/api/v1/forward-auth", 200, OwnWorld),
        line(
            "*",
            "/api/v1/forward-auth/for/{tenant}/{permission}/{*rest}",
            200,
            OwnWorld,
        ),
        line(
            "*",
            "/api/v1/forward-auth/for/{tenant}/{permission}/",
            200,
            OwnWorld,
        ),
    ]
}

/// Routes without a credential: only the document.
const OPEN: [&str; 1] = ["GET /api/v1/openapi.json"];

#[test]
fn every_route_of_the_api_has_a_line() {
    let rows: BTreeSet<_> = routes()
        .into_iter()
        .filter(|route| route.path.starts_with("/api/v1"))
        .map(|route| {
            let method = route
                .method
                .map_or("*".to_owned(), |method| method.to_string());
            let name = format!("{method} {}", route.path);
            assert_eq!(
                route.caller == Caller::Anyone,
                OPEN.contains(&name.as_str()),
                "{name}"
            );
            name
        })
        .collect();
    let lines: BTreeSet<_> = lines()
        .iter()
        .map(|line| format!("{} {}", line.method, line.path))
        .chain(OPEN.map(str::to_owned))
        .collect();
    assert_eq!(rows, lines);
}

/// A request of that row about `target`.
fn request(app: &TestApp, line: &Line, target: &IssuedKey) -> TestRequest {
    let id = match line.path {
        GROUP => target.key.authorization_group.id.to_string(),
        _ => target.key.id.to_string(),
    };
    let path = line
        .path
        .replace("{id}", &id)
        .replace("{tenant}", "-")
        .replace("{permission}", "-")
        .replace("{*rest}", "orders/7");
    let method = if line.method == "*" {
        "DELETE"
    } else {
        line.method
    };
    let request = app.request(method, &path);
    match line.body {
        Some(body) => request.json(&body(target)),
        None => request,
    }
}

async fn state(app: &TestApp) -> Value {
    json!([app.audited("acme").await, app.audited("globex").await])
}

#[tokio::test]
async fn p28_each_route_requires_the_permission_of_the_table() {
    let app = TestApp::start().await.with_admin().await;
    app.add_tenant("globex", "Globex").await;
    let session = app.sign_in(ADMIN).await;
    let everything = KeySpec {
        permissions: &EVERYTHING,
        ..KeySpec::default()
    };
    for line in lines() {
        let row = format!("{} {}", line.method, line.path);
        let caller = routes()
            .into_iter()
            .find(|route| {
                route.path == line.path
                    && route.method.as_ref().map_or("*", http::Method::as_str) == line.method
            })
            .map(|route| route.caller)
            .unwrap();
        let target = app.issue(everything.clone()).await;
        let able = app.issue(everything.clone()).await;
        let unable = app
            .issue(KeySpec {
                permissions: &["none:here"],
                ..KeySpec::default()
            })
            .await;
        let foreign = app
            .issue(KeySpec {
                tenant: "globex",
                ..everything.clone()
            })
            .await;
        let revoked = app.issue(everything.clone()).await;
        app.revoke("acme", &revoked).await;
        let expired = app
            .issue(KeySpec {
                expires_on: Some(day(-1)),
                ..everything.clone()
            })
            .await;

        let before = state(&app).await;
        let refused = async |request: TestRequest, status: u16, code: &str| {
            request.send().await.assert_problem(status, code);
        };
        refused(request(&app, &line, &target), 401, "missing_api_key").await;
        refused(
            request(&app, &line, &target).cookie(&session).same_origin(),
            401,
            "missing_api_key",
        )
        .await;
        let with = |key: &IssuedKey| request(&app, &line, &target).key(key.secret.expose());
        refused(with(&revoked), 401, "revoked_api_key").await;
        refused(with(&expired), 401, "expired_api_key").await;
        if matches!(caller, Caller::Key(Some(_))) {
            refused(with(&unable), 403, "missing_permission").await;
        }
        let response: TestResponse = with(&foreign).send().await;
        match line.foreign {
            Foreign::OwnWorld => {
                assert_eq!(response.status, line.good, "{row}: {}", response.text());
                assert!(
                    !response.text().contains(&target.key.id.to_string()),
                    "{row} tells a stranger of it"
                );
            }
            Foreign::NotFound => {
                response.assert_problem(404, "not_found");
            }
            Foreign::Invalid => {
                response.assert_problem(422, "validation_failed");
            }
        }
        if !OF_OWN_TENANT.contains(&line.path) {
            assert_eq!(
                state(&app).await,
                before,
                "{row}: a refusal changed something"
            );
        }
        let response = with(&able).send().await;
        assert_eq!(response.status, line.good, "{row}: {}", response.text());
        if caller == Caller::Key(None) || caller == Caller::Gateway {
            let response = with(&unable).send().await;
            assert_eq!(response.status, line.good, "{row}: {}", response.text());
        }
    }
}
