//! How large a body may be, and in which form.

use axum::{
    body::{Body, HttpBody as _},
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

/// The largest body under `/api/v1`, in bytes.
pub(crate) const API: usize = 64 * 1024;
/// The largest body of a page's form or server function, in bytes.
pub(crate) const PAGES: usize = 256 * 1024;
/// The largest body of the sign-in form, in bytes: it takes three short fields from strangers.
pub(crate) const SIGN_IN: usize = 16 * 1024;

/// Reads the whole body before anything else does, and refuses one that is larger than the limit, whether it said so
/// (`Content-Length`) or not (chunked). No route of ours streams; what is behind this never holds more than the limit.
///
/// # Errors
/// The refusal.
pub(crate) async fn read_body(limit: usize, request: Request) -> Result<Request, Response> {
    if let Some(length) = declared_length(request.headers())
        && length > limit as u64
    {
        return Err(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    }
    // Nothing here unpacks: a small body that becomes a large one is refused as what it is.
    if request
        .headers()
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response());
    }
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    match Limited::new(body, limit).collect().await {
        Ok(collected) => {
            let body = Body::from(collected.to_bytes());
            Ok(Request::from_parts(parts, body))
        }
        Err(error) if is_length_limit(error.as_ref()) => {
            Err(StatusCode::PAYLOAD_TOO_LARGE.into_response())
        }
        Err(error) => {
            tracing::debug!(%error, "the body could not be read");
            Err(StatusCode::BAD_REQUEST.into_response())
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
