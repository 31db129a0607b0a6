//! Every route, grouped by caller, with its requirement.
//!
//! The route table is also the authorization table: routes are registered only through it, a row without a [`Caller`] does not compile, and
//! tests check each row's responses for every kind of caller.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

use app::{page::Access, urls};
use axum::{
    Extension, Router,
    extract::{MatchedPath, Request, State},
    handler::Handler,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{self, MethodRouter},
};
use http::{Method, StatusCode};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

#[cfg(feature = "bench")]
use crate::bench::guard;
use crate::{
    api::{
        self, api_keys, audit_events, authorization_groups, docs,
        document::{self, ApiDocument, Documented, build_document},
        forward_auth, key_revocation, key_simulation, key_usage, security_policy, verify, whoami,
    },
    assets::{Assets, serve_asset},
    body_limit,
    caller::Caller,
    health,
    pages::{
        account_forms, audit_export, group_forms, home, key_forms, one_time_links, page_reports,
        password, render, second_factor_forms, second_step, security_policy_form,
        server_functions::run_server_function, sign_in, sign_out, single_sign_on, tenant_forms,
        user_forms,
    },
    request_id::set_route,
    route_guard::{BodyPolicy, Requirement, RouteGuard, guard_request},
    service::LatchkeyService,
    state::AppState,
};

/// A row of the table. A route for GET also serves HEAD.
pub struct Route {
    /// The method; `None` matches any method, including unknown ones.
    pub method: Option<Method>,
    /// The path in axum's notation, e.g. `/tenant-api-keys/{id}/rotate`.
    pub path: String,
    /// The kind of caller that may call it.
    pub caller: Caller,
    handler: MethodRouter<AppState>,
    /// Its description in the OpenAPI document.
    documented: Option<Documented>,
}

/// The permissions of Latchkey's own routes.
#[must_use]
pub fn permissions() -> BTreeSet<&'static str> {
    let required = routes().into_iter().filter_map(|route| match route.caller {
        Caller::Key(permission) => permission,
        _ => None,
    });
    required.collect()
}

/// Every route.
#[must_use]
pub fn routes() -> Vec<Route> {
    use Access::{Anyone, KeyManager, SignedIn, SuperUser};
    use Caller::{Gateway, Key, OwnKey};
    let mut routes = vec![
        // Health checks
        get("/healthz", Anyone, health::read_health),
        get("/readyz", Anyone, health::read_readiness),
        // Integrations with their key
        api("/api/v1/whoami", Key(None), routes!(whoami::read_whoami)),
        api(
            "/api/v1/whoami/rotate",
            Key(Some("api-keys:rotate-self")),
            routes!(whoami::rotate_whoami),
        ),
        api(
            "/api/v1/whoami/revoke",
            OwnKey,
            routes!(whoami::revoke_whoami),
        ),
        api(
            "/api/v1/api-keys",
            Key(Some("api-keys:read")),
            routes!(api_keys::list_api_keys),
        ),
        api(
            "/api/v1/api-keys",
            Key(Some("api-keys:write")),
            routes!(api_keys::create_api_key),
        ),
        api(
            "/api/v1/api-keys/{id}",
            Key(Some("api-keys:read")),
            routes!(api_keys::read_api_key),
        ),
        api(
            "/api/v1/api-keys/{id}",
            Key(Some("api-keys:write")),
            routes!(api_keys::update_api_key),
        ),
        api(
            "/api/v1/api-keys/{id}/rotate",
            Key(Some("api-keys:write")),
            routes!(api_keys::rotate_api_key),
        ),
        api(
            "/api/v1/api-keys/{id}/revoke",
            Key(Some("api-keys:write")),
            routes!(key_revocation::revoke_api_key),
        ),
        api(
            "/api/v1/api-keys/revoke",
            Key(Some("api-keys:write")),
            routes!(key_revocation::revoke_api_keys),
        ),
        api(
            "/api/v1/api-keys/{id}/usage",
            Key(Some("api-keys:read")),
            routes!(key_usage::read_api_key_usage),
        ),
        api(
            "/api/v1/api-keys/{id}/simulate",
            Key(Some("api-keys:read")),
            routes!(key_simulation::simulate_api_key),
        ),
        api(
            "/api/v1/authorization-groups",
            Key(Some("authorization-groups:read")),
            routes!(authorization_groups::list_authorization_groups),
        ),
        api(
            "/api/v1/authorization-groups",
            Key(Some("authorization-groups:write")),
            routes!(authorization_groups::create_authorization_group),
        ),
        api(
            "/api/v1/authorization-groups/{id}",
            Key(Some("authorization-groups:read")),
            routes!(authorization_groups::read_authorization_group),
        ),
        api(
            "/api/v1/authorization-groups/{id}",
            Key(Some("authorization-groups:write")),
            routes!(authorization_groups::update_authorization_group),
        ),
        api(
            "/api/v1/authorization-groups/{id}",
            Key(Some("authorization-groups:write")),
            routes!(authorization_groups::delete_authorization_group),
        ),
        api(
            "/api/v1/audit-events",
            Key(Some("audit-log:read")),
            routes!(audit_events::list_audit_events),
        ),
        api(
            "/api/v1/security-policy",
            Key(Some("security-policy:read")),
            routes!(security_policy::read_security_policy),
        ),
        api(
            "/api/v1/security-policy",
            Key(Some("security-policy:write")),
            routes!(security_policy::update_security_policy),
        ),
        // Services of a tenant, which verify keys of their clients
        api(
            "/api/v1/verify",
            Key(Some("api-keys:verify")),
            routes!(verify::verify_api_key),
        ),
        // Gateways with the key of the client's request
        any(
            "/api/v1/forward-auth",
            Gateway,
            forward_auth::forward_auth,
            routes!(forward_auth::forward_auth),
        ),
        any(
            "/api/v1/forward-auth/for/{tenant}/{permission}/{*rest}",
            Gateway,
            forward_auth::forward_auth_for,
            routes!(forward_auth::forward_auth_for),
        ),
        // The same route for an empty client path, which a wildcard does not match
        any_undocumented(
            "/api/v1/forward-auth/for/{tenant}/{permission}/",
            Gateway,
            forward_auth::forward_auth_for,
        ),
        // The API's documentation
        get(OPENAPI, Anyone, document::read_document),
        // Sign-in and sign-out
        post("/sign-in", Anyone, sign_in::sign_in),
        get(urls::SINGLE_SIGN_ON, Anyone, single_sign_on::begin),
        get(
            urls::SINGLE_SIGN_ON_CALLBACK,
            Anyone,
            single_sign_on::callback,
        ),
        post(urls::SECOND_STEP, Anyone, second_step::complete),
        post("/sign-out", Anyone, sign_out::sign_out),
        // Reports of pages in the browser.
        post(PAGE_REPORTS, Anyone, page_reports::report),
        get("/", Anyone, home::redirect_home),
        get(
            app::urls::AUDIT_LOG_CSV,
            KeyManager,
            audit_export::export_csv,
        ),
        get(
            app::urls::AUDIT_LOG_JSON_LINES,
            KeyManager,
            audit_export::export_json_lines,
        ),
        // The forms of the pages, submitted without a script
        post(urls::ACCOUNT, SignedIn, password::change_password),
        post(urls::ACCOUNT_NAME, SignedIn, account_forms::rename),
        post(urls::END_SESSION, SignedIn, account_forms::end_session),
        post(
            urls::END_OTHER_SESSIONS,
            SignedIn,
            account_forms::end_other_sessions,
        ),
        post(urls::ACCOUNT_THEME, SignedIn, account_forms::choose_theme),
        post(urls::SECOND_FACTOR, SignedIn, second_factor_forms::start),
        post(
            urls::CONFIRM_SECOND_FACTOR,
            SignedIn,
            second_factor_forms::confirm,
        ),
        post(
            urls::DISABLE_SECOND_FACTOR,
            SignedIn,
            second_factor_forms::disable,
        ),
        post(
            urls::NEW_RECOVERY_CODES,
            SignedIn,
            second_factor_forms::new_recovery_codes,
        ),
        post("/tenant-api-keys/new", KeyManager, key_forms::generate),
        post("/tenant-api-keys/{id}/edit", KeyManager, key_forms::edit),
        post(
            "/tenant-api-keys/{id}/rotate",
            KeyManager,
            key_forms::rotate,
        ),
        post(
            "/tenant-api-keys/{id}/revoke",
            KeyManager,
            key_forms::revoke,
        ),
        post(urls::NEW_GROUP, KeyManager, group_forms::create),
        post(urls::EDIT_GROUP, KeyManager, group_forms::edit),
        post(urls::DELETE_GROUP, KeyManager, group_forms::delete),
        post(urls::NEW_TENANT, SuperUser, tenant_forms::create),
        post(urls::EDIT_TENANT, SuperUser, tenant_forms::edit),
        post(urls::SUSPEND_TENANT, SuperUser, tenant_forms::suspend),
        post(urls::RESUME_TENANT, SuperUser, tenant_forms::resume),
        post(
            urls::SECURITY_POLICY,
            KeyManager,
            security_policy_form::save,
        ),
        post(
            "/tenant-api-keys/revoke",
            KeyManager,
            key_forms::revoke_many,
        ),
        post(urls::INVITE, KeyManager, user_forms::invite),
        post(urls::USER_ROLE, KeyManager, user_forms::set_role),
        post(urls::DISABLE_USER, KeyManager, user_forms::disable),
        post(urls::ENABLE_USER, KeyManager, user_forms::enable),
        post(urls::END_SESSIONS, KeyManager, user_forms::end_sessions),
        post(urls::INVITE_AGAIN, KeyManager, user_forms::invite_again),
        post(urls::WITHDRAW_INVITATION, KeyManager, user_forms::withdraw),
        // One-time links
        get(urls::INVITATION, Anyone, one_time_links::show_invitation),
        post(urls::INVITATION, Anyone, one_time_links::accept),
        get(
            urls::SIGN_IN_LINK,
            Anyone,
            one_time_links::show_sign_in_link,
        ),
        post(urls::SIGN_IN_LINK, Anyone, one_time_links::sign_in),
    ];
    // Pages and the server functions that they call. A page itself renders the refusal for a user who may not open it.
    routes.extend(app::pages::PAGES.iter().flat_map(|page| {
        let paths = page.paths();
        paths.map(|path| self::page(&path, page.access))
    }));
    routes.extend(
        (app::pages::SERVER_FUNCTIONS.iter())
            .map(|function| post(function.path, function.access, run_server_function)),
    );
    // Benchmarks: `/api/v1/whoami` with other guards
    #[cfg(feature = "bench")]
    routes.extend([
        get(guard::TWIN, Anyone, whoami::read_whoami),
        get(guard::UNCACHED, Anyone, whoami::read_whoami),
    ]);
    // The browser's files
    routes.extend(
        Assets::embedded()
            .urls()
            .map(|url| get(url, Anyone, serve_asset)),
    );
    routes
}

/// The OpenAPI document.
const OPENAPI: &str = "/api/v1/openapi.json";

/// Forms with few short fields that a client without a session sends.
const SMALL_FORMS: [&str; 4] = [
    urls::SIGN_IN,
    urls::SECOND_STEP,
    urls::INVITATION,
    urls::SIGN_IN_LINK,
];

/// Receives reports of pages that continue without their script.
const PAGE_REPORTS: &str = "/page-reports";

/// The paths of the pages that leptos routes. Listing them also makes leptos detect its runtime.
///
/// The list is made once per process: while leptos makes it, a page that is rendered concurrently waits forever for its resources
/// (<https://github.com/leptos-rs/leptos/issues/4773>).
pub static ROUTED_PAGES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let pages = leptos_axum::generate_route_list(app::pages::App);
    pages.iter().map(|page| page.path().to_owned()).collect()
});

/// The whole service. Each request needs `ConnectInfo<SocketAddr>` in its extensions.
pub fn router(state: AppState) -> LatchkeyService {
    let mut routes = routes();
    for path in ROUTED_PAGES.iter() {
        if !routes.iter().any(|route| route.path == *path) {
            tracing::error!(path, "page not served: it has no row in the route table");
        }
    }
    let document = build_document(routes.iter_mut().filter_map(|route| {
        let documented = route.documented.take()?;
        Some((documented, route.caller))
    }));
    let docs = docs::render_reference(&document);
    let document = Arc::new(ApiDocument::new(&document));
    let mut router = Router::new();
    for route in routes {
        let guard = Arc::new(guard_of(&route, &state));
        let guard = from_fn_with_state(guard, guard_request);
        // Other methods of the path have no handler and need no guard.
        let handler = match route.method {
            Some(_) => route.handler.route_layer(guard),
            None => route.handler.layer(guard),
        };
        let handler = match route.path.as_str() {
            OPENAPI => handler.layer(Extension(Arc::clone(&document))),
            urls::API_DOCS => handler.layer(Extension(docs.clone())),
            _ => handler,
        };
        router = router.route(&route.path, handler);
    }
    let router = router
        .method_not_allowed_fallback(refuse_method)
        .fallback(render_unknown_path)
        .with_state(state.clone());
    LatchkeyService::new(router, state)
}

/// The guard of a row. Pages require nothing here: they render their own refusals.
fn guard_of(route: &Route, state: &AppState) -> RouteGuard {
    let is_api = api::is_api(&route.path);
    let requirement = match route.caller {
        Caller::Key(permission) => Requirement::Key(
            permission.map(|text| text.parse().expect("a valid permission in the route table")),
        ),
        Caller::OwnKey => Requirement::OwnKey,
        Caller::User(access)
            if access != Access::Anyone && route.path.starts_with(urls::SERVER_FUNCTIONS) =>
        {
            Requirement::Session(access)
        }
        #[cfg(feature = "bench")]
        Caller::ANYONE if is_api => {
            guard::BenchGuard::for_path(&route.path).map_or(Requirement::None, Requirement::Bench)
        }
        // A gateway's URL contains tenant and permission, so the handler verifies the key.
        Caller::User(_) | Caller::Gateway => Requirement::None,
    };
    let is_page = !is_api && !matches!(requirement, Requirement::Session(_));
    let body = if route.caller == Caller::Gateway {
        BodyPolicy::Ignored
    } else if is_api {
        BodyPolicy::ReadFirst(body_limit::API)
    } else if SMALL_FORMS.contains(&route.path.as_str()) {
        BodyPolicy::ReadFirst(body_limit::SIGN_IN)
    } else if route.path == PAGE_REPORTS {
        BodyPolicy::ReadFirst(body_limit::PAGE_REPORT)
    } else if is_page && route.caller != Caller::ANYONE {
        BodyPolicy::ReadByHandler(body_limit::PAGES)
    } else {
        BodyPolicy::ReadFirst(body_limit::PAGES)
    };
    RouteGuard {
        state: state.clone(),
        body,
        requirement,
        takes_tenant: !is_api && !route.path.starts_with(urls::SERVER_FUNCTIONS),
    }
}

/// A route of the JSON API. The method is that of the handler, whose path must equal `path`.
fn api(path: &str, caller: Caller, route: UtoipaMethodRouter<AppState>) -> Route {
    let (documented, handler) = Documented::from_handler(path, route);
    Route {
        method: Some(documented.method()),
        path: path.to_owned(),
        caller,
        handler,
        documented: Some(documented),
    }
}

/// A route of the JSON API with any method.
fn any<H, T>(path: &str, caller: Caller, handler: H, route: UtoipaMethodRouter<AppState>) -> Route
where
    H: Handler<T, AppState>,
    T: 'static,
{
    let (documented, _) = Documented::from_handler(path, route);
    Route {
        documented: Some(documented),
        ..any_undocumented(path, caller, handler)
    }
}

fn any_undocumented<H, T>(path: &str, caller: impl Into<Caller>, handler: H) -> Route
where
    H: Handler<T, AppState>,
    T: 'static,
{
    Route {
        method: None,
        path: path.to_owned(),
        caller: caller.into(),
        handler: routing::any(handler),
        documented: None,
    }
}

fn get<H, T>(path: &str, caller: impl Into<Caller>, handler: H) -> Route
where
    H: Handler<T, AppState>,
    T: 'static,
{
    Route {
        method: Some(Method::GET),
        path: path.to_owned(),
        caller: caller.into(),
        handler: routing::get(handler),
        documented: None,
    }
}

fn post<H, T>(path: &str, caller: impl Into<Caller>, handler: H) -> Route
where
    H: Handler<T, AppState>,
    T: 'static,
{
    Route {
        method: Some(Method::POST),
        path: path.to_owned(),
        caller: caller.into(),
        handler: routing::post(handler),
        documented: None,
    }
}

/// A page of `app`. The API documentation also shows what the server rendered at start.
fn page(path: &str, access: Access) -> Route {
    match path {
        urls::API_DOCS => get(path, access, docs::read_docs),
        _ => get(path, access, render::render_page),
    }
}

async fn render_unknown_path(State(state): State<AppState>, request: Request) -> Response {
    if api::is_api(request.uri().path()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    render::render_not_found(&state, request).await
}

/// Responds 405; axum adds `Allow`. This route has no guard that would set the route label.
async fn refuse_method(path: MatchedPath) -> impl IntoResponse {
    set_route(&path);
    (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed.\n")
}
