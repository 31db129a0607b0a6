//! Completes an operation from its row of the route table: security, permission, refusals, response headers.

use std::collections::BTreeMap;

use http::header;
use serde_json::Value;
use utoipa::{
    ToSchema as _,
    openapi::{
        Content, Header, HttpMethod, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type,
        extensions::Extensions,
        path::{Operation, ParameterIn},
        security::SecurityRequirement,
    },
};

use crate::{
    api::error::{PROBLEM_KINDS, ProblemBody, ProblemKind},
    caller::Caller,
};

/// The name of the security scheme in the document.
pub(super) const SCHEME: &str = "api_key";

/// The extension in which a handler lists the problem codes of its own refusals; in the document, those of a response.
const CODES: &str = "x-codes";

/// The extension in which a handler lists the headers of its successful response. It is removed from the document.
const RESPONSE_HEADERS: &str = "x-response-headers";

/// Response headers that handlers refer to by name, with their descriptions.
const DESCRIBED_HEADERS: [(&str, &str); 8] = [
    ("ETag", "The key's entity tag"),
    (
        "Idempotency-Replayed",
        "`true` if an earlier request with this Idempotency-Key made the change",
    ),
    ("Location", "The key's path"),
    ("X-Api-Key-Id", "The key's identifier"),
    ("X-Api-Key-Name", "The key's name, percent-encoded UTF-8"),
    (
        "X-Permissions",
        "The permissions of the key, separated by commas",
    ),
    ("X-Tenant-Id", "The tenant's identifier"),
    ("X-Tenant-Slug", "The tenant's slug"),
];

/// The headers with the key's identity, which a gateway forwards.
const IDENTITY_HEADERS: [&str; 5] = [
    "X-Tenant-Id",
    "X-Tenant-Slug",
    "X-Api-Key-Id",
    "X-Api-Key-Name",
    "X-Permissions",
];

/// Adds what follows from the caller and the parameters.
///
/// # Panics
/// If a handler names an unknown code or header.
pub(super) fn complete(operation: &mut Operation, caller: Caller, method: &HttpMethod) {
    operation.security = Some(match caller {
        Caller::ANYONE => Vec::new(),
        _ => vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())],
    });
    let own_codes = take_list(operation, CODES);
    let mut headers = take_list(operation, RESPONSE_HEADERS);
    operation.extensions = match caller {
        Caller::Key(Some(permission)) => Some(Extensions::from_iter([(
            "x-permission".to_owned(),
            Value::from(permission),
        )])),
        _ => None,
    };
    if caller == Caller::Gateway {
        headers.extend(IDENTITY_HEADERS.map(str::to_owned));
    }
    if takes(operation, "Idempotency-Key", &ParameterIn::Header) {
        headers.push("Idempotency-Replayed".to_owned());
    }
    add_headers(operation, &headers);
    let codes = refusal_codes(operation, caller, method, &own_codes);
    add_refusals(operation, &codes);
}

/// Removes an extension and returns its list of texts; empty if it is absent.
fn take_list(operation: &mut Operation, extension: &str) -> Vec<String> {
    let value = operation
        .extensions
        .as_mut()
        .and_then(|extensions| extensions.remove(extension));
    value
        .and_then(|list| serde_json::from_value(list).ok())
        .unwrap_or_default()
}

fn takes(operation: &Operation, name: &str, place: &ParameterIn) -> bool {
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    parameters.iter().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.name == name && parameter.parameter_in == *place,
        RefOr::Ref(_) => false,
    })
}

/// Adds headers to the successful response.
fn add_headers(operation: &mut Operation, names: &[String]) {
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else {
            continue;
        };
        for name in names {
            let (_, description) = DESCRIBED_HEADERS
                .iter()
                .find(|(described, _)| described == name)
                .unwrap_or_else(|| panic!("{name} is not a described response header"));
            response
                .headers
                .insert(name.clone(), text_header(description).into());
        }
    }
}

fn refusal_codes<'a>(
    operation: &Operation,
    caller: Caller,
    method: &HttpMethod,
    own: &'a [String],
) -> Vec<&'a str> {
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
    if caller == Caller::OwnKey {
        codes.retain(|code| !matches!(*code, "tenant_suspended" | "ip_not_allowed"));
    }
    match caller {
        Caller::Gateway => codes.extend(["wrong_tenant", "missing_permission"]),
        // A tenant whose requests wait for too many lists is refused another one.
        Caller::Key(Some(_)) => codes.extend(["missing_permission", "too_many_requests"]),
        _ => {}
    }
    if takes(operation, "id", &ParameterIn::Path) {
        codes.push("not_found");
    }
    if takes(operation, "cursor", &ParameterIn::Query) {
        codes.push("invalid_cursor");
    }
    if takes(operation, "If-Match", &ParameterIn::Header) {
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
    codes
}

/// Adds one response per status of these problem codes.
fn add_refusals(operation: &mut Operation, codes: &[&str]) {
    for code in codes {
        assert!(
            PROBLEM_KINDS.iter().any(|kind| kind.code == *code),
            "{code} is not a problem code"
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

fn text_header(description: &str) -> Header {
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String));
    header.description = Some(description.to_owned());
    header
}

/// The response of one status, with the codes of its problems.
fn refusal(status: u16, kinds: &[&ProblemKind]) -> Response {
    let schema = Ref::from_schema_name(ProblemBody::name());
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
            text_header("`ApiKey realm=\"latchkey\"`"),
        ),
        429 | 503 => response.header(
            header::RETRY_AFTER.as_str(),
            text_header("Seconds until a repeat makes sense"),
        ),
        _ => response,
    }
    .build();
    response.extensions = Some(Extensions::from_iter([(
        CODES.to_owned(),
        Value::from(codes),
    )]));
    response
}
