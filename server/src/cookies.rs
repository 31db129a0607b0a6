//! The cookies: session, known device, a begun single sign-on, the change that the next page confirms, the theme, and the tenants that a super
//! user opened last.

use app::{
    done::{self, Done},
    theme::Theme,
};
use domain::session::SessionToken;
use http::{HeaderMap, HeaderValue, header};
use url::Url;

use crate::config::Config;

/// The lifetime of the cookies that outlive a session, in seconds: a year.
const LONG_MAX_AGE: u32 = 365 * 24 * 60 * 60;

/// A cookie of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The session. Ends with the browser, or earlier on the server after inactivity.
    Session,
    /// A successful earlier sign-in. Failed attempts of other clients do not use up the attempts of such a browser.
    Device,
    /// The browser that began a single sign-on.
    SingleSignOn,
    /// The change that the next page confirms, once.
    Done,
    /// A sign-in with a right password that waits for a code.
    PendingSignIn,
    /// The theme of the pages.
    Theme,
    /// The identifiers of the tenants that a super user opened last, at most five, for the menu.
    RecentTenants,
}

impl Cookie {
    /// Its name. `__Host-` makes browsers refuse it without `Secure`, with a `Domain`, or from another path.
    pub(crate) const fn name(self, is_https: bool) -> &'static str {
        match (self, is_https) {
            (Self::Session, false) => "latchkey_session",
            (Self::Session, true) => "__Host-latchkey_session",
            (Self::Device, false) => "latchkey_device",
            (Self::Device, true) => "__Host-latchkey_device",
            (Self::SingleSignOn, false) => "latchkey_sso",
            (Self::SingleSignOn, true) => "__Host-latchkey_sso",
            (Self::RecentTenants, false) => "latchkey_recent_tenants",
            (Self::RecentTenants, true) => "__Host-latchkey_recent_tenants",
            (Self::PendingSignIn, false) => "latchkey_pending_sign_in",
            (Self::PendingSignIn, true) => "__Host-latchkey_pending_sign_in",
            (Self::Theme, false) => "latchkey_theme",
            (Self::Theme, true) => "__Host-latchkey_theme",
            (Self::Done, false) => done::COOKIE,
            (Self::Done, true) => done::SECURE_COOKIE,
        }
    }
}

/// Reads and writes the cookies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cookies {
    is_https: bool,
}

impl Cookies {
    /// Cookies for the scheme of the public URL.
    pub(crate) fn new(config: &Config) -> Self {
        let scheme = config.public_url.as_ref().map(Url::scheme);
        Self {
            is_https: scheme == Some("https"),
        }
    }

    /// Whether the cookies are for https.
    pub(crate) const fn is_https(self) -> bool {
        self.is_https
    }

    /// The token in `cookie`. `None` if the browser sends two of that name: one of them was planted by another site.
    pub(crate) fn token(self, cookie: Cookie, request: &HeaderMap) -> Option<SessionToken> {
        let mut values = self.values(cookie, request);
        match (values.next(), values.next()) {
            (Some(value), None) => SessionToken::parse(value),
            _ => None,
        }
    }

    /// The tenants that were opened last, as [`Self::set_recent_tenants`] stored them. Empty if the browser sends none or several.
    pub(crate) fn recent_tenants(self, request: &HeaderMap) -> &str {
        let mut values = self.values(Cookie::RecentTenants, request);
        match (values.next(), values.next()) {
            (Some(value), None) => value,
            _ => "",
        }
    }

    /// `Set-Cookie` with the tenants that were opened last.
    pub(crate) fn set_recent_tenants(self, tenants: &str) -> Option<HeaderValue> {
        let max_age = format!("; Max-Age={LONG_MAX_AGE}");
        self.header(Cookie::RecentTenants, tenants, &max_age)
    }

    /// The change that the page confirms. `None` if the cookie is absent or has another form.
    pub(crate) fn done(self, request: &HeaderMap) -> Option<Done> {
        self.values(Cookie::Done, request).find_map(Done::parse)
    }

    /// The theme. The system's if the browser sends none, several, or another word.
    pub(crate) fn theme(self, request: &HeaderMap) -> Theme {
        let mut values = self.values(Cookie::Theme, request);
        match (values.next(), values.next()) {
            (Some(value), None) => Theme::from_word(value).unwrap_or_default(),
            _ => Theme::default(),
        }
    }

    /// `Set-Cookie` with the theme; it deletes the cookie for the system's.
    pub(crate) fn set_theme(self, theme: Theme) -> Option<HeaderValue> {
        if theme == Theme::System {
            return self.clear(Cookie::Theme);
        }
        let max_age = format!("; Max-Age={LONG_MAX_AGE}");
        self.header(Cookie::Theme, theme.as_str(), &max_age)
    }

    /// Whether the browser sends `cookie`, with any value.
    pub(crate) fn is_sent(self, cookie: Cookie, request: &HeaderMap) -> bool {
        self.values(cookie, request).next().is_some()
    }

    fn values(self, cookie: Cookie, request: &HeaderMap) -> impl Iterator<Item = &str> {
        let name = cookie.name(self.is_https);
        request
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| std::str::from_utf8(line.as_bytes()).ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(move |(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// `Set-Cookie` with `token`.
    pub(crate) fn set(self, cookie: Cookie, token: &SessionToken) -> Option<HeaderValue> {
        let max_age = match cookie {
            Cookie::Session | Cookie::Done | Cookie::RecentTenants | Cookie::Theme => String::new(),
            // The server ends it at the same time.
            Cookie::PendingSignIn => "; Max-Age=600".to_owned(),
            Cookie::Device => format!("; Max-Age={LONG_MAX_AGE}"),
            Cookie::SingleSignOn => "; Max-Age=600".to_owned(),
        };
        self.header(cookie, token.expose(), &max_age)
    }

    /// `Set-Cookie` with the change that the next page confirms.
    pub(crate) fn set_done(self, done: Done) -> Option<HeaderValue> {
        let max_age = format!("; Max-Age={}", done::MAX_AGE);
        self.header(Cookie::Done, &done.to_cookie(), &max_age)
    }

    /// `Set-Cookie` that deletes `cookie`.
    pub(crate) fn clear(self, cookie: Cookie) -> Option<HeaderValue> {
        self.header(cookie, "", "; Max-Age=0")
    }

    fn header(self, cookie: Cookie, value: &str, max_age: &str) -> Option<HeaderValue> {
        let name = cookie.name(self.is_https);
        let secure = if self.is_https { "; Secure" } else { "" };
        let text = format!("{name}={value}; HttpOnly; Path=/; SameSite=Lax{secure}{max_age}");
        let mut header = HeaderValue::from_str(&text).ok()?;
        // Hidden in the Debug output of headers.
        header.set_sensitive(true);
        Some(header)
    }
}
