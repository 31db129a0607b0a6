//! The one place where a domain error or a refusal becomes a status: RFC 9457 problems.

use axum::response::{IntoResponse, Response};
use domain::{Error, FieldError, key::verdict::Refusal};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::request_id::RequestId;

/// What a client does that cannot know whether its change was made.
const OUTCOME_UNKNOWN: &str = "The database did not confirm the change in time. Read the key or the list again, or repeat the request with the same Idempotency-Key.";

/// A request under `/api/v1` that is not answered as asked.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The key is not let through.
    Refused(Refusal),
    /// The call failed.
    Failed(Error),
    /// The body is no JSON, or says one thing twice.
    MalformedJson,
    /// The body is of another type than JSON.
    UnsupportedMediaType,
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

/// What the body of a refusal says. The code is for programs and never changes; title and detail are for people.
#[derive(Clone, Debug)]
struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: Option<String>,
    permission: Option<String>,
    errors: Option<Vec<FieldError>>,
}

impl Problem {
    const fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self {
            status,
            code,
            title,
            detail: None,
            permission: None,
            errors: None,
        }
    }

    fn of_refusal(refusal: &Refusal) -> Self {
        let (status, title) = match refusal {
            Refusal::MissingApiKey => (StatusCode::UNAUTHORIZED, "No API key was sent"),
            Refusal::AmbiguousApiKey => {
                (StatusCode::UNAUTHORIZED, "More than one API key was sent")
            }
            Refusal::InvalidApiKey => (StatusCode::UNAUTHORIZED, "The API key is not valid"),
            Refusal::RevokedApiKey => (StatusCode::UNAUTHORIZED, "The API key is revoked"),
            Refusal::ExpiredApiKey => (StatusCode::UNAUTHORIZED, "The API key is expired"),
            Refusal::TenantSuspended => (StatusCode::FORBIDDEN, "The tenant is suspended"),
            Refusal::IpNotAllowed => (
                StatusCode::FORBIDDEN,
                "The API key does not work from this address",
            ),
            Refusal::WrongTenant => (
                StatusCode::FORBIDDEN,
                "The API key belongs to another tenant",
            ),
            Refusal::MissingPermission(_) => {
                (StatusCode::FORBIDDEN, "The API key lacks a permission")
            }
        };
        let problem = Self::new(status, refusal.code(), title);
        match refusal {
            Refusal::MissingApiKey => Self {
                detail: Some("Send it in the header X-API-Key.".to_owned()),
                ..problem
            },
            Refusal::MissingPermission(permission) => Self {
                detail: Some(format!(
                    "This asks for the permission {permission}, which the key's authorization group lacks."
                )),
                permission: Some(permission.to_string()),
                ..problem
            },
            _ => problem,
        }
    }

    fn of_error(error: Error) -> Self {
        match error {
            Error::Invalid(errors) => Self {
                errors: Some(errors),
                ..Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "validation_failed",
                    "The input breaks a rule",
                )
            },
            Error::NotFound(_) => Self::of_status(StatusCode::NOT_FOUND),
            Error::AlreadyExists { .. } => Self::new(
                StatusCode::CONFLICT,
                "already_exists",
                "There is one of that name already",
            ),
            Error::KeyLimitReached { limit } => Self {
                detail: Some(format!("The tenant's limit is {limit}.")),
                ..Self::new(
                    StatusCode::CONFLICT,
                    "key_limit_reached",
                    "The tenant has as many keys as it may have",
                )
            },
            Error::KeyRevoked => Self::new(
                StatusCode::CONFLICT,
                "key_revoked",
                "The API key is revoked",
            ),
            Error::Stale => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "stale",
                "It was changed by someone else",
            ),
            Error::RequestReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The Idempotency-Key was used for another request",
            ),
            Error::RequestInFlight => Self::new(
                StatusCode::CONFLICT,
                "request_in_flight",
                "The same request is being worked on; ask again later",
            ),
            Error::FormTooOld => Self::new(
                StatusCode::CONFLICT,
                "form_too_old",
                "The form was opened too long ago",
            ),
            Error::Forbidden => Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Error::ExceedsOwnGrant => Self {
                detail: Some(
                    "Permissions, expiration date and addresses of the other key must lie within those of the key that asks, and no key changes itself."
                        .to_owned(),
                ),
                ..Self::new(
                    StatusCode::FORBIDDEN,
                    "exceeds_own_grant",
                    "An API key can hand out no more than it has",
                )
            },
            Error::ActorRefused(refusal) => Self::of_refusal(&refusal),
            Error::InvalidCursor => Self::new(
                StatusCode::BAD_REQUEST,
                "invalid_cursor",
                "The cursor is not one of this list",
            ),
            Error::TooManyRequests => Self::of_status(StatusCode::TOO_MANY_REQUESTS),
            Error::Unavailable(source) => {
                tracing::warn!(error = %source, "the database is not available");
                Self::of_status(StatusCode::SERVICE_UNAVAILABLE)
            }
            Error::OutcomeUnknown(source) => {
                tracing::warn!(error = %source, "the outcome of a change is unknown");
                Self {
                    detail: Some(OUTCOME_UNKNOWN.to_owned()),
                    ..Self::new(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "outcome_unknown",
                        "Nobody knows whether the change was made",
                    )
                }
            }
            Error::Internal(source) => {
                tracing::error!(error = %source, "internal error");
                Self::of_status(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// What is known where a layer or axum itself answered, and nothing but the status says why.
    fn of_status(status: StatusCode) -> Self {
        let (code, title) = match status {
            StatusCode::NOT_FOUND => ("not_found", "There is nothing here"),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "Not with this method"),
            StatusCode::PAYLOAD_TOO_LARGE => ("payload_too_large", "The body is too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => (
                "unsupported_media_type",
                "The body is not of a type that is understood",
            ),
            StatusCode::REQUEST_TIMEOUT => ("request_timeout", "The body did not come in time"),
            StatusCode::TOO_MANY_REQUESTS => (
                "too_many_requests",
                "Too many requests of this tenant at once; ask again later",
            ),
            StatusCode::SERVICE_UNAVAILABLE => {
                ("unavailable", "Not available just now; ask again later")
            }
            status if status.is_client_error() => ("bad_request", "The request is not understood"),
            _ => ("internal_error", "Internal error"),
        };
        Self::new(status, code, title)
    }
}

impl IntoResponse for ApiError {
    /// An answer without a body: [`write_problem`] writes it, which knows the request's name.
    fn into_response(self) -> Response {
        let problem = match self {
            Self::Refused(refusal) => Problem::of_refusal(&refusal),
            Self::Failed(error) => Problem::of_error(error),
            Self::MalformedJson => Problem::new(
                StatusCode::BAD_REQUEST,
                "malformed_json",
                "The body is not well-formed JSON",
            ),
            Self::UnsupportedMediaType => Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        };
        let mut response = problem.status.into_response();
        response.extensions_mut().insert(problem);
        response
    }
}

/// Why a request is not answered as asked (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// `urn:latchkey:problem:` and the code.
    r#type: String,
    /// The code in words.
    title: &'a str,
    /// That of the answer.
    status: u16,
    /// For programs. It never changes.
    code: &'a str,
    /// What is particular to this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    detail: Option<&'a str>,
    /// The permission that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    permission: Option<&'a str>,
    /// What is wrong with the input, all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<FieldError>>, nullable = false)]
    errors: Option<&'a [FieldError]>,
    /// Names the request in the log.
    request_id: String,
}

/// Gives a refusal under `/api/v1` its body, also that of axum, which knows statuses alone. Any other answer stays as it is.
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
        .unwrap_or_else(|| Problem::of_status(status));
    let body = ProblemBody {
        r#type: format!("urn:latchkey:problem:{}", problem.code),
        title: problem.title,
        status: status.as_u16(),
        code: problem.code,
        detail: problem.detail.as_deref(),
        permission: problem.permission.as_deref(),
        errors: problem.errors.as_deref(),
        request_id: request_id.to_string(),
    };
    let mut answer = (status, serde_json::to_vec(&body).unwrap_or_default()).into_response();
    let headers = answer.headers_mut();
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
    if let Some(allow) = parts.headers.get(header::ALLOW) {
        headers.insert(header::ALLOW, allow.clone());
    }
    answer
}
