//! Limits on request bodies: size, content coding, time.

use std::{mem, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

/// The largest body under `/api/v1`, in bytes.
pub(crate) const API: usize = 64 * 1024;
/// The largest body of a page's form or server function, in bytes.
pub(crate) const PAGES: usize = 256 * 1024;
/// The largest body of the sign-in form, in bytes. The form has three short fields and needs no session.
pub(crate) const SIGN_IN: usize = 16 * 1024;
/// The largest report of a page, in bytes.
pub(crate) const PAGE_REPORT: usize = 256;

/// The limit on receiving a whole body. Shorter than the request timeout, which would blame the server (503).
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// Refuses a body by its headers: too large, or with a content coding.
///
/// # Errors
/// The refusal.
pub(crate) fn check_body(limit: usize, headers: &HeaderMap) -> Result<(), StatusCode> {
    if let Some(length) = declared_length(headers)
        && length > limit as u64
    {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    // No route decompresses bodies.
    if headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    Ok(())
}

/// Replaces the body by its whole content.
///
/// # Errors
/// The refusal of a body that is too slow, too large or incomplete.
pub(crate) async fn receive_body(limit: usize, request: &mut Request) -> Result<(), Response> {
    receive_with_timeout(BODY_TIMEOUT, limit, request).await
}

async fn receive_with_timeout(
    timeout: Duration,
    limit: usize,
    request: &mut Request,
) -> Result<(), Response> {
    let body = mem::take(request.body_mut());
    let refusal = match tokio::time::timeout(timeout, collect_body(limit, body)).await {
        Ok(Ok(body)) => {
            *request.body_mut() = body;
            return Ok(());
        }
        Ok(Err(refusal)) => refusal,
        Err(_elapsed) => StatusCode::REQUEST_TIMEOUT,
    };
    let mut response = refusal.into_response();
    if refusal == StatusCode::REQUEST_TIMEOUT {
        // RFC 9110, section 15.5.9. The rest of the body would be taken for the next request.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    Err(response)
}

/// Reads the whole body up to the limit, also without `Content-Length` (chunked). No route streams.
///
/// # Errors
/// The refusal.
async fn collect_body(limit: usize, body: Body) -> Result<Body, StatusCode> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(Body::from(collected.to_bytes())),
        Err(error) if is_length_limit(error.as_ref()) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(error) => {
            tracing::debug!(%error, "request body incomplete");
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Bytes, to_bytes};
    use futures_util::stream;

    #[tokio::test]
    async fn a_body_that_does_not_come_in_time_is_its_clients_fault() {
        let endless = stream::pending::<Result<Bytes, std::io::Error>>();
        let mut request = Request::new(Body::from_stream(endless));
        let refusal = receive_with_timeout(Duration::from_millis(1), API, &mut request)
            .await
            .unwrap_err();
        assert_eq!(refusal.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(refusal.headers()[header::CONNECTION], "close");

        let mut request = Request::new(Body::from("all of it"));
        receive_with_timeout(Duration::from_secs(60), API, &mut request)
            .await
            .unwrap();
        let body = to_bytes(request.into_body(), API).await.unwrap();
        assert_eq!(body, "all of it");
    }
}
