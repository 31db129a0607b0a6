//! The settings. The environment is read only here; an invalid value prevents the start.

mod database_url;
mod display;
mod environment;
mod error;
mod hidden;
mod names;
mod parse;
mod report;
pub(crate) mod single_sign_on;
mod table;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use domain::{
    client_address::TrustedProxies,
    key::format::KeyPrefix,
    store::{StoreOptions, encryption::EncryptionKeys, second_factor_options::SecondFactorOptions},
    tenant::MAX_KEY_LIMIT,
};
use url::Url;

use crate::logging::LogFormat;

pub use database_url::DatabaseUrl;
use environment::Environment;
pub use error::ConfigError;
pub use hidden::Hidden;
use parse::count;
pub(crate) use report::report;
pub use single_sign_on::{RoleMap, SsoSettings};

table::settings! {
    /// the database. It can contain a password.
    database_url: DatabaseUrl = "DATABASE_URL", parse::database_url,
        "sqlite://latchkey.db?mode=rwc", "sqlite://FILE?mode=rwc or postgres://…", Secret;

    /// where pages and API are served.
    listen: SocketAddr = "LATCHKEY_LISTEN", parse::address,
        "127.0.0.1:3000", "Address for HTTP/1.1";

    /// the address of `/metrics`; `None` serves none.
    metrics_listen: Option<SocketAddr> = "LATCHKEY_METRICS_LISTEN", parse::address_or_off,
        "off", "Address for Prometheus metrics, or off";

    /// an origin without a path; `None` takes it from each request.
    public_url: Option<Url> = "LATCHKEY_PUBLIC_URL", parse::origin,
        "" shown "from the request", "Origin of links and cookies; https makes cookies Secure";

    /// networks whose `X-Forwarded-For` is used.
    trusted_proxies: TrustedProxies = "LATCHKEY_TRUSTED_PROXIES", parse::proxies,
        "" shown "none", "CIDRs, comma-separated, whose X-Forwarded-For is used";

    /// the prefix of new secrets.
    key_prefix: KeyPrefix = "LATCHKEY_KEY_PREFIX", parse::key_prefix,
        "lk", "Prefix of new secrets";

    /// how many keys a new tenant may have.
    default_key_limit: u32 = "LATCHKEY_DEFAULT_KEY_LIMIT", |text| count(text, MAX_KEY_LIMIT, "10"),
        "10", "Key limit of new tenants";

    /// keys with at most this many days left expire soon.
    expiring_soon_days: u32 = "LATCHKEY_EXPIRING_SOON_DAYS", |text| count(text, MAX_SOON_DAYS, "30"),
        "30", "A key with at most this many days left is expiring soon";

    /// how many of a tenant's revoked keys are listed; the others are archived.
    revoked_keys_kept: u32 = "LATCHKEY_REVOKED_KEYS_KEPT", |text| count(text, MAX_REVOKED_KEYS, "10000"),
        "10000", "Number of a tenant's revoked keys that are listed; older ones are archived";

    /// how long the server still serves after a signal to stop, while `/readyz` answers 503.
    drain: Duration = "LATCHKEY_DRAIN_SECONDS", |text| count(text, MAX_DRAIN_SECONDS, "5").map(seconds),
        "5", "Seconds to keep serving after SIGTERM while /readyz returns 503";

    /// the key under which secrets are stored that must be readable again; 32 bytes in base64.
    encryption_key: Hidden = "LATCHKEY_ENCRYPTION_KEY", parse::hidden,
        "" shown "none", "Key under which second factors are stored: latchkey generate-encryption-key makes one", Secret;

    /// the key before, while its values are re-encrypted.
    encryption_key_previous: Hidden = "LATCHKEY_ENCRYPTION_KEY_PREVIOUS", parse::hidden,
        "" shown "none", "Previous key, for latchkey rotate-encryption-key", Secret;

    /// whether super users need a second factor.
    require_second_factor: bool = "LATCHKEY_REQUIRE_SECOND_FACTOR", parse::switch,
        "off", "Whether super users need a second factor: on or off";

    /// the target of "Contact support"; `None` makes it plain text.
    support_url: Option<Arc<str>> = "LATCHKEY_SUPPORT_URL", parse::support_url,
        "" shown "none", "Target of \"Contact support\": https://… or mailto:…";

    /// the provider of single sign-on; `None` without single sign-on.
    oidc_issuer: Option<Arc<str>> = "LATCHKEY_OIDC_ISSUER", single_sign_on::issuer,
        "" shown "none", "Issuer URL of the OpenID Connect provider; needs LATCHKEY_PUBLIC_URL";

    /// the identifier of Latchkey at the provider.
    oidc_client_id: Option<Arc<str>> = "LATCHKEY_OIDC_CLIENT_ID", single_sign_on::line,
        "" shown "none", "Client identifier at the provider";

    /// the secret of Latchkey at the provider; `None` for a public client.
    oidc_client_secret: Option<Hidden> = "LATCHKEY_OIDC_CLIENT_SECRET", single_sign_on::client_secret,
        "" shown "none", "Client secret at the provider; none for a public client", Secret;

    /// the text of the button.
    oidc_name: Arc<str> = "LATCHKEY_OIDC_NAME", single_sign_on::button,
        "Sign in with single sign-on", "Text of the button on the sign-in page";

    /// domains whose verified addresses link existing users.
    oidc_allowed_domains: Arc<[String]> = "LATCHKEY_OIDC_ALLOWED_DOMAINS", single_sign_on::domains,
        "" shown "none", "E-mail domains, comma-separated, whose verified addresses link existing users";

    /// the claim with the slug of a new user's tenant.
    oidc_tenant_claim: Option<Arc<str>> = "LATCHKEY_OIDC_TENANT_CLAIM", single_sign_on::line,
        "" shown "none", "Claim with the slug of a new user's tenant";

    /// the claim with the values of the role map.
    oidc_role_claim: Option<Arc<str>> = "LATCHKEY_OIDC_ROLE_CLAIM", single_sign_on::line,
        "" shown "none", "Claim with the values of LATCHKEY_OIDC_ROLE_MAP";

    /// roles by the values of the role claim.
    oidc_role_map: RoleMap = "LATCHKEY_OIDC_ROLE_MAP", single_sign_on::role_map,
        "" shown "none", "Roles by claim, e.g. admins=tenant_admin,staff=member; applied at each sign-in";

    /// whether users can sign in with a password.
    password_sign_in: bool = "LATCHKEY_PASSWORD_SIGN_IN", single_sign_on::on_or_off,
        "on", "off removes sign-in with a password";

    /// which log lines are written, as directives of `tracing-subscriber`.
    log: String = "RUST_LOG", parse::log_filter,
        "info", "off, error, warn, info, debug or trace";

    /// how log lines are written.
    log_format: LogFormat = "LATCHKEY_LOG_FORMAT", parse::log_format,
        "auto", "text, json, or auto: text on a terminal, JSON otherwise";
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
        let environment = Environment::read(std::env::vars_os());
        // Without its encryption key, a server still verifies keys; what needs the key states the fault.
        let errors = environment.errors.iter();
        let mut fatal =
            errors.filter(|error| !error.variable.starts_with("LATCHKEY_ENCRYPTION_KEY"));
        match fatal.next() {
            Some(error) => Err(error.clone()),
            None => Self::from_lookup(|name| environment.get(name).map(|(text, _)| text.clone())),
        }
    }

    /// The options for opening the store. `serves` is true for a server; a SQLite file has at most one.
    #[must_use]
    pub fn store_options(&self, serves: bool) -> StoreOptions {
        StoreOptions {
            database_url: self.database_url.as_str().to_owned(),
            serves,
            key_prefix: self.key_prefix.clone(),
            default_key_limit: self.default_key_limit,
            expiring_soon_days: self.expiring_soon_days,
            second_factor: SecondFactorOptions {
                keys: EncryptionKeys::new(
                    self.encryption_key.expose(),
                    self.encryption_key_previous.expose(),
                ),
                is_required_of_super_users: self.require_second_factor,
            },
        }
    }

    /// Whether the default database file exists.
    pub(crate) fn default_database_exists(&self) -> bool {
        std::path::Path::new(DEFAULT_FILE).exists()
    }
}

/// A login name for the audit log; `None` if it is not a plain short line.
fn person(text: &str) -> Option<String> {
    const LONGEST: usize = 64;
    let is_name = !text.is_empty() && text.chars().count() <= LONGEST;
    (is_name && domain::text::is_plain_line(text)).then(|| text.to_owned())
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(u64::from(number))
}

/// The settings as the help lists them.
pub(crate) fn help() -> String {
    names::help()
}

#[cfg(test)]
mod tests;
