//! `/api/v1/forward-auth`: gateways ask whether a request may go on, and learn whose it is.
//!
//! What they send of the client's request is judged by its key and its address alone. Its method, its path, its body and the headers
//! that describe the body are whatever the client chose; the body often does not come with them, so that nobody here waits for one.

use std::{borrow::Cow, str::FromStr};

use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use domain::{
    Error, FieldError,
    permission::Permission,
    tenant::Slug,
    verify::{Owner, Question, VerifiedKey},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request::Parts};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{error::ApiError, input::Input};
use crate::{api_key_layer::presented_key, client, clock, state::AppState};

/// What every path begins with that names tenant and permission.
const FOR: &str = "/api/v1/forward-auth/for/";
/// What stands for no tenant or no permission in a path.
const NONE: &str = "-";

/// What a name is encoded in: everything but what RFC 3986 leaves as it is.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Ask whether a request may go on
///
/// For nginx `auth_request`, Caddy `forward_auth`, Traefik `forwardAuth`: any method, without the body.
#[utoipa::path(
    get,
    path = "/api/v1/forward-auth",
    tag = "Gateways",
    params(
        ("permission" = Option<Permission>, Query, description = "What the key has to be allowed"),
        ("tenant" = Option<Slug>, Query, description = "The slug of the tenant whose key it has to be"),
    ),
    responses((status = 200, description = "It may go on")),
)]
pub(crate) async fn forward_auth(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    parts: Parts,
) -> Result<Response, ApiError> {
    let mut parameters = Input::from_query(query.as_deref().unwrap_or_default());
    // An empty value is refused: a gateway whose variable is empty must not ask for less than its configuration means.
    let permission = parameters.text("permission", |text| text.parse().map_err(|_| PERMISSION));
    let tenant = parameters.text("tenant", |text| text.parse().map_err(|_| TENANT));
    let (permission, tenant) = parameters.finish(Some((permission, tenant)))?;
    authorize(&state, permission, tenant, &parts).await
}

/// Ask whether a request may go on, for gateways that append the client's path
///
/// For Envoy `ext_authz`: what follows the permission is the client's own path and query, and is ignored.
#[utoipa::path(
    get,
    path = "/api/v1/forward-auth/for/{tenant}/{permission}/{rest}",
    tag = "Gateways",
    params(
        ("tenant" = String, Path, max_length = 63, pattern = "^(-|[a-z0-9]([a-z0-9-]*[a-z0-9])?)$", description = "The slug of the tenant whose key it has to be, or `-`"),
        ("permission" = String, Path, max_length = 64, pattern = "^(-|[a-z0-9-]+:[a-z0-9-]+)$", description = "What the key has to be allowed, or `-`"),
        ("rest" = String, Path, description = "The client's own path"),
    ),
    responses((status = 200, description = "It may go on")),
)]
pub(crate) async fn forward_auth_for(
    State(state): State<AppState>,
    parts: Parts,
) -> Result<Response, ApiError> {
    // Not by axum's extractor, which reads what follows too, and refuses a path of the client's that is no UTF-8.
    let path = parts.uri.path();
    let mut segments = path
        .strip_prefix(FOR)
        .unwrap_or_default()
        .splitn(3, '/')
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy());
    let mut errors = Vec::new();
    let tenant = segment(segments.next(), "tenant", TENANT, &mut errors);
    let permission = segment(segments.next(), "permission", PERMISSION, &mut errors);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors).into());
    }
    authorize(&state, permission, tenant, &parts).await
}

const PERMISSION: &str = "Must be a permission, such as orders:read";
const TENANT: &str = "Must be the slug of a tenant";

fn segment<T: FromStr>(
    text: Option<Cow<'_, str>>,
    name: &str,
    message: &str,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    let text = text.unwrap_or_default();
    if text == NONE {
        return None;
    }
    text.parse()
        .map_err(|_| errors.push(FieldError::new(name, message)))
        .ok()
}

async fn authorize(
    state: &AppState,
    permission: Option<Permission>,
    tenant: Option<Slug>,
    parts: &Parts,
) -> Result<Response, ApiError> {
    let question = Question {
        permission: permission.as_ref(),
        owner: tenant.as_ref().map_or(Owner::Any, Owner::Named),
    };
    let presented = presented_key(&parts.headers);
    let client = client::address_of(&parts.extensions);
    let verified = state
        .verifier
        .answer(question, presented, client, clock::now())
        .await??;
    Ok((StatusCode::OK, identity_headers(&verified)?).into_response())
}

/// Who it is. Each header is there whatever it says, empty too: a gateway copies those that it finds, and where one were missing it
/// could let the client's own through.
fn identity_headers(verified: &VerifiedKey) -> Result<HeaderMap, Error> {
    let name = utf8_percent_encode(verified.key().name.as_str(), NOT_UNRESERVED).to_string();
    let permissions: Vec<_> = verified
        .permissions()
        .iter()
        .map(Permission::as_str)
        .collect();
    let values = [
        ("x-tenant-id", verified.tenant().id.to_string()),
        ("x-tenant-slug", verified.tenant().slug.to_string()),
        ("x-api-key-id", verified.key().id.to_string()),
        ("x-api-key-name", name),
        ("x-permissions", permissions.join(",")),
    ];
    values
        .into_iter()
        .map(|(name, value)| {
            let value =
                HeaderValue::try_from(value).map_err(|error| Error::Internal(Box::new(error)))?;
            Ok((HeaderName::from_static(name), value))
        })
        .collect()
}
