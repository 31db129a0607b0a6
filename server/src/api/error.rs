//! Maps domain errors and refusals to RFC 9457 problems.

use axum::response::{IntoResponse, Response};
use domain::{
    Error, FieldError,
    key::verdict::{AllowlistOf, Refusal},
    log_limit::DATABASE_UNAVAILABLE,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use crate::request_id::{self, RequestId};

/// A kind of problem.
#[derive(Debug)]
pub(crate) struct ProblemKind {
    /// A stable code for programs.
    pub(crate) code: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    /// The advice for the client, unless the problem has a more specific detail.
    pub(crate) remedy: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $status:ident, $code:literal, $title:literal, $remedy:literal;)*) => {
        $(const $name: &ProblemKind = &ProblemKind {
            code: $code,
            status: StatusCode::$status,
            title: $title,
            remedy: $remedy,
        };)*

        /// Every problem of the API, as listed in the OpenAPI document.
        pub(crate) const PROBLEM_KINDS: &[&ProblemKind] = &[$($name),*];
    };
}

kinds! {
    MALFORMED_JSON = BAD_REQUEST, "malformed_json", "The body is not well-formed JSON",
        "Send one JSON value in UTF-8, in which no object has a name twice.";
    INVALID_CURSOR = BAD_REQUEST, "invalid_cursor", "The cursor is invalid",
        "Start without a cursor. A next_cursor is valid for the same filters and sort only.";
    BAD_REQUEST = BAD_REQUEST, "bad_request", "The request is malformed",
        "Compare the request with the documentation at /api/docs.";
    MISSING_API_KEY = UNAUTHORIZED, "missing_api_key", "No API key was sent",
        "Send it in the header X-API-Key.";
    AMBIGUOUS_API_KEY = UNAUTHORIZED, "ambiguous_api_key", "More than one API key was sent",
        "Send the header X-API-Key once.";
    INVALID_API_KEY = UNAUTHORIZED, "invalid_api_key", "The API key is not valid",
        "Check that the secret was copied completely and that the key was not rotated since.";
    REVOKED_API_KEY = UNAUTHORIZED, "revoked_api_key", "The API key is revoked",
        "A revoked key stays refused. Generate a new key.";
    EXPIRED_API_KEY = UNAUTHORIZED, "expired_api_key", "The API key is expired",
        "Rotate the key with a later expiration date, or generate a new key.";
    TENANT_SUSPENDED = FORBIDDEN, "tenant_suspended", "The tenant is suspended",
        "The operator of this server can resume the tenant.";
    IP_NOT_ALLOWED = FORBIDDEN, "ip_not_allowed", "The client's address is not allowed",
        "Add the client's address to the key's IP allowlist, or send the request from an address in it.";
    WRONG_TENANT = FORBIDDEN, "wrong_tenant", "The API key belongs to another tenant",
        "Send a key of the tenant that the route or gateway requires.";
    MISSING_PERMISSION = FORBIDDEN, "missing_permission", "The API key lacks a permission",
        "Add the permission to the key's authorization group, or send a key of another group.";
    EXCEEDS_OWN_GRANT = FORBIDDEN, "exceeds_own_grant", "An API key cannot grant more than it has",
        "Permissions, expiration date and addresses of the other key must be within those of the calling key, and a key cannot change itself.";
    FORBIDDEN = FORBIDDEN, "forbidden", "Not allowed",
        "Ask an administrator of the tenant.";
    NOT_FOUND = NOT_FOUND, "not_found", "Not found",
        "Check the path and the identifier. Resources of other tenants are not found either.";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed",
        "The header Allow lists the methods of this path.";
    REQUEST_TIMEOUT = REQUEST_TIMEOUT, "request_timeout", "The body was not received in time",
        "Send the whole body within 20 seconds.";
    ALREADY_EXISTS = CONFLICT, "already_exists", "The name is already used",
        "Choose another name.";
    KEY_LIMIT_REACHED = CONFLICT, "key_limit_reached", "The tenant's key limit is reached",
        "Revoke a key, or ask the operator for a higher limit.";
    GROUP_IN_USE = CONFLICT, "group_in_use", "Keys have the authorization group",
        "Give the keys another group or revoke them first.";
    KEY_REVOKED = CONFLICT, "key_revoked", "The API key is revoked",
        "A revoked key cannot be changed. Generate a new key.";
    REQUEST_IN_FLIGHT = CONFLICT, "request_in_flight", "A request with this Idempotency-Key is in progress",
        "Repeat it in a few seconds with the same Idempotency-Key.";
    FORM_TOO_OLD = CONFLICT, "form_too_old", "The form was opened too long ago",
        "Open it again.";
    STALE = PRECONDITION_FAILED, "stale", "The resource was changed meanwhile",
        "Read it again and send the new ETag in If-Match.";
    PAYLOAD_TOO_LARGE = PAYLOAD_TOO_LARGE, "payload_too_large", "The body is too large",
        "Send at most 64 KiB.";
    UNSUPPORTED_MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The media type of the body is not supported",
        "Send JSON, with the header Content-Type: application/json and without Content-Encoding.";
    VALIDATION_FAILED = UNPROCESSABLE_ENTITY, "validation_failed", "The input is invalid",
        "`errors` lists each field with its rule.";
    IDEMPOTENCY_KEY_REUSED = UNPROCESSABLE_ENTITY, "idempotency_key_reused", "The Idempotency-Key was used for another request",
        "Send a new Idempotency-Key with a new request.";
    TOO_MANY_REQUESTS = TOO_MANY_REQUESTS, "too_many_requests", "Too many concurrent requests of this tenant",
        "Nothing was changed. Repeat the request after the number of seconds in Retry-After.";
    INTERNAL_ERROR = INTERNAL_SERVER_ERROR, "internal_error", "Internal error",
        "Report the request_id to the operator: the cause is in the server's log.";
    UNAVAILABLE = SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable",
        "Nothing was changed. Repeat the request after the number of seconds in Retry-After.";
    OUTCOME_UNKNOWN = SERVICE_UNAVAILABLE, "outcome_unknown", "The outcome of the change is unknown",
        "The database did not confirm the change in time. Read the key or the list again, or repeat the request with the same Idempotency-Key.";
}

/// A failed request under `/api/v1`.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The key was refused.
    Refused(Refusal),
    /// The call failed.
    Failed(Error),
    /// The body is not JSON, or an object repeats a name.
    MalformedJson,
    /// The body has a media type other than JSON.
    UnsupportedMediaType {
        /// The method of the request.
        method: Method,
    },
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The content of a problem body.
#[derive(Clone, Debug)]
struct Problem {
    kind: &'static ProblemKind,
    /// Replaces the kind's remedy.
    detail: Option<String>,
    permission: Option<String>,
    errors: Option<Vec<FieldError>>,
}

impl From<&'static ProblemKind> for Problem {
    fn from(kind: &'static ProblemKind) -> Self {
        Self {
            kind,
            detail: None,
            permission: None,
            errors: None,
        }
    }
}

/// The detail that lists the keys that use a group.
fn group_in_use(keys: u64, named: &[domain::id::KeyRef]) -> String {
    let names: Vec<_> = named.iter().map(|key| key.name.as_str()).collect();
    let more = keys.saturating_sub(named.len() as u64);
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!(
        "These keys have the group: {}{rest}. Give them another group or revoke them first.",
        names.join(", ")
    )
}

impl Problem {
    fn from_refusal(refusal: &Refusal) -> Self {
        let kind = match refusal {
            Refusal::MissingApiKey => MISSING_API_KEY,
            Refusal::AmbiguousApiKey => AMBIGUOUS_API_KEY,
            Refusal::InvalidApiKey => INVALID_API_KEY,
            Refusal::RevokedApiKey => REVOKED_API_KEY,
            Refusal::ExpiredApiKey => EXPIRED_API_KEY,
            Refusal::TenantSuspended => TENANT_SUSPENDED,
            Refusal::IpNotAllowed(AllowlistOf::Key) => IP_NOT_ALLOWED,
            Refusal::IpNotAllowed(AllowlistOf::Tenant) => {
                return Self {
                    detail: Some(
                        "The client's address is not in the allowlist of the tenant's security policy."
                            .to_owned(),
                    ),
                    ..IP_NOT_ALLOWED.into()
                };
            }
            Refusal::WrongTenant => WRONG_TENANT,
            Refusal::MissingPermission(permission) => {
                return Self {
                    detail: Some(format!(
                        "The request requires the permission {permission}, which the key's authorization group lacks."
                    )),
                    permission: Some(permission.to_string()),
                    ..MISSING_PERMISSION.into()
                };
            }
        };
        kind.into()
    }

    fn from_error(error: Error) -> Self {
        match error {
            Error::Invalid(errors) => Self {
                errors: Some(errors),
                ..VALIDATION_FAILED.into()
            },
            Error::NotFound(_) => NOT_FOUND.into(),
            Error::AlreadyExists { .. } => ALREADY_EXISTS.into(),
            Error::KeyLimitReached { limit } => Self {
                detail: Some(format!(
                    "The tenant's limit is {limit}. {}",
                    KEY_LIMIT_REACHED.remedy
                )),
                ..KEY_LIMIT_REACHED.into()
            },
            Error::GroupInUse { keys, named } => Self {
                detail: Some(group_in_use(keys, &named)),
                ..GROUP_IN_USE.into()
            },
            Error::KeyRevoked => KEY_REVOKED.into(),
            Error::Stale => STALE.into(),
            // A handler that accepts an idempotency key responds to a repeat itself.
            Error::Repeated { .. } | Error::RequestReused => IDEMPOTENCY_KEY_REUSED.into(),
            Error::RequestInFlight => REQUEST_IN_FLIGHT.into(),
            Error::FormTooOld => FORM_TOO_OLD.into(),
            Error::UserRule(rule) => Self {
                detail: Some(format!("{rule}.")),
                ..FORBIDDEN.into()
            },
            Error::Forbidden => FORBIDDEN.into(),
            Error::ExceedsOwnGrant => EXCEEDS_OWN_GRANT.into(),
            Error::ActorRefused(refusal) => Self::from_refusal(&refusal),
            Error::InvalidCursor => INVALID_CURSOR.into(),
            Error::TooManyRequests | Error::Throttled { .. } => TOO_MANY_REQUESTS.into(),
            Error::Unavailable(source) => {
                if DATABASE_UNAVAILABLE.admits_line() {
                    tracing::warn!(error = %source, "database unavailable");
                }
                UNAVAILABLE.into()
            }
            // No route of the API reads such a secret.
            Error::EncryptionKey(fault) => {
                tracing::error!(%fault, "stored secret not readable");
                UNAVAILABLE.into()
            }
            Error::OutcomeUnknown(source) => {
                tracing::warn!(error = %source, "commit not confirmed: outcome of the change unknown");
                OUTCOME_UNKNOWN.into()
            }
            Error::Internal(source) => {
                tracing::error!(error = %source, "internal error");
                INTERNAL_ERROR.into()
            }
        }
    }

    /// The problem of a response by axum, which has only a status.
    fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED => METHOD_NOT_ALLOWED,
            StatusCode::REQUEST_TIMEOUT => REQUEST_TIMEOUT,
            StatusCode::PAYLOAD_TOO_LARGE => PAYLOAD_TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => UNSUPPORTED_MEDIA_TYPE,
            StatusCode::TOO_MANY_REQUESTS => TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
            status if status.is_client_error() => BAD_REQUEST,
            _ => INTERNAL_ERROR,
        }
        .into()
    }
}

impl IntoResponse for ApiError {
    /// A response without a body: [`write_problem`] adds it with the request id.
    fn into_response(self) -> Response {
        let mut accepted = None;
        if matches!(self, Self::Refused(_)) {
            request_id::mark_logged();
        }
        let problem = match self {
            Self::Refused(refusal) => Problem::from_refusal(&refusal),
            Self::Failed(error) => Problem::from_error(error),
            Self::MalformedJson => MALFORMED_JSON.into(),
            Self::UnsupportedMediaType { method } => {
                accepted = match method {
                    Method::POST => Some(ACCEPT_POST),
                    Method::PATCH => Some(ACCEPT_PATCH),
                    _ => None,
                };
                UNSUPPORTED_MEDIA_TYPE.into()
            }
        };
        let mut response = problem.kind.status.into_response();
        if let Some(name) = accepted {
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(name, json);
        }
        response.extensions_mut().insert(problem);
        response
    }
}

/// The header that lists the accepted media types (Linked Data Platform 1.0, 7.1; RFC 5789, 3.1).
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The stable codes of problems. New ones may be added.
pub(crate) struct ProblemCode;

impl PartialSchema for ProblemCode {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "A stable code for programs. Codes never change; new ones may be added.",
            ))
            .enum_values(Some(PROBLEM_KINDS.iter().map(|kind| kind.code)))
            .into()
    }
}

impl ToSchema for ProblemCode {}

/// A failed request (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// `urn:latchkey:problem:` and the code.
    r#type: String,
    /// A short description of the code.
    title: &'a str,
    /// The HTTP status of the response.
    status: u16,
    /// The code.
    #[schema(value_type = ProblemCode)]
    code: &'a str,
    /// The remedy, or the specific cause.
    detail: &'a str,
    /// The missing permission.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    permission: Option<&'a str>,
    /// Every error in the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<FieldError>>, nullable = false)]
    errors: Option<&'a [FieldError]>,
    /// The request id in the server's log.
    request_id: String,
}

/// The detail in the response to a request that is refused for this reason.
pub(crate) fn refusal_detail(refusal: &Refusal) -> String {
    let problem = Problem::from_refusal(refusal);
    (problem.detail).unwrap_or_else(|| problem.kind.remedy.to_owned())
}

/// Adds the problem body to an error response under `/api/v1`, including those of axum. Other responses are unchanged.
pub(crate) fn write_problem(response: Response, request_id: RequestId) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let (parts, _) = response.into_parts();
    let problem = parts
        .extensions
        .get::<Problem>()
        .cloned()
        .unwrap_or_else(|| Problem::from_status(status));
    let body = ProblemBody {
        r#type: format!("urn:latchkey:problem:{}", problem.kind.code),
        title: problem.kind.title,
        status: status.as_u16(),
        code: problem.kind.code,
        detail: problem.detail.as_deref().unwrap_or(problem.kind.remedy),
        permission: problem.permission.as_deref(),
        errors: problem.errors.as_deref(),
        request_id: request_id.to_string(),
    };
    let mut response = (status, serde_json::to_vec(&body).unwrap_or_default()).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("ApiKey realm=\"latchkey\""),
        );
    }
    if matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    for name in [header::ALLOW, ACCEPT_POST, ACCEPT_PATCH] {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    response
}
