//! The route table is complete. `authorization.rs` tests what each row requires.

use std::collections::BTreeSet;

use http::Method;
use leptos::server_fn::axum::server_fn_paths;
use serde_json::json;
use server::router::{ROUTED_PAGES, Route, routes};

fn table(method: &str, belongs: impl Fn(&str) -> bool) -> BTreeSet<String> {
    (routes().into_iter())
        .filter(|route| route.method.as_ref().is_some_and(|own| own == method))
        .filter(|route| belongs(&route.path))
        .map(|route| route.path)
        .collect()
}

#[tokio::test]
async fn every_page_has_a_row() {
    let pages: BTreeSet<String> = ROUTED_PAGES.iter().cloned().collect();
    let listed = app::pages::PAGES.iter().flat_map(app::page::Page::paths);
    assert_eq!(listed.collect::<BTreeSet<_>>(), pages, "the app's table");
    let rows = table("GET", |path| pages.contains(path));
    assert_eq!(rows, pages);
    assert!(pages.contains("/tenant-api-keys"), "{pages:?}");
}

#[tokio::test]
async fn every_server_function_has_a_row_and_every_row_a_function() {
    let functions: BTreeSet<String> = server_fn_paths()
        .map(|(path, method)| {
            assert_eq!(
                method, "POST",
                "{path}: what a GET does, a link on another site does"
            );
            path.to_owned()
        })
        .collect();
    assert_eq!(
        table("POST", |path| path.starts_with("/api/pages/")),
        functions
    );
    assert!(!functions.is_empty());
}

#[test]
fn no_row_is_duplicated() {
    let mut seen = BTreeSet::new();
    for route in routes() {
        let method = route.method.map(|method| method.to_string());
        assert!(seen.insert((method, route.path)));
    }
}

/// The path with a value for each parameter.
pub(crate) fn with_path_filled(path: &str) -> String {
    path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057")
        .replace("{slug}", "acme")
        .replace("{tenant}/{permission}", "-/-")
        .replace("{token}", &"A".repeat(43))
        .replace("{*rest}", "orders/7")
}

/// The method; one of several if the route accepts any.
pub(crate) fn method_of(route: &Route) -> &str {
    route.method.as_ref().map_or("PUT", Method::as_str)
}

/// Valid arguments of the server function at this path.
pub(crate) fn arguments(path: &str) -> serde_json::Value {
    let function = path.rsplit('/').next().unwrap_or(path);
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let form = domain::key::form::KeyForm::default();
    let form_id = uuid::Uuid::now_v7();
    match function {
        "list_api_keys" => {
            json!({ "tenant": null, "query": domain::key::query::KeyQuery::default() })
        }
        "get_api_key" | "open_edit_form" => json!({ "tenant": null, "id": id }),
        "generate_api_key" => json!({ "tenant": null, "form": form, "form_id": form_id }),
        "preview_allowlist" => json!({ "tenant": null, "id": id, "lines": "192.0.2.7" }),
        "edit_api_key" => {
            json!({ "tenant": null, "id": id, "version": 1, "form": form, "form_id": form_id })
        }
        "rotate_api_key" => {
            json!({ "tenant": null, "id": id, "expires_on": "", "form_id": form_id })
        }
        "revoke_api_key" => json!({ "tenant": null, "id": id, "form_id": form_id }),
        _ => json!({ "tenant": null }),
    }
}
