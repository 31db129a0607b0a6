//! The security headers of every response.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::Config;

/// The content security policy of responses without one of their own. Pages set theirs, with a nonce.
const NOTHING: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'",
);
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
/// A year. Only sent where the public URL is https: over plain HTTP browsers ignore it.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// `no-transform` because a page's script expects the HTML unchanged by proxies.
pub(crate) const NO_TRANSFORM: HeaderValue = HeaderValue::from_static("no-store, no-transform");

/// Adds the headers that a response does not set itself.
pub(crate) fn add_security_headers(config: &Config, headers: &mut HeaderMap) {
    // One allocation for these and the request id.
    headers.reserve(8);
    let cache_control = if is_html(headers) {
        NO_TRANSFORM
    } else {
        HeaderValue::from_static("no-store")
    };
    let mut add = |name: HeaderName, value: HeaderValue| add_if_absent(headers, name, value);
    add(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    add(header::CONTENT_SECURITY_POLICY, NOTHING);
    add(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    add(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    // Every response but the bundle's files can contain tenant data, so nothing caches it.
    add(header::CACHE_CONTROL, cache_control);
    let is_https = (config.public_url.as_ref()).is_some_and(|url| url.scheme() == "https");
    if is_https {
        add(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
}

fn is_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

fn add_if_absent(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}
