//! Refuses cross-site requests that could change something with a user's session (CSRF).
//!
//! `tower_http::csrf::CsrfLayer` is close, but accepts three cases that section 7 of `docs/behaviour.md` refuses: a
//! `Sec-Fetch-Site: cross-site` beside the public URL's own `Origin`; an `Origin` of the right host and the wrong scheme; and a
//! request with the session cookie and neither header. Checking these before it would leave the layer nothing to decide.

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use domain::log_limit::{FAULT_LINES, LogLimit};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use tracing::Level;
use url::Url;

use crate::{
    config::Config,
    cookies::{Cookie, Cookies},
};

pub(crate) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

static LINES: LogLimit = LogLimit::new("requests from another origin", Level::WARN, FAULT_LINES);

/// Refuses unsafe requests from other origins. Covers every route that reads a cookie; not `/api/v1`, to which gateways forward a
/// browser's `Sec-Fetch-Site`.
pub(crate) fn refuse_other_origins(config: &Config, request: &Request) -> Option<Response> {
    let own = OwnOrigin {
        public_url: config.public_url.as_ref(),
        host: effective_host(request.uri(), request.headers()),
    };
    let cookies = Cookies::new(config);
    let has_session = [Cookie::Session, Cookie::PendingSignIn]
        .into_iter()
        .any(|cookie| cookies.is_sent(cookie, request.headers()));
    if is_allowed(request.method(), request.headers(), &own, has_session) {
        return None;
    }
    let shown = |name: &HeaderName| shown(request.headers().get(name));
    if LINES.admits_line() {
        tracing::warn!(
            origin = shown(&header::ORIGIN),
            sec_fetch_site = shown(&SEC_FETCH_SITE),
            host = own.host.unwrap_or_default(),
            public_url = config.public_url.as_ref().map_or("", Url::as_str),
            "refused a request from another origin. If it is this server's own page: LATCHKEY_PUBLIC_URL has to be the address that people type, or the proxy has to pass on the Host that the browser sends, with its port"
        );
    }
    let refusal = (
        StatusCode::FORBIDDEN,
        "This request does not come from a page of this site. Open the page again and repeat what you did. If it fails again, this server's address may be set wrongly: its operator finds the reason in its log.\n",
    );
    Some(refusal.into_response())
}

/// Whether a request is a navigation of this site or of the address bar, by a browser that reports it; not a prefetch.
pub(crate) fn is_own_navigation(headers: &HeaderMap) -> bool {
    let is_own = match only_value(headers, &SEC_FETCH_SITE) {
        Presence::Absent => true,
        Presence::One(site) => matches!(site, b"same-origin" | b"none"),
        Presence::Several => false,
    };
    is_own && !headers.contains_key("sec-purpose")
}

/// A header value as a log field, shortened to the length of an origin.
fn shown(value: Option<&HeaderValue>) -> String {
    const LONGEST: usize = 200;
    let text = value.map(|value| String::from_utf8_lossy(value.as_bytes()));
    text.unwrap_or_default().chars().take(LONGEST).collect()
}

/// The origin of this site.
struct OwnOrigin<'a> {
    public_url: Option<&'a Url>,
    host: Option<&'a str>,
}

impl OwnOrigin<'_> {
    /// Whether `origin` is this site's. Without a public URL any scheme matches, because a proxy may terminate TLS.
    fn is(&self, origin: &str) -> bool {
        match (self.public_url, self.host) {
            (Some(url), _) => url.origin().ascii_serialization() == origin,
            (None, Some(host)) => ["http://", "https://"]
                .iter()
                .filter_map(|scheme| origin.strip_prefix(scheme))
                .any(|authority| authority.eq_ignore_ascii_case(host)),
            (None, None) => false,
        }
    }
}

fn is_allowed(
    method: &Method,
    headers: &HeaderMap,
    own: &OwnOrigin<'_>,
    has_session: bool,
) -> bool {
    // Safe methods change nothing, and TRACE has no route.
    if matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    ) {
        return true;
    }
    match only_value(headers, &SEC_FETCH_SITE) {
        Presence::Absent => {}
        Presence::One(site) => return matches!(site, b"same-origin" | b"none"),
        Presence::Several => return false,
    }
    match only_value(headers, &header::ORIGIN) {
        // Not a browser: without a cookie there is no session to abuse.
        Presence::Absent => !has_session,
        Presence::One(origin) => std::str::from_utf8(origin).is_ok_and(|origin| own.is(origin)),
        Presence::Several => false,
    }
}

enum Presence<'a> {
    Absent,
    One(&'a [u8]),
    Several,
}

fn only_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Presence<'a> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Presence::Absent,
        (Some(line), None) => Presence::One(line.as_bytes()),
        (Some(_), Some(_)) => Presence::Several,
    }
}

/// The host of the request (RFC 9110, section 7.2): that of the request line, if it contains one.
pub(crate) fn effective_host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST)?.to_str().ok(),
    }
}
