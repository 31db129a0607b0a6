//! The parsers of the settings' values. An error has one line: the value, shortened and without passwords, and what is accepted.

use std::{net::SocketAddr, str::FromStr, sync::Arc};

use domain::{client_address::TrustedProxies, key::format::KeyPrefix};
use url::Url;

use crate::logging::LogFormat;

use super::{
    database_url::{DatabaseUrl, masked},
    display::{self, one_line},
    hidden::Hidden,
};

/// The value in an error message: one line, shortened, password masked.
fn quoted(text: &str) -> String {
    display::quoted(&masked(text))
}

/// An address with a port.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{} is not an address: write one like 127.0.0.1:3000",
            quoted(text)
        )
    })
}

/// An address, or `off` for none.
pub(super) fn address_or_off(text: &str) -> Result<Option<SocketAddr>, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        format!(
            "{} is not an address: write one like 127.0.0.1:9090, or off",
            quoted(text)
        )
    })
}

/// The accepted values of `sslmode` (<https://www.postgresql.org/docs/current/libpq-ssl.html>), without `allow`, which does not require
/// TLS.
const SSL_MODES: [&str; 5] = ["disable", "prefer", "require", "verify-ca", "verify-full"];
const SSL_SETTINGS: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

pub(super) fn database_url(text: &str) -> Result<DatabaseUrl, String> {
    let refused = || {
        // A value that is no URL may be a password alone, or a list of parameters with one.
        let value = if text.contains("://") {
            quoted(text)
        } else {
            "the value, which is not shown,".to_owned()
        };
        format!(
            "{value} is not a database: write one like sqlite://latchkey.db?mode=rwc or postgres://user:password@host/database"
        )
    };
    if let Some(file) = text.strip_prefix("sqlite://") {
        let file = file.split_once('?').map_or(file, |(file, _)| file);
        // A database in memory belongs to one connection, and the store opens several.
        if file.is_empty() || file.contains(":memory:") || text.contains("mode=memory") {
            return Err(refused());
        }
        return Ok(DatabaseUrl::from(text.to_owned()));
    }
    let url = Url::parse(text).map_err(|_| refused())?;
    if !matches!(url.scheme(), "postgres" | "postgresql") || !url.has_authority() {
        return Err(refused());
    }
    check_tls(&url)?;
    Ok(DatabaseUrl::from(text.to_owned()))
}

/// Refuses invalid values of `sslmode` and unknown `ssl…` parameters: sqlx ignores unknown parameters with a warning, even those that
/// protect the connection.
fn check_tls(postgres: &Url) -> Result<(), String> {
    for (name, value) in postgres.query_pairs() {
        if name == "sslmode" {
            if !SSL_MODES.contains(&&*value) {
                return Err(format!(
                    "sslmode={}: write one of {}",
                    one_line(&value),
                    SSL_MODES.join(", ")
                ));
            }
        } else if name.starts_with("ssl") && !SSL_SETTINGS.contains(&&*name) {
            return Err(format!(
                "{}: TLS is set by {} and sslmode alone",
                display::quoted(&name),
                SSL_SETTINGS.join(", ")
            ));
        }
    }
    Ok(())
}

/// An origin without a path; `None` for an empty text.
pub(super) fn origin(text: &str) -> Result<Option<Url>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let refused = || {
        format!(
            "{} is not an origin: write one like https://keys.example, without a path",
            quoted(text)
        )
    };
    let url = Url::parse(text).map_err(|_| refused())?;
    let good = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if good { Ok(Some(url)) } else { Err(refused()) }
}

/// Networks, separated by commas; none for an empty text.
pub(super) fn proxies(text: &str) -> Result<TrustedProxies, String> {
    text.parse().map_err(|error| {
        one_line(&format!(
            "{error}: write some like 10.0.0.0/8,192.0.2.7, separated by commas"
        ))
    })
}

/// A whole number from 0 to `most`, written in digits alone; `example` is named in the error.
pub(super) fn count(text: &str, most: u32, example: &str) -> Result<u32, String> {
    let number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse::<u32>().ok())
        .flatten()
        .filter(|number| *number <= most);
    number.ok_or_else(|| {
        format!(
            "{} is not a number from 0 to {most}: write one like {example}",
            quoted(text)
        )
    })
}

/// Parses directives of `tracing-subscriber`. It would accept any bare word as a module's name, and `RUST_LOG=debgu` would silence the log;
/// here, a bare word must be a level.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let bare_words_are_levels = text
        .split(',')
        .map(str::trim)
        .filter(|directive| !directive.is_empty() && !directive.contains(['=', '[', '{', '}', ']']))
        .all(|directive| {
            LEVELS
                .iter()
                .any(|level| directive.eq_ignore_ascii_case(level))
        });
    let readable = tracing_subscriber::EnvFilter::builder().parse(text).is_ok();
    if bare_words_are_levels && readable {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{} is not a log filter: write off, error, warn, info, debug or trace, or parts like info,sqlx=warn",
            quoted(text)
        ))
    }
}

/// `text`, `json` or `auto`.
pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!(
            "{} is not a log format: write text, json or auto",
            quoted(text)
        )),
    }
}

/// A secret. A malformed encryption key is no error here: only what needs the key fails, and keys are still verified.
pub(super) fn hidden(text: &str) -> Result<Hidden, String> {
    Ok(Hidden::new(text))
}

/// `on` or `off`.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{} is neither on nor off", quoted(text))),
    }
}

/// The prefix of new secrets.
pub(super) fn key_prefix(text: &str) -> Result<KeyPrefix, String> {
    KeyPrefix::from_str(text).map_err(|error| format!("{}: it {error}", quoted(text)))
}

/// An https URL or a mail address as a `mailto` URL; `None` for an empty text.
pub(super) fn support_url(text: &str) -> Result<Option<Arc<str>>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let refused = || {
        format!(
            "{} is not an address of a support: write one like https://support.example/latchkey or mailto:support@example.com",
            quoted(text)
        )
    };
    let url = Url::parse(text).map_err(|_| refused())?;
    let is_good = match url.scheme() {
        "https" => url.has_host() && url.username().is_empty() && url.password().is_none(),
        "mailto" => url
            .path()
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()),
        _ => false,
    };
    if is_good {
        Ok(Some(url.as_str().into()))
    } else {
        Err(refused())
    }
}
