//! The database's URL, which can contain a password.

use std::fmt;

/// The URL of the database. `Debug` masks its password.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL with its password.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL with `***` in place of the password.
    #[must_use]
    pub(crate) fn masked(&self) -> String {
        masked(&self.0)
    }
}

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.masked())
    }
}

/// A URL with `***` in place of passwords, even if the URL cannot be parsed: the value of every password parameter, and the text between
/// the first colon and the last `@`.
pub(super) fn masked(url: &str) -> String {
    let url = without_password_parameters(url);
    let (start, rest) = match url.find("://") {
        Some(scheme) => url.split_at(scheme + "://".len()),
        None => ("", url.as_str()),
    };
    match rest.rsplit_once('@') {
        Some((user, place)) => match user.split_once(':') {
            Some((name, _)) => format!("{start}{name}:***@{place}"),
            None => url,
        },
        None => url,
    }
}

fn without_password_parameters(url: &str) -> String {
    url.split_inclusive(['?', '&'])
        .map(|part| {
            let (body, end) = match part.strip_suffix(['?', '&']) {
                Some(body) => (body, &part[body.len()..]),
                None => (part, ""),
            };
            match body.split_once('=') {
                Some((name, _)) if name.to_ascii_lowercase().contains("password") => {
                    format!("{name}=***{end}")
                }
                _ => part.to_owned(),
            }
        })
        .collect()
}
