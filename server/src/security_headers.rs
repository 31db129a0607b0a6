//! The headers that tell a browser what it must not do with an answer.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::Config;

/// What an answer without a policy of its own may load: nothing. The pages bring theirs, with the nonce of their scripts.
const NOTHING: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'",
);
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
/// A year. Only sent where the public URL is https: over plain HTTP browsers ignore it.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// HTML that a proxy rewrites, such as an e-mail address in it, is not what the page's script expects.
pub(crate) const NO_TRANSFORM: HeaderValue = HeaderValue::from_static("no-store, no-transform");

/// Adds to an answer what it has not set itself.
pub(crate) fn add_security_headers(config: &Config, headers: &mut HeaderMap) {
    // Room for these and the request's name at once: a map that grows moves what it has.
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
    // Whatever is not a file of the bundle is somebody's data: in no cache, also not behind the back button.
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
