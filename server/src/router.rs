//! Every route, grouped by caller, each with who may call it.
//!
//! The table is the authorization table too: nothing is registered but through a row, a row without a [`Caller`] does not compile,
//! and the tests compare it with the pages and server functions that `app` has, and each row with what it answers to whom.

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    handler::Handler,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{self, MethodRouter},
};
use domain::user::Role;
use http::{Method, StatusCode};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

#[cfg(feature = "bench")]
use crate::bench;
use crate::{
    api::{
        self, api_keys, audit_events, authorization_groups, docs,
        document::{self, Documented},
        error::write_problems,
        forward_auth, verify, whoami,
    },
    api_key_layer::{KeyGuard, require_api_key},
    assets::{Assets, serve_asset},
    body_limit::{self, limit_body},
    client::remember_client,
    csrf::refuse_other_origins,
    health,
    pages::{
        home, key_forms, password, render,
        server_functions::{SessionGuard, call_server_function, require_session},
        sign_in, sign_out,
    },
    request_id::name_request,
    security_headers::add_security_headers,
    state::AppState,
};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Everybody.
    Anyone,
    /// An integration with a good key whose group has this permission; any good key where it is `None`.
    Key(Option<&'static str>),
    /// A gateway, with the good key of the request that it asks about.
    Gateway,
    /// Who is signed in.
    SignedIn,
    /// A tenant administrator in the own tenant, a super user in the one that the URL names.
    KeyManager,
    /// Who runs the installation.
    SuperUser,
}

impl Caller {
    /// Whether a signed-in user of that role may call; the tenant is not judged by this.
    #[must_use]
    pub const fn admits(self, role: Role) -> bool {
        match self {
            Self::Anyone | Self::SignedIn => true,
            Self::Key(_) | Self::Gateway => false,
            Self::KeyManager => role.manages_keys(),
            Self::SuperUser => matches!(role, Role::SuperUser),
        }
    }
}

/// A row of the table. A route that answers GET answers HEAD too.
pub struct Route {
    /// The method; `None` for any, also one that nobody has heard of.
    pub method: Option<Method>,
    /// As axum writes it, e.g. `/tenant-api-keys/{id}/rotate`.
    pub path: String,
    /// Who may call it.
    pub caller: Caller,
    handler: MethodRouter<AppState>,
    /// What the API's document says of it.
    documented: Option<Documented>,
}

impl Route {
    /// What the API's document says of it, and who may call it.
    pub(crate) fn documented(self) -> Option<(Documented, Caller)> {
        self.documented.map(|documented| (documented, self.caller))
    }
}

/// Every route.
#[must_use]
pub fn routes() -> Vec<Route> {
    use Caller::{Anyone, Gateway, Key, KeyManager, SignedIn};
    let mut routes = vec![
        // Whoever watches the process.
        get("/healthz", Anyone, health::read_health),
        get("/readyz", Anyone, health::read_readiness),
        // Integrations, with their key.
        api("/api/v1/whoami", Key(None), routes!(whoami::read_whoami)),
        api(
            "/api/v1/whoami/rotate",
            Key(Some("api-keys:rotate-self")),
            routes!(whoami::rotate_whoami),
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
            routes!(api_keys::revoke_api_key),
        ),
        api(
            "/api/v1/authorization-groups",
            Key(Some("authorization-groups:read")),
            routes!(authorization_groups::list_authorization_groups),
        ),
        api(
            "/api/v1/audit-events",
            Key(Some("audit-log:read")),
            routes!(audit_events::list_audit_events),
        ),
        // A tenant's own services, with a key of theirs that may ask about others.
        api(
            "/api/v1/verify",
            Key(Some("api-keys:verify")),
            routes!(verify::verify_api_key),
        ),
        // Gateways, with the key of the request that they ask about.
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
        // The same where the client's own path is empty, which a wildcard does not match.
        any_undocumented(
            "/api/v1/forward-auth/for/{tenant}/{permission}/",
            Gateway,
            forward_auth::forward_auth_for,
        ),
        // Whoever writes an integration.
        get("/api/v1/openapi.json", Anyone, document::read_document),
        get("/api/docs", Anyone, docs::read_docs),
        get("/api/docs/style.css", Anyone, docs::read_style),
        // People: in and out.
        page("/sign-in", Anyone),
        post("/sign-in", Anyone, sign_in::sign_in),
        post("/sign-out", Anyone, sign_out::sign_out),
        // People: pages. Who may not see one is told so by the page itself.
        get("/", Anyone, home::redirect_home),
        page("/account", SignedIn),
        post("/account", SignedIn, password::change_password),
        page("/tenant-api-keys", KeyManager),
        page("/tenant-api-keys/new", KeyManager),
        page("/tenant-api-keys/{id}/edit", KeyManager),
        page("/tenant-api-keys/{id}/rotate", KeyManager),
        page("/tenant-api-keys/{id}/revoke", KeyManager),
        // People: the pages' forms, where no script sends them.
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
    ];
    // People: what their pages call.
    routes.extend(SERVER_FUNCTIONS.map(|(path, caller)| post(path, caller, call_server_function)));
    // Benchmarks. Both bring their own guard, or none: it is what they differ in from `/api/v1/whoami`.
    #[cfg(feature = "bench")]
    routes.extend([
        get(bench::TWIN, Anyone, whoami::read_whoami),
        get(bench::UNCACHED, Anyone, whoami::read_whoami),
    ]);
    // The browser's files.
    routes.extend(
        Assets::embedded()
            .urls()
            .map(|url| get(url, Anyone, serve_asset)),
    );
    routes
}

/// The server functions of `app`.
const SERVER_FUNCTIONS: [(&str, Caller); 11] = [
    ("/api/pages/get_account", Caller::SignedIn),
    ("/api/pages/get_console", Caller::SignedIn),
    ("/api/pages/list_tenants", Caller::SuperUser),
    ("/api/pages/list_api_keys", Caller::KeyManager),
    ("/api/pages/get_api_key", Caller::KeyManager),
    ("/api/pages/open_key_form", Caller::KeyManager),
    ("/api/pages/open_edit_form", Caller::KeyManager),
    ("/api/pages/generate_api_key", Caller::KeyManager),
    ("/api/pages/edit_api_key", Caller::KeyManager),
    ("/api/pages/rotate_api_key", Caller::KeyManager),
    ("/api/pages/revoke_api_key", Caller::KeyManager),
];

/// How long a request may take. The database's own limit is far below.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The whole service. It has to be served with `ConnectInfo<SocketAddr>` among the extensions of each request.
pub fn router(state: AppState) -> Router {
    let routes = routes();
    // Asking for the list also makes leptos find the runtime that it renders on.
    for page in leptos_axum::generate_route_list(app::App) {
        if !routes.iter().any(|route| route.path == page.path()) {
            tracing::error!(
                path = page.path(),
                "a page without a row in the route table is not served"
            );
        }
    }
    let mut api = Router::new();
    let mut gateways = Router::new();
    let mut pages = Router::new();
    let mut sign_in = Router::new();
    for route in routes {
        let handler = guarded(route.handler, &route.path, route.caller, &state);
        if route.caller == Caller::Gateway {
            gateways = gateways.route(&route.path, handler);
        } else if api::is_api(&route.path) {
            api = api.route(&route.path, handler);
        } else if route.path == app::urls::SIGN_IN {
            sign_in = sign_in.route(&route.path, handler);
        } else {
            pages = pages.route(&route.path, handler);
        }
    }
    let with_limit = |router: Router<AppState>, limit: usize| {
        router
            .method_not_allowed_fallback(answer_method_not_allowed)
            .layer(from_fn_with_state(limit, limit_body))
    };
    let pages = with_limit(pages, body_limit::PAGES)
        .merge(with_limit(sign_in, body_limit::SIGN_IN))
        .layer(from_fn_with_state(state.clone(), refuse_other_origins));
    Router::new()
        .merge(with_limit(api, body_limit::API))
        // Without a limit, because without a body: what headers say of the client's body is no promise that it comes.
        .merge(gateways)
        .merge(pages)
        .fallback(answer_not_found)
        // From here on the last one is the outermost.
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            TIMEOUT,
        ))
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(from_fn(write_problems))
        .layer(from_fn_with_state(state.clone(), add_security_headers))
        .layer(from_fn(name_request))
        .layer(from_fn_with_state(state.clone(), remember_client))
        .with_state(state)
}

/// Puts before a handler what its row asks for. The pages are not here: what they show to whom is theirs to say.
fn guarded(
    handler: MethodRouter<AppState>,
    path: &str,
    caller: Caller,
    state: &AppState,
) -> MethodRouter<AppState> {
    #[cfg(feature = "bench")]
    let handler = bench::guarded(handler, path, state);
    let state = state.clone();
    match caller {
        Caller::Key(permission) => {
            let permission = permission.map(|text| {
                text.parse()
                    .expect("the route table names permissions that are some")
            });
            handler.route_layer(from_fn_with_state(
                KeyGuard { state, permission },
                require_api_key,
            ))
        }
        Caller::SignedIn | Caller::KeyManager | Caller::SuperUser
            if path.starts_with(app::SERVER_FUNCTIONS) =>
        {
            handler.route_layer(from_fn_with_state(
                SessionGuard { state, caller },
                require_session,
            ))
        }
        // What a gateway asks for stands in its URL, so that the handler itself judges the key.
        Caller::Anyone
        | Caller::Gateway
        | Caller::SignedIn
        | Caller::KeyManager
        | Caller::SuperUser => handler,
    }
}

/// A route of the JSON API. Method and path are the handler's own; the path stands in the table too, to be found there.
fn api(path: &str, caller: Caller, route: UtoipaMethodRouter<AppState>) -> Route {
    let (documented, handler) = Documented::split(path, route);
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
    let (documented, _) = Documented::split(path, route);
    Route {
        documented: Some(documented),
        ..any_undocumented(path, caller, handler)
    }
}

fn any_undocumented<H, T>(path: &str, caller: Caller, handler: H) -> Route
where
    H: Handler<T, AppState>,
    T: 'static,
{
    Route {
        method: None,
        path: path.to_owned(),
        caller,
        handler: routing::any(handler),
        documented: None,
    }
}

fn get<H, T>(path: &str, caller: Caller, handler: H) -> Route
where
    H: Handler<T, AppState>,
    T: 'static,
{
    Route {
        method: Some(Method::GET),
        path: path.to_owned(),
        caller,
        handler: routing::get(handler),
        documented: None,
    }
}

fn post<H, T>(path: &str, caller: Caller, handler: H) -> Route
where
    H: Handler<T, AppState>,
    T: 'static,
{
    Route {
        method: Some(Method::POST),
        path: path.to_owned(),
        caller,
        handler: routing::post(handler),
        documented: None,
    }
}

fn page(path: &str, caller: Caller) -> Route {
    get(path, caller, render::render_page)
}

async fn answer_not_found(State(state): State<AppState>, request: Request) -> Response {
    if api::is_api(request.uri().path()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    render::render_not_found(&state, request).await
}

/// axum adds `Allow`.
async fn answer_method_not_allowed() -> impl IntoResponse {
    (StatusCode::METHOD_NOT_ALLOWED, "Not with this method.\n")
}

/// The message of a panic is for the log, where the panic itself has written it.
fn answer_panic(_panic: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a request panicked");
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "Latchkey made a mistake. Try again, or ask your operator.\n",
    )
        .into_response()
}
