//! `/api/v1/openapi.json`: the document of the API, put together from the route table. What a route takes and gives stands at its
//! handler; who may call it, and what follows from that, in its row.

use std::sync::LazyLock;

use axum::{
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use bytes::Bytes;
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

use super::error::ProblemBody;
use crate::{
    content_coding::compressible,
    router::{self, Caller},
    state::AppState,
};

/// What the security scheme is called in the document.
const SCHEME: &str = "api_key";

/// What the document, which has no word for any method, knows of them.
const ANY_METHOD: [(HttpMethod, &str); 8] = [
    (HttpMethod::Get, "get"),
    (HttpMethod::Head, "head"),
    (HttpMethod::Post, "post"),
    (HttpMethod::Put, "put"),
    (HttpMethod::Patch, "patch"),
    (HttpMethod::Delete, "delete"),
    (HttpMethod::Options, "options"),
    (HttpMethod::Trace, "trace"),
];

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
    pub(crate) fn split(
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

/// The document of these routes.
pub(crate) fn of(routes: impl IntoIterator<Item = (Documented, Caller)>) -> OpenApi {
    let mut paths = Paths::new();
    let mut schemas = Vec::new();
    ProblemBody::schemas(&mut schemas);
    schemas.push((ProblemBody::name().into_owned(), ProblemBody::schema()));
    for (mut route, caller) in routes {
        schemas.append(&mut route.schemas);
        if let Some(RefOr::T(body)) = &mut route.operation.request_body {
            name_optional_body(body);
        }
        complete(&mut route.operation, caller);
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

/// Adds what follows from who may call, and from what is taken: the permission, and the refusals that every such route has.
fn complete(operation: &mut Operation, caller: Caller) {
    operation.security = Some(match caller {
        Caller::Anyone => Vec::new(),
        _ => vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())],
    });
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
    let mut refusals = vec![
        (401, "The key is missing or not good"),
        (403, "The key may not do this"),
        (422, "The input breaks a rule; `errors` names each"),
        (503, "The database is not available; ask again later"),
    ];
    if takes("id", ParameterIn::Path) {
        refusals.push((404, "The tenant has none of that identifier"));
    }
    if takes("cursor", ParameterIn::Query) {
        refusals.extend([
            (400, "The cursor is not one of this list"),
            (429, "Too many lists of the tenant at once; ask again later"),
        ]);
    }
    if takes("If-Match", ParameterIn::Header) {
        refusals.push((412, "It was changed since it was read"));
    }
    if operation.request_body.is_some() {
        refusals.extend([
            (400, "The body is not well-formed JSON"),
            (408, "The body did not come in time"),
            (413, "The body is larger than 64 KiB"),
            (415, "The body is of another type than JSON"),
        ]);
    }
    for (status, description) in refusals {
        let responses = &mut operation.responses.responses;
        responses.insert(status.to_string(), RefOr::T(refusal(status, description)));
    }
}

/// A refusal as the document describes it.
fn refusal(status: u16, description: &str) -> Described {
    let schema = Ref::from_schema_name(ProblemBody::name());
    let text = |example: &str| {
        let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String));
        header.description = Some(example.to_owned());
        header
    };
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", Content::new(Some(schema)));
    match status {
        401 => response.header(
            header::WWW_AUTHENTICATE.as_str(),
            text("`ApiKey realm=\"latchkey\"`"),
        ),
        429 | 503 => response.header(header::RETRY_AFTER.as_str(), text("In how many seconds")),
        _ => response,
    }
    .build()
}

/// The document as JSON.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let document = of(router::routes()
        .into_iter()
        .filter_map(router::Route::documented));
    serde_json::to_value(document).unwrap_or_else(|error| json!({ "error": error.to_string() }))
});

static BYTES: LazyLock<Bytes> = LazyLock::new(|| DOCUMENT.to_string().into());

/// `GET /api/v1/openapi.json`
pub(crate) async fn read_document() -> Response {
    let kind = HeaderValue::from_static("application/json");
    compressible(([(header::CONTENT_TYPE, kind)], BYTES.clone()).into_response())
}
