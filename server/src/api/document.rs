//! `/api/v1/openapi.json`: the document of the API, put together from the route table. What a route takes and gives stands at its
//! handler; who may call it, and what follows from that, in its row.

use std::{collections::BTreeMap, sync::Arc};

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
        Components, Content, Header, HttpMethod, Info, ObjectBuilder, OpenApi, Paths, Ref, RefOr,
        Required, Response as Described, ResponseBuilder, Schema, Type,
        extensions::Extensions,
        path::{Operation, ParameterIn},
        request_body::RequestBody,
        security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::UtoipaMethodRouter;

use super::error::{PROBLEM_KINDS, ProblemBody, ProblemKind};
use crate::{caller::Caller, content_coding::compressible, state::AppState};

/// What the security scheme is called in the document.
const SCHEME: &str = "api_key";

/// What the document, which has no word for any method, lists for it. Not TRACE: browsers forbid it, and a client that is generated with
/// it does not compile.
const ANY_METHOD: [(HttpMethod, &str); 7] = [
    (HttpMethod::Get, "get"),
    (HttpMethod::Head, "head"),
    (HttpMethod::Post, "post"),
    (HttpMethod::Put, "put"),
    (HttpMethod::Patch, "patch"),
    (HttpMethod::Delete, "delete"),
    (HttpMethod::Options, "options"),
];

/// Where a handler names the codes of its own refusals, and where the document lists those of a response.
const CODES: &str = "x-codes";

/// Stands for the server's address, which a request is needed for.
const SERVER_PLACEHOLDER: &str = "{server}";

/// What a handler says of itself.
pub(crate) struct Documented {
    method: HttpMethod,
    /// As the document writes it.
    path: String,
    operation: Operation,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl Documented {
    /// Parts what a handler says of itself from the handler. `path` is the one of its row.
    ///
    /// # Panics
    /// Where the handler says another path: the server does not start then.
    pub(crate) fn from_handler(
        path: &str,
        (schemas, paths, handler): UtoipaMethodRouter<AppState>,
    ) -> (Self, MethodRouter<AppState>) {
        let (own, item) = paths
            .paths
            .into_iter()
            .next()
            .expect("`routes!` names a handler, which has a path");
        // OpenAPI has no wildcards.
        assert_eq!(own, path.replace("{*", "{"), "the row and its handler");
        let (method, operation) = [
            (HttpMethod::Get, item.get),
            (HttpMethod::Post, item.post),
            (HttpMethod::Patch, item.patch),
        ]
        .into_iter()
        .find_map(|(method, operation)| Some((method, operation?)))
        .expect("the API knows GET, POST and PATCH");
        let documented = Self {
            method,
            path: own,
            operation,
            schemas,
        };
        (documented, handler)
    }

    /// The method.
    pub(crate) const fn method(&self) -> Method {
        match self.method {
            HttpMethod::Post => Method::POST,
            HttpMethod::Patch => Method::PATCH,
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
        "API keys of a tenant: made, rotated, revoked and verified. Refusals are problems of RFC 9457, each with a stable `code`."
            .to_owned(),
    );
    let mut document = OpenApi::new(info, paths);
    document.components = Some(components);
    document
}

/// A body that may be absent is derived as one that may be `null`, which is another thing.
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

/// Adds what follows from who may call, and from what is taken: the permission, and the refusals of the route, each with its codes.
fn complete(operation: &mut Operation, caller: Caller, method: &HttpMethod) {
    operation.security = Some(match caller {
        Caller::Anyone => Vec::new(),
        _ => vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())],
    });
    let own = operation
        .extensions
        .take()
        .and_then(|mut extensions| extensions.remove(CODES))
        .and_then(|codes| serde_json::from_value::<Vec<String>>(codes).ok())
        .unwrap_or_default();
    if let Caller::Key(Some(permission)) = caller {
        operation.extensions = Some(Extensions::from_iter([(
            "x-permission".to_owned(),
            Value::from(permission),
        )]));
    }
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let takes = |name: &str, place: ParameterIn| {
        parameters.iter().any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.name == name && parameter.parameter_in == place,
            RefOr::Ref(_) => false,
        })
    };
    let mut codes = vec![
        "missing_api_key",
        "ambiguous_api_key",
        "invalid_api_key",
        "revoked_api_key",
        "expired_api_key",
        "tenant_suspended",
        "ip_not_allowed",
        "validation_failed",
        "unavailable",
    ];
    match caller {
        Caller::Gateway => codes.extend(["wrong_tenant", "missing_permission"]),
        Caller::Key(Some(_)) => codes.push("missing_permission"),
        _ => {}
    }
    if takes("id", ParameterIn::Path) {
        codes.push("not_found");
    }
    if takes("cursor", ParameterIn::Query) {
        codes.extend(["invalid_cursor", "too_many_requests"]);
    }
    if takes("If-Match", ParameterIn::Header) {
        codes.push("stale");
    }
    if caller != Caller::Gateway && matches!(method, HttpMethod::Post | HttpMethod::Patch) {
        codes.extend([
            "malformed_json",
            "payload_too_large",
            "request_timeout",
            "unsupported_media_type",
        ]);
    }
    codes.extend(own.iter().map(String::as_str));
    for code in &codes {
        assert!(
            PROBLEM_KINDS.iter().any(|kind| kind.code == *code),
            "{code} is no code of a problem"
        );
    }
    let mut refusals: BTreeMap<u16, Vec<&ProblemKind>> = BTreeMap::new();
    for kind in PROBLEM_KINDS
        .iter()
        .filter(|kind| codes.contains(&kind.code))
    {
        refusals.entry(kind.status.as_u16()).or_default().push(kind);
    }
    for (status, kinds) in refusals {
        let responses = &mut operation.responses.responses;
        responses.insert(status.to_string(), RefOr::T(refusal(status, &kinds)));
    }
}

/// A refusal as the document describes it.
fn refusal(status: u16, kinds: &[&ProblemKind]) -> Described {
    let schema = Ref::from_schema_name(ProblemBody::name());
    let text = |example: &str| {
        let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String));
        header.description = Some(example.to_owned());
        header
    };
    let description: Vec<_> = kinds
        .iter()
        .map(|kind| format!("`{}`: {}.", kind.code, kind.title))
        .collect();
    let codes: Vec<_> = kinds.iter().map(|kind| kind.code).collect();
    let response = ResponseBuilder::new()
        .description(description.join(" "))
        .content("application/problem+json", Content::new(Some(schema)));
    let mut response = match status {
        401 => response.header(
            header::WWW_AUTHENTICATE.as_str(),
            text("`ApiKey realm=\"latchkey\"`"),
        ),
        429 | 503 => response.header(header::RETRY_AFTER.as_str(), text("In how many seconds")),
        _ => response,
    }
    .build();
    response.extensions = Some(Extensions::from_iter([(
        CODES.to_owned(),
        Value::from(codes),
    )]));
    response
}

/// Names the constants of enums whose values another enum has too: a generator that makes one constant a value, such as that for Go,
/// would make the same one twice.
fn name_shared_constants(document: &mut Value) {
    let constant = |word: &str| word.replace(['.', '-', ':'], "_").to_uppercase();
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else {
        return;
    };
    let mut owners: BTreeMap<String, u32> = BTreeMap::new();
    for word in schemas.values().flat_map(words) {
        *owners.entry(constant(word)).or_default() += 1;
    }
    for (name, schema) in schemas {
        let names: Vec<_> = words(schema).map(&constant).collect();
        let is_shared = |constant: &String| owners.get(constant).is_some_and(|number| *number > 1);
        if names.iter().any(is_shared) {
            let prefix = snake_case(name).to_uppercase();
            let unique = names
                .into_iter()
                .map(|constant| match is_shared(&constant) {
                    true => format!("{prefix}_{constant}"),
                    false => constant,
                })
                .collect::<Vec<_>>();
            schema["x-enum-varnames"] = unique.into();
        }
    }
}

/// The values of an enum; none of another schema.
fn words(schema: &Value) -> impl Iterator<Item = &str> {
    schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// `ActorKind` is `actor_kind`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (index, character) in name.char_indices() {
        if character.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

/// Adds to each operation the command that calls it.
fn add_samples(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let Some(paths) = document["paths"].as_object_mut() else {
        return;
    };
    for (path, operations) in paths {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            let sample = sample(path, &method.to_uppercase(), operation, &schemas);
            operation["x-codeSamples"] = json!([{ "lang": "Shell", "source": sample }]);
        }
    }
}

fn sample(path: &str, method: &str, operation: &Value, schemas: &Value) -> String {
    let path = path
        .replace("{id}", "$KEY_ID")
        .replace("{tenant}", "acme")
        .replace("{permission}", "orders:read")
        .replace("{rest}", "orders/7");
    let query = match operation["operationId"].as_str().unwrap_or_default() {
        "list_api_keys" => "?status=active&limit=100",
        "list_audit_events" => "?action=api_key.revoked&from=2026-01-01",
        id if id.starts_with("forward_auth") && !path.contains("/for/") => {
            "?permission=orders:read"
        }
        _ => "",
    };
    let how = match method {
        "GET" => String::new(),
        "HEAD" => " --head".to_owned(),
        other => format!(" -X {other}"),
    };
    let mut command = format!("curl{how} \"$LATCHKEY{path}{query}\" \\\n  -H \"X-API-Key: $KEY\"");
    let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    if let Some(name) = body.as_str().and_then(|body| body.rsplit('/').next()) {
        let example = &schemas[name]["example"];
        command.push_str(&format!(
            " \\\n  -H 'Content-Type: application/json' \\\n  -d '{example}'"
        ));
    }
    command
}

/// The served document, as text around the place of the server's address.
pub(crate) struct ApiDocument {
    before_server: String,
    after_server: String,
}

impl ApiDocument {
    /// Serialises the document that [`build_document`] made.
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
