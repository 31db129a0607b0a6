//! The layer that validates `X-API-Key`: section 4 of the specification, at the door.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use domain::{key::verdict::Refusal, permission::Permission, verify::Question};
use http::{HeaderMap, HeaderName};

use crate::{api::error::ApiError, client, clock, state::AppState};

const HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// What a route asks of a key.
#[derive(Clone, Debug)]
pub(crate) struct KeyGuard {
    pub(crate) state: AppState,
    /// `None` where any good key will do.
    pub(crate) permission: Option<Permission>,
}

/// Lets requests with a good key through, with the [`VerifiedKey`](domain::verify::VerifiedKey) among their extensions.
///
/// The header is the one place where a key is looked for: not the query, a cookie, the body or `Authorization`.
pub(crate) async fn require_api_key(
    State(guard): State<KeyGuard>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let question = Question {
        permission: guard.permission.as_ref(),
        ..Question::default()
    };
    let verified = guard
        .state
        .verifier
        .answer(
            question,
            presented_key(request.headers()),
            client::of(request.extensions()),
            clock::now(),
        )
        .await??;
    tracing::debug!(key_id = %verified.key.id, tenant = %verified.tenant.slug, "key accepted");
    request.extensions_mut().insert(verified);
    Ok(next.run(request).await)
}

/// The one value of the header. One that is not visible ASCII is no key either.
pub(crate) fn presented_key(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut lines = headers.get_all(HEADER).iter();
    let line = lines.next().ok_or(Refusal::MissingApiKey)?;
    if lines.next().is_some() {
        return Err(Refusal::AmbiguousApiKey);
    }
    line.to_str().map_err(|_| Refusal::InvalidApiKey)
}
