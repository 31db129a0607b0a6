//! How large a body may be, and in which form.

use axum::body::Body;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

/// The largest body under `/api/v1`, in bytes.
pub(crate) const API: usize = 64 * 1024;
/// The largest body of a page's form or server function, in bytes.
pub(crate) const PAGES: usize = 256 * 1024;
/// The largest body of the sign-in form, in bytes: it takes three short fields from strangers.
pub(crate) const SIGN_IN: usize = 16 * 1024;
/// The largest report of a page about itself, in bytes.
pub(crate) const PAGE_REPORT: usize = 256;

/// Refuses a body that says itself that it is larger than the limit, or packed.
///
/// # Errors
/// The refusal.
pub(crate) fn check_body(limit: usize, headers: &HeaderMap) -> Result<(), StatusCode> {
    if let Some(length) = declared_length(headers)
        && length > limit as u64
    {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    // Nothing here unpacks: a small body that becomes a large one is refused as what it is.
    if headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    Ok(())
}

/// Reads the whole body before anything else does, and refuses one that is larger than the limit, also where it did not say so
/// (chunked). No route of ours streams; what is behind this never holds more than the limit.
///
/// # Errors
/// The refusal.
pub(crate) async fn read_body(limit: usize, body: Body) -> Result<Body, StatusCode> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(Body::from(collected.to_bytes())),
        Err(error) if is_length_limit(error.as_ref()) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(error) => {
            tracing::debug!(%error, "the body could not be read");
            Err(StatusCode::BAD_REQUEST)
        }
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn is_length_limit(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.is::<LengthLimitError>()
        || error
            .source()
            .is_some_and(|source| source.is::<LengthLimitError>())
}
