//! `GET /api/v1/openapi.json` and `GET /api/docs`

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use server::{caller::Caller, router::routes};

use super::test_app::TestApp;

/// The snapshot of the document. `UPDATE_SNAPSHOTS=1 cargo test -p server --test all openapi` updates it.
const SNAPSHOT: &str = "tests/http/openapi.json";

/// The methods that the document lists for a route of any method. Without TRACE, because generated clients with it do not compile (C08).
const ANY_METHOD: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

#[tokio::test]
async fn the_document_equals_the_snapshot() {
    let app = TestApp::start().await;
    let response = app.get("/api/v1/openapi.json").send().await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), "application/json");
    let document = response.json();
    assert_eq!(document["openapi"], "3.1.0");
    let text = format!("{}\n", serde_json::to_string_pretty(&document).unwrap());
    let snapshot = Path::new(env!("CARGO_MANIFEST_DIR")).join(SNAPSHOT);
    #[expect(clippy::disallowed_methods, reason = "whoever runs the test says so")]
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&snapshot, &text).unwrap();
    }
    let meant = fs::read_to_string(&snapshot).unwrap_or_default();
    assert!(
        meant == text,
        "the document differs from {SNAPSHOT}; look at what changed: UPDATE_SNAPSHOTS=1 cargo test -p server --test all openapi"
    );
}

#[tokio::test]
async fn the_document_has_every_route_of_the_api_with_its_permission() {
    let app = TestApp::start().await;
    let document = app.get("/api/v1/openapi.json").send().await.json();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let permission = operation["x-permission"].as_str().map(str::to_owned);
            documented.insert((method.to_uppercase(), path.clone(), permission));
        }
    }
    let rows: BTreeSet<_> = routes()
        .into_iter()
        .filter(|route| route.path.starts_with("/api/v1") && route.caller != Caller::ANYONE)
        // A wildcard that may be empty has two rows for one operation.
        .filter(|route| !route.path.ends_with("}/"))
        .flat_map(|route| {
            let permission = match route.caller {
                Caller::Key(permission) => permission.map(str::to_owned),
                _ => None,
            };
            let methods = match &route.method {
                Some(method) => vec![method.to_string()],
                None => ANY_METHOD.map(str::to_owned).to_vec(),
            };
            let path = route.path.replace("{*", "{");
            methods
                .into_iter()
                .map(move |method| (method, path.clone(), permission.clone()))
        })
        .collect();
    assert_eq!(documented, rows);
}

#[tokio::test]
async fn every_reference_resolves() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(path) if name == "$ref" => {
                            found.insert(path);
                        }
                        _ => references(member, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let app = TestApp::start().await;
    let document = app.get("/api/v1/openapi.json").send().await.json();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for path in found {
        assert!(document.pointer(&path[1..]).is_some(), "{path}");
    }
}

#[tokio::test]
async fn the_page_loads_only_its_stylesheet() {
    let app = TestApp::start().await;
    let page = app.get("/api/docs").send().await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    let text = page.text();
    assert!(
        !text.contains("type=\"module\"") && !text.contains("http:") && !text.contains("https:")
    );
    let sources: Vec<_> = ["src=\"", "href=\"", "url("]
        .into_iter()
        .flat_map(|start| text.split(start).skip(1))
        .filter_map(|rest| rest.split(['"', ')']).next())
        .filter(|target| !target.starts_with('#'))
        .collect();
    let pages = [
        "/",
        "/help",
        "/api/docs",
        "/sign-in",
        "/api/v1/openapi.json",
    ];
    for source in &sources {
        let is_file = source.starts_with("/favicon") || source.ends_with(".css");
        assert!(is_file || pages.contains(source), "{source}");
    }
    assert!(sources.contains(&"/api/v1/openapi.json") && sources.contains(&"/"));
    for route in routes() {
        if route.path.starts_with("/api/v1")
            && route.caller != Caller::ANYONE
            && !route.path.ends_with("}/")
        {
            assert!(
                text.replace("<wbr>", "")
                    .contains(&route.path.replace("{*", "{")),
                "{}",
                route.path
            );
        }
    }
    assert!(text.contains("<code>api-keys:rotate-self</code>"));
}

#[tokio::test]
async fn f6_the_page_has_contents_codes_permissions_and_an_example_a_route() {
    let app = TestApp::start().await;
    let document = app.get("/api/v1/openapi.json").send().await.json();
    let text = app.get("/api/docs").send().await.text();
    let anchors: BTreeSet<_> = text
        .split("href=\"#")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    for anchor in &anchors {
        assert!(text.contains(&format!("id=\"{anchor}\"")), "{anchor}");
    }
    for anchor in [
        "list_api_keys",
        "forward_auth",
        "codes",
        "permissions",
        "Problem",
    ] {
        assert!(anchors.contains(anchor), "{anchor}");
    }
    for code in codes(&document) {
        assert!(
            text.contains(&format!("<th scope=\"row\"><code>{code}</code></th>")),
            "{code}"
        );
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let sample = operation["x-codeSamples"][0]["source"].as_str().unwrap();
            assert!(sample.starts_with("curl"), "{method} {path}");
            if method == "get" || method == "post" && !path.contains("forward-auth") {
                let shown = sample.replace('&', "&amp;").replace('"', "&quot;");
                assert!(text.contains(&shown), "{method} {path}");
            }
        }
    }
}

/// The stable codes in the document.
fn codes(document: &Value) -> BTreeSet<&str> {
    document["components"]["schemas"]["ProblemCode"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn f6_the_document_lists_every_code_and_the_codes_of_each_response() {
    // Codes of requests that reach no documented route.
    const OF_NO_ROUTE: [&str; 6] = [
        "already_exists",
        "bad_request",
        "forbidden",
        "form_too_old",
        "internal_error",
        "method_not_allowed",
    ];
    let app = TestApp::start().await;
    let document = app.get("/api/v1/openapi.json").send().await.json();
    let all = codes(&document);
    let mut listed: BTreeSet<&str> = OF_NO_ROUTE.into();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let codes = response["x-codes"].as_array();
                assert_eq!(
                    codes.is_some(),
                    !status.starts_with('2'),
                    "{method} {path} {status}"
                );
                for code in codes.into_iter().flatten() {
                    let code = code.as_str().unwrap();
                    assert!(all.contains(code), "{code}");
                    let description = response["description"].as_str().unwrap();
                    assert!(description.contains(&format!("`{code}`")), "{description}");
                    listed.insert(code);
                }
            }
        }
    }
    assert_eq!(listed, all);
    let written = fs::read_to_string("../docs/api.md").unwrap();
    for code in all.difference(&["form_too_old", "forbidden", "already_exists"].into()) {
        assert!(
            written.contains(&format!("`{code}`")),
            "docs/api.md: {code}"
        );
    }
}

#[tokio::test]
async fn p76_no_two_enums_generate_the_same_constant() {
    let app = TestApp::start().await;
    let document = app.get("/api/v1/openapi.json").send().await.json();
    let mut seen = BTreeSet::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let Some(words) = schema["enum"].as_array() else {
            continue;
        };
        let names = schema["x-enum-varnames"].as_array().unwrap_or(words);
        assert_eq!(names.len(), words.len());
        for constant in names {
            let constant = constant.as_str().unwrap().to_uppercase().replace('.', "_");
            assert!(seen.insert(constant.clone()), "{name}: {constant}");
        }
    }
    assert!(seen.contains("ACTOR_KIND_USER") && seen.contains("GROUP_TYPE_USER"));
}

#[tokio::test]
async fn the_document_names_the_server_where_a_public_url_is_set() {
    let app = TestApp::start().await;
    let document = app.get("/api/v1/openapi.json").send().await.json();
    assert_eq!(document["servers"], serde_json::json!([{ "url": "/" }]));
    let app = TestApp::start_with(&[("LATCHKEY_PUBLIC_URL", "https://keys.example")]).await;
    let document = app.get("/api/v1/openapi.json").send().await.json();
    assert_eq!(
        document["servers"],
        serde_json::json!([{ "url": "https://keys.example" }])
    );
}
