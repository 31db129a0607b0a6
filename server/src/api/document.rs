//! `/api/v1/openapi.json`: the OpenAPI document, built from the route table. Handlers describe parameters, body and success; the row
//! of the table adds caller, permission and refusals.

mod constants;
mod responses;
mod samples;

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use http::{HeaderValue, Method, header};
use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, HttpMethod, Info, OpenApi, Paths, RefOr, Required, Schema,
        path::Operation,
        request_body::RequestBody,
        security::{ApiKey, ApiKeyValue, SecurityScheme},
    },
};
use utoipa_axum::router::UtoipaMethodRouter;

use constants::name_shared_constants;
use responses::{SCHEME, complete};
use samples::add_samples;

use crate::{
    api::error::ProblemBody, caller::Caller, content_coding::compressible, state::AppState,
};

/// The operations that the document lists for a route of any method. TRACE is left out: browsers forbid it, and a generated client that
/// has it does not compile.
const ANY_METHOD: [(HttpMethod, &str); 7] = [
    (HttpMethod::Get, "get"),
    (HttpMethod::Head, "head"),
    (HttpMethod::Post, "post"),
    (HttpMethod::Put, "put"),
    (HttpMethod::Patch, "patch"),
    (HttpMethod::Delete, "delete"),
    (HttpMethod::Options, "options"),
];

/// Replaced by the public URL for each request.
const SERVER_PLACEHOLDER: &str = "{server}";

/// The description of one handler.
pub(crate) struct Documented {
    method: HttpMethod,
    /// The path in OpenAPI notation.
    path: String,
    operation: Operation,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl Documented {
    /// Splits `routes!(handler)` into the description and the handler.
    ///
    /// # Panics
    /// If the handler's own path differs from `path`, that of its row. The server then does not start.
    pub(crate) fn from_handler(
        path: &str,
        (schemas, paths, handler): UtoipaMethodRouter<AppState>,
    ) -> (Self, MethodRouter<AppState>) {
        let (own, item) = paths
            .paths
            .into_iter()
            .next()
            .expect("`routes!` has a handler with a path");
        // OpenAPI has no wildcards.
        assert_eq!(
            own,
            path.replace("{*", "{"),
            "path of the row and of its handler"
        );
        let (method, operation) = [
            (HttpMethod::Get, item.get),
            (HttpMethod::Post, item.post),
            (HttpMethod::Patch, item.patch),
            (HttpMethod::Delete, item.delete),
        ]
        .into_iter()
        .find_map(|(method, operation)| Some((method, operation?)))
        .expect("a handler of GET, POST, PATCH or DELETE");
        let documented = Self {
            method,
            path: own,
            operation,
            schemas,
        };
        (documented, handler)
    }

    /// The method of the handler.
    pub(crate) const fn method(&self) -> Method {
        match self.method {
            HttpMethod::Post => Method::POST,
            HttpMethod::Patch => Method::PATCH,
            HttpMethod::Delete => Method::DELETE,
            _ => Method::GET,
        }
    }
}

/// The OpenAPI document of these routes as JSON, without the server's address.
pub(crate) fn build_document(routes: impl IntoIterator<Item = (Documented, Caller)>) -> Value {
    let mut document = serde_json::to_value(describe(routes))
        .unwrap_or_else(|error| json!({ "error": error.to_string() }));
    name_shared_constants(&mut document);
    add_samples(&mut document);
    document["servers"] = json!([{ "url": SERVER_PLACEHOLDER }]);
    document
}

fn describe(routes: impl IntoIterator<Item = (Documented, Caller)>) -> OpenApi {
    let mut paths = Paths::new();
    let mut schemas = Vec::new();
    ProblemBody::schemas(&mut schemas);
    schemas.push((ProblemBody::name().into_owned(), ProblemBody::schema()));
    for (mut route, caller) in routes {
        schemas.append(&mut route.schemas);
        if let Some(RefOr::T(body)) = &mut route.operation.request_body {
            name_optional_body(body);
        }
        complete(&mut route.operation, caller, &route.method);
        if caller == Caller::Gateway {
            for (method, word) in ANY_METHOD {
                let mut operation = route.operation.clone();
                operation.operation_id = operation.operation_id.map(|id| format!("{id}_{word}"));
                paths.add_path_operation(&route.path, vec![method], operation);
            }
        } else {
            paths.add_path_operation(route.path, vec![route.method], route.operation);
        }
    }
    let mut components = Components::new();
    components.schemas.extend(schemas);
    let scheme = ApiKey::Header(ApiKeyValue::with_description(
        "X-API-Key",
        "The secret of an API key.",
    ));
    components.add_security_scheme(SCHEME, SecurityScheme::ApiKey(scheme));
    let mut info = Info::new("Latchkey", "1");
    info.description = Some(
        "Create, rotate, revoke and verify a tenant's API keys. Refusals are problems of RFC 9457, each with a stable `code`."
            .to_owned(),
    );
    let mut document = OpenApi::new(info, paths);
    document.components = Some(components);
    document
}

/// Makes an optional body optional: utoipa derives it as required and nullable.
fn name_optional_body(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        if let RefOr::T(content) = content
            && let Some(RefOr::T(Schema::OneOf(either))) = &content.schema
            && let [body_itself @ RefOr::Ref(_), _] = either.items.as_slice()
        {
            content.schema = Some(body_itself.clone());
            body.required = Some(Required::False);
        }
    }
}

/// The serialised document, split where the server's address is inserted.
pub(crate) struct ApiDocument {
    before_server: String,
    after_server: String,
}

impl ApiDocument {
    /// Serialises a document from [`build_document`].
    pub(crate) fn new(document: &Value) -> Self {
        let text = document.to_string();
        let placeholder = Value::from(SERVER_PLACEHOLDER).to_string();
        let (before, after) = text.split_once(&placeholder).unwrap_or((&text, ""));
        Self {
            before_server: before.to_owned(),
            after_server: after.to_owned(),
        }
    }

    fn with_server(&self, url: &str) -> String {
        let url = Value::from(url).to_string();
        [&self.before_server, url.as_str(), &self.after_server].concat()
    }
}

/// `GET /api/v1/openapi.json`
pub(crate) async fn read_document(
    State(state): State<AppState>,
    Extension(document): Extension<Arc<ApiDocument>>,
) -> Response {
    let kind = HeaderValue::from_static("application/json");
    let server = state
        .config
        .public_url
        .as_ref()
        .map_or("/", |url| url.as_str().trim_end_matches('/'));
    let text = document.with_server(server);
    compressible(([(header::CONTENT_TYPE, kind)], text).into_response())
}
