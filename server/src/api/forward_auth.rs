//! `/api/v1/forward-auth`: decides for a gateway whether to forward a request, and returns the key's identity.
//!
//! The verdict depends only on the key and the client address. Method, path and the headers that describe the body come from the client;
//! the body is not read, because most gateways do not send it.

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

/// The path prefix of the variant with tenant and permission in the path.
const FOR: &str = "/api/v1/forward-auth/for/";
/// The placeholder in the path for any tenant or no permission.
const NONE: &str = "-";

/// Every character but the unreserved ones of RFC 3986.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Authorize a request
///
/// For nginx `auth_request`, Caddy `forward_auth`, Traefik `forwardAuth`: any method, without the body.
#[utoipa::path(
    get,
    path = "/api/v1/forward-auth",
    tag = "Gateways",
    params(
        ("permission" = Option<Permission>, Query, description = "The permission that the key must have"),
        ("tenant" = Option<Slug>, Query, description = "The slug of the tenant that the key must belong to"),
    ),
    responses((status = 200, description = "Forward the request")),
)]
pub(crate) async fn forward_auth(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    parts: Parts,
) -> Result<Response, ApiError> {
    let mut parameters = Input::from_query(query.as_deref().unwrap_or_default());
    // An empty value is refused: a gateway with an empty variable must not check less than its configuration requires.
    let permission = parameters.text("permission", |text| text.parse().map_err(|_| PERMISSION));
    let tenant = parameters.text("tenant", |text| text.parse().map_err(|_| TENANT));
    let (permission, tenant) = parameters.finish(Some((permission, tenant)))?;
    authorize(&state, permission, tenant, &parts).await
}

/// Authorize a request, for gateways that append the client's path
///
/// For Envoy `ext_authz`: what follows the permission is the client's own path and query, and is ignored.
#[utoipa::path(
    get,
    path = "/api/v1/forward-auth/for/{tenant}/{permission}/{rest}",
    tag = "Gateways",
    params(
        ("tenant" = String, Path, max_length = 63, pattern = "^(-|[a-z0-9]([a-z0-9-]*[a-z0-9])?)$", description = "The slug of the tenant that the key must belong to, or `-`"),
        ("permission" = String, Path, max_length = 64, pattern = "^(-|[a-z0-9-]+:[a-z0-9-]+)$", description = "The permission that the key must have, or `-`"),
        ("rest" = String, Path, description = "The client's own path"),
    ),
    responses((status = 200, description = "Forward the request")),
)]
pub(crate) async fn forward_auth_for(
    State(state): State<AppState>,
    parts: Parts,
) -> Result<Response, ApiError> {
    // axum's extractor would refuse a client's path that is not UTF-8.
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
        ..Question::default()
    };
    let presented = presented_key(&parts.headers);
    let client = client::address_of(&parts.extensions);
    let verified = state
        .verifier
        .answer(question, presented, client, clock::now())
        .await??;
    Ok((StatusCode::OK, identity_headers(&verified)?).into_response())
}

/// The identity headers. All of them are set, even if empty: a gateway would otherwise pass on a header that the client sent.
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
