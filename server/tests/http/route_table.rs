//! The route table is complete, and each row states the actual requirement.

use std::collections::BTreeSet;

use domain::user::Role;
use http::Method;
use leptos::server_fn::axum::server_fn_paths;
use serde_json::json;
use server::{
    caller::Caller,
    router::{ROUTED_PAGES, Route, routes},
};

use super::{
    request::TestResponse,
    test_app::{ADMIN, MEMBER, SUPER_USER, TestApp},
};

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

/// Whether a response means that the request was admitted: a redirect to sign-in, 401 and 403 do not.
fn lets_through(response: &TestResponse) -> bool {
    let to_sign_in = response
        .headers
        .get("location")
        .is_some_and(|location| location.to_str().unwrap().starts_with("/sign-in"));
    !to_sign_in && !matches!(response.status.as_u16(), 401 | 403)
}

/// The path with a value for each parameter.
pub(crate) fn with_path_filled(path: &str) -> String {
    path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057")
        .replace("{tenant}/{permission}", "-/-")
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
        "list_tenants" => json!({}),
        "list_api_keys" => {
            json!({ "tenant": null, "query": domain::key::query::KeyQuery::default() })
        }
        "get_api_key" | "open_edit_form" => json!({ "tenant": null, "id": id }),
        "generate_api_key" => json!({ "tenant": null, "form": form, "form_id": form_id }),
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

async fn call(
    app: &TestApp,
    route: &Route,
    session: Option<&str>,
    key: Option<&str>,
    tenant: Option<&str>,
) -> TestResponse {
    let mut path = with_path_filled(&route.path);
    let mut arguments = arguments(&route.path);
    if let Some(slug) = tenant {
        if arguments.get("tenant").is_some() {
            arguments["tenant"] = slug.into();
        }
        path.push_str(&format!("?tenant={slug}"));
    }
    let mut request = app.request(method_of(route), &path).same_origin();
    if let Some(session) = session {
        request = request.cookie(session);
    }
    if let Some(key) = key {
        request = request.key(key);
    }
    if route.path.starts_with("/api/pages/") {
        request = request.json(&arguments);
    }
    request.send().await
}

#[tokio::test]
async fn p21_every_row_admits_exactly_its_roles() {
    let app = TestApp::start_with(&[("LATCHKEY_DEFAULT_KEY_LIMIT", "1000")])
        .await
        .with_admin()
        .await
        .with_member()
        .await
        .with_super_user()
        .await;
    let mut people = [
        (ADMIN, Role::TenantAdmin, app.sign_in(ADMIN).await),
        (MEMBER, Role::Member, app.sign_in(MEMBER).await),
        (SUPER_USER, Role::SuperUser, app.sign_in(SUPER_USER).await),
    ];
    for route in routes() {
        let row = format!("{} {}", method_of(&route), route.path);
        let stranger = lets_through(&call(&app, &route, None, None, None).await)
            // Sign-out always redirects to sign-in.
            || route.path == "/sign-out";
        assert_eq!(
            stranger,
            route.caller == Caller::Anyone,
            "{row} for a stranger"
        );
        for (email, role, session) in &mut people {
            let (email, role) = (*email, *role);
            let tenant = (role == Role::SuperUser).then_some("acme");
            let response = call(&app, &route, Some(session), None, tenant).await;
            let through = lets_through(&response) || route.path == "/sign-out";
            assert_eq!(
                through,
                route.caller.admits(role),
                "{row} for {email}: {}",
                response.status
            );
            assert!(
                !response.status.is_server_error(),
                "{row} for {email}: {}",
                response.status
            );
            if route.path == "/sign-out" {
                *session = app.sign_in(email).await;
            }
        }
        // Each row has its own keys, because one of the routes rotates the key of the request.
        for has_permission in [true, false] {
            let key = match (has_permission, route.caller) {
                (true, Caller::Key(Some(permission))) => app.secret(&[permission]).await,
                _ => app.secret(&["none:here"]).await,
            };
            let through = lets_through(&call(&app, &route, None, Some(&key), None).await)
                || route.path == "/sign-out";
            let expected = match route.caller {
                Caller::Anyone => true,
                Caller::Key(None) | Caller::Gateway => true,
                Caller::Key(Some(_)) => has_permission,
                Caller::SignedIn | Caller::KeyManager | Caller::SuperUser => false,
            };
            assert_eq!(
                through, expected,
                "{row} with a key, permission: {has_permission}"
            );
        }
    }
}
