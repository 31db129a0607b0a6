//! Validates `X-API-Key` in a route's guard: section 4 of `docs/behaviour.md`.

use axum::extract::Request;
use domain::{key::verdict::Refusal, verify::Question};
use http::{HeaderMap, HeaderName};

use crate::{api::error::ApiError, client, clock, request_id, state::AppState};

const HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// Verifies the key and stores the [`VerifiedKey`](domain::verify::VerifiedKey) in the request's extensions.
///
/// A key is accepted in this header only: not in the query, a cookie, the body or `Authorization`.
///
/// # Errors
/// The refusal; [`ApiError::Failed`] without a verdict.
pub(crate) async fn admit_key(
    state: &AppState,
    question: Question<'_>,
    request: &mut Request,
) -> Result<(), ApiError> {
    let verified = state
        .verifier
        .answer(
            question,
            presented_key(request.headers()),
            client::address_of(request.extensions()),
            clock::now(),
        )
        .await??;
    tracing::debug!(key_id = %verified.key().id, tenant = %verified.tenant().slug, "key accepted");
    request_id::mark_authenticated();
    request.extensions_mut().insert(verified);
    Ok(())
}

/// The single value of the header. One that is not visible ASCII is an invalid key.
pub(crate) fn presented_key(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut lines = headers.get_all(HEADER).iter();
    let line = lines.next().ok_or(Refusal::MissingApiKey)?;
    if lines.next().is_some() {
        return Err(Refusal::AmbiguousApiKey);
    }
    line.to_str().map_err(|_| Refusal::InvalidApiKey)
}
