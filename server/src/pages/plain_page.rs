//! Responses with a document that runs no script.

use app::ssr::CONTENT_SECURITY_POLICY_WITHOUT_SCRIPTS;
use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};

use crate::security_headers::NO_TRANSFORM;

/// A page that runs no script and that no proxy may change.
pub(super) fn without_scripts(status: StatusCode, page: String) -> Response {
    let mut response = (status, Html(page)).into_response();
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY_WITHOUT_SCRIPTS);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::CACHE_CONTROL, NO_TRANSFORM);
    response
}
