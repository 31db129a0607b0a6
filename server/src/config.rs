//! The settings. The environment is read only here; an invalid value prevents the start.

mod display;
mod error;
mod names;

use std::{
    collections::BTreeMap, ffi::OsString, fmt, net::SocketAddr, str::FromStr, time::Duration,
};

use domain::{
    client_address::TrustedProxies, key::format::KeyPrefix, store::StoreOptions,
    tenant::MAX_KEY_LIMIT,
};
use url::Url;

pub(crate) use display::masked;
pub use error::ConfigError;

/// The validated settings.
#[derive(Clone)]
pub struct Config {
    /// `DATABASE_URL`. It can contain a password: print it only through [`Config::masked_database_url`].
    pub database_url: String,
    /// `LATCHKEY_LISTEN`: where pages and API are served.
    pub listen: SocketAddr,
    /// `LATCHKEY_METRICS_LISTEN`: the address of `/metrics`; `None` serves none.
    pub metrics_listen: Option<SocketAddr>,
    /// `LATCHKEY_PUBLIC_URL`: an origin without a path; `None` takes it from each request.
    pub public_url: Option<Url>,
    /// `LATCHKEY_TRUSTED_PROXIES`: networks whose `X-Forwarded-For` is used.
    pub trusted_proxies: TrustedProxies,
    /// `LATCHKEY_KEY_PREFIX`: the prefix of new secrets.
    pub key_prefix: KeyPrefix,
    /// `LATCHKEY_DEFAULT_KEY_LIMIT`: how many keys a new tenant may have.
    pub default_key_limit: u32,
    /// `LATCHKEY_EXPIRING_SOON_DAYS`: keys with at most this many days left expire soon.
    pub expiring_soon_days: u32,
    /// `LATCHKEY_REVOKED_KEYS_KEPT`: how many of a tenant's revoked keys are listed; the others are archived.
    pub revoked_keys_kept: u32,
    /// `LATCHKEY_DRAIN_SECONDS`: how long the server still serves after a signal to stop, while `/readyz` answers 503.
    pub drain: Duration,
    /// `RUST_LOG`: which log lines are written, as directives of `tracing-subscriber`.
    pub log: String,
    /// Whether `DATABASE_URL` names the database; otherwise it is the default.
    pub names_database: bool,
    /// The operator's login name (`SUDO_USER`, `DOAS_USER`, `LOGNAME`, `USER`), for the audit log.
    pub person: Option<String>,
}

/// The database in the working folder that is used if no setting names one.
pub(crate) const DEFAULT_FILE: &str = "latchkey.db";

/// The largest span for "expiring soon", in days: a hundred years.
const MAX_SOON_DAYS: u32 = 36_500;

/// The largest number of a tenant's revoked keys that can be listed.
const MAX_REVOKED_KEYS: u32 = 1_000_000;
/// The longest drain, in seconds: proxies detect a server that is not ready sooner.
const MAX_DRAIN_SECONDS: u32 = 300;

impl Config {
    /// Reads the environment. Empty variables count as unset, except `DATABASE_URL`, for which the default would be another database.
    ///
    /// # Errors
    /// The first invalid name or value.
    pub fn from_environment() -> Result<Self, ConfigError> {
        let mut settings = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            names::check(&name)?;
            if names::is_setting(&name) || names::PERSON.contains(&name.as_str()) {
                let value = OsString::into_string(value).map_err(|_| ConfigError {
                    variable: name.clone(),
                    problem: "the value is not UTF-8".to_owned(),
                })?;
                settings.insert(name, value);
            }
        }
        if settings.get("DATABASE_URL").is_some_and(String::is_empty) {
            return Err(ConfigError {
                variable: "DATABASE_URL".to_owned(),
                problem: "'' is not a database: write one like sqlite://latchkey.db?mode=rwc or postgres://user:password@host/database, or leave it unset for the first".to_owned(),
            });
        }
        Self::from_lookup(|name| settings.get(name).cloned())
    }

    /// Reads the settings through `lookup`, for tests, which share one environment.
    ///
    /// # Errors
    /// The first invalid value.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let settings = Settings(lookup);
        Ok(Self {
            database_url: settings.read(
                "DATABASE_URL",
                "sqlite://latchkey.db?mode=rwc",
                parse_database_url,
            )?,
            listen: settings.read("LATCHKEY_LISTEN", "127.0.0.1:3000", parse_address)?,
            metrics_listen: settings
                .optional("LATCHKEY_METRICS_LISTEN", parse_address_or_off)?
                .flatten(),
            public_url: settings.optional("LATCHKEY_PUBLIC_URL", parse_origin)?,
            trusted_proxies: settings.read("LATCHKEY_TRUSTED_PROXIES", "", parse_proxies)?,
            key_prefix: settings.read("LATCHKEY_KEY_PREFIX", "lk", |text| {
                KeyPrefix::from_str(text).map_err(|error| format!("{}: it {error}", quoted(text)))
            })?,
            default_key_limit: settings.read("LATCHKEY_DEFAULT_KEY_LIMIT", "10", |text| {
                parse_count(text, MAX_KEY_LIMIT, "10")
            })?,
            expiring_soon_days: settings.read("LATCHKEY_EXPIRING_SOON_DAYS", "30", |text| {
                parse_count(text, MAX_SOON_DAYS, "30")
            })?,
            revoked_keys_kept: settings.read("LATCHKEY_REVOKED_KEYS_KEPT", "10000", |text| {
                parse_count(text, MAX_REVOKED_KEYS, "10000")
            })?,
            drain: settings.read("LATCHKEY_DRAIN_SECONDS", "5", |text| {
                parse_count(text, MAX_DRAIN_SECONDS, "5")
                    .map(|seconds| Duration::from_secs(u64::from(seconds)))
            })?,
            log: settings.read("RUST_LOG", "info", parse_log)?,
            names_database: settings.is_set("DATABASE_URL"),
            person: names::PERSON
                .into_iter()
                .find_map(|name| person(&(settings.0)(name)?)),
        })
    }

    /// The options for opening the store. `serves` is true for a server; a SQLite file has at most one.
    #[must_use]
    pub fn store_options(&self, serves: bool) -> StoreOptions {
        StoreOptions {
            database_url: self.database_url.clone(),
            serves,
            key_prefix: self.key_prefix.clone(),
            default_key_limit: self.default_key_limit,
            expiring_soon_days: self.expiring_soon_days,
        }
    }

    /// Whether the default database file exists.
    pub(crate) fn default_database_exists(&self) -> bool {
        std::path::Path::new(DEFAULT_FILE).exists()
    }

    /// The database's URL with `***` in place of the password.
    #[must_use]
    pub fn masked_database_url(&self) -> String {
        masked(&self.database_url)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("database_url", &self.masked_database_url())
            .field("listen", &self.listen)
            .field("metrics_listen", &self.metrics_listen)
            .field("public_url", &self.public_url.as_ref().map(Url::as_str))
            .field("trusted_proxies", &self.trusted_proxies)
            .field("key_prefix", &self.key_prefix)
            .field("default_key_limit", &self.default_key_limit)
            .field("expiring_soon_days", &self.expiring_soon_days)
            .field("revoked_keys_kept", &self.revoked_keys_kept)
            .field("drain", &self.drain)
            .field("log", &self.log)
            .field("names_database", &self.names_database)
            .finish()
    }
}

struct Settings<Lookup>(Lookup);

impl<Lookup: Fn(&str) -> Option<String>> Settings<Lookup> {
    fn is_set(&self, variable: &str) -> bool {
        (self.0)(variable).is_some_and(|text| !text.is_empty())
    }

    fn optional<Value>(
        &self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<Value, String>,
    ) -> Result<Option<Value>, ConfigError> {
        debug_assert!(
            names::is_setting(variable),
            "{variable} is not in the list of settings"
        );
        match (self.0)(variable) {
            Some(text) if !text.is_empty() => parse(&text)
                .map(Some)
                .map_err(|problem| refused(variable, problem)),
            _ => Ok(None),
        }
    }

    fn read<Value>(
        &self,
        variable: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Result<Value, String>,
    ) -> Result<Value, ConfigError> {
        match self.optional(variable, &parse)? {
            Some(value) => Ok(value),
            None => parse(default).map_err(|problem| refused(variable, problem)),
        }
    }
}

/// A login name for the audit log; `None` if it is not a plain short line.
fn person(text: &str) -> Option<String> {
    const LONGEST: usize = 64;
    let is_name = !text.is_empty() && text.chars().count() <= LONGEST;
    (is_name && domain::text::is_plain_line(text)).then(|| text.to_owned())
}

fn refused(variable: &str, problem: String) -> ConfigError {
    ConfigError {
        variable: variable.to_owned(),
        problem,
    }
}

/// The settings as the help lists them.
pub(crate) fn help() -> String {
    names::help()
}

/// The value in an error message: one line, shortened, password masked.
fn quoted(text: &str) -> String {
    display::quoted(&masked(text))
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{} is not an address: write one like 127.0.0.1:3000",
            quoted(text)
        )
    })
}

/// An address, or `off` for none.
fn parse_address_or_off(text: &str) -> Result<Option<SocketAddr>, String> {
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

fn parse_database_url(text: &str) -> Result<String, String> {
    let refused = || {
        format!(
            "{} is not a database: write one like sqlite://latchkey.db?mode=rwc or postgres://user:password@host/database",
            quoted(text)
        )
    };
    if let Some(file) = text.strip_prefix("sqlite://") {
        let file = file.split_once('?').map_or(file, |(file, _)| file);
        // A database in memory belongs to one connection, and the store opens several.
        if file.is_empty() || file.contains(":memory:") || text.contains("mode=memory") {
            return Err(refused());
        }
        return Ok(text.to_owned());
    }
    let url = Url::parse(text).map_err(|_| refused())?;
    if !matches!(url.scheme(), "postgres" | "postgresql") || !url.has_authority() {
        return Err(refused());
    }
    check_tls(&url)?;
    Ok(text.to_owned())
}

/// Refuses invalid values of `sslmode` and unknown `ssl…` parameters: sqlx ignores unknown parameters with a warning, even those that
/// protect the connection.
fn check_tls(postgres: &Url) -> Result<(), String> {
    for (name, value) in postgres.query_pairs() {
        if name == "sslmode" {
            if !SSL_MODES.contains(&&*value) {
                return Err(format!(
                    "sslmode={}: write one of {}",
                    display::one_line(&value),
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

fn parse_origin(text: &str) -> Result<Url, String> {
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
    if good { Ok(url) } else { Err(refused()) }
}

fn parse_proxies(text: &str) -> Result<TrustedProxies, String> {
    text.parse().map_err(|error| {
        display::one_line(&format!(
            "{error}: write some like 10.0.0.0/8,192.0.2.7, separated by commas"
        ))
    })
}

fn parse_count(text: &str, most: u32, example: &str) -> Result<u32, String> {
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
fn parse_log(text: &str) -> Result<String, String> {
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

#[cfg(test)]
mod tests;
