//! The URLs of the pages. The one place that puts a super user's tenant into them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The page of the keys.
pub const API_KEYS: &str = "/tenant-api-keys";
/// The form that makes a key.
pub const GENERATE: &str = "/tenant-api-keys/new";
/// The user's own page, and the target of its form, which changes the password.
pub const ACCOUNT: &str = "/account";
/// Where one signs in: the page, and the form's target.
pub const SIGN_IN: &str = "/sign-in";
/// The target of the button Sign out.
pub const SIGN_OUT: &str = "/sign-out";

/// The prefix of every server function.
pub const SERVER_FUNCTIONS: &str = "/api/pages";

/// The characters that are not escaped in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Percent-encodes the value of a parameter.
fn encode(value: &str) -> String {
    utf8_percent_encode(value, QUERY).to_string()
}

/// `path` with these parameters; those that are empty are left out.
#[must_use]
pub fn with_parameters(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut url = path.to_owned();
    let mut separator = '?';
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        url.push(separator);
        url.push_str(name);
        url.push('=');
        url.push_str(&encode(value));
        separator = '&';
    }
    url
}

/// The sign-in page that leads back to `return_to`, a path with its query.
#[must_use]
pub fn sign_in(return_to: &str) -> String {
    with_parameters(SIGN_IN, &[("return_to", return_to)])
}

/// `target` where it is a path of this site, for the redirect after sign-in. Anything that a browser could read as another host
/// (`//host`, `/\host`, also with white space or control characters that it would skip) is refused.
#[must_use]
pub fn local_path(target: &str) -> Option<&str> {
    let mut bytes = target.bytes();
    let local = bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && target
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    // The sign-in page itself would only lead round in a circle.
    let circle = target == SIGN_IN || target.starts_with("/sign-in?") || target == SIGN_OUT;
    (local && !circle).then_some(target)
}

/// The tenant that stands in the URL: a super user's on every page, link, form and server function; nobody else's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantQuery(pub Option<String>);

impl TenantQuery {
    /// `path` in the same tenant.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        self.url_with(path, &[])
    }

    /// `path` with these parameters, in the same tenant.
    #[must_use]
    pub fn url_with(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut all = vec![("tenant", self.0.as_deref().unwrap_or_default())];
        all.extend_from_slice(parameters);
        with_parameters(path, &all)
    }
}
