//! The names of the settings. An unknown `LATCHKEY_…` variable is refused, because a misspelt setting would silently have no effect.

use super::{display, error::ConfigError};

/// Every variable with its help text.
pub(super) const SETTINGS: &[(&str, &str)] = &[
    (
        "DATABASE_URL",
        "sqlite://FILE?mode=rwc or postgres://… [default: sqlite://latchkey.db?mode=rwc]",
    ),
    (
        "LATCHKEY_LISTEN",
        "Where it serves HTTP/1.1 [default: 127.0.0.1:3000]",
    ),
    (
        "LATCHKEY_METRICS_LISTEN",
        "Where Prometheus asks, or off [default: off]",
    ),
    (
        "LATCHKEY_PUBLIC_URL",
        "The address that people type [default: that of each request]",
    ),
    (
        "LATCHKEY_TRUSTED_PROXIES",
        "CIDRs, comma-separated, whose X-Forwarded-For is used [default: none]",
    ),
    (
        "LATCHKEY_KEY_PREFIX",
        "What new secrets begin with [default: lk]",
    ),
    (
        "LATCHKEY_DEFAULT_KEY_LIMIT",
        "How many keys a new tenant may have [default: 10]",
    ),
    (
        "LATCHKEY_EXPIRING_SOON_DAYS",
        "So many days left or fewer are soon [default: 30]",
    ),
    (
        "LATCHKEY_REVOKED_KEYS_KEPT",
        "How many of a tenant's revoked keys are listed; older ones are archived [default: 10000]",
    ),
    (
        "LATCHKEY_DRAIN_SECONDS",
        "How long it serves on after SIGTERM, while /readyz answers 503 [default: 5]",
    ),
    (
        "RUST_LOG",
        "off, error, warn, info, debug or trace [default: info]",
    ),
];

/// Whether `name` is a setting.
pub(super) fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|(setting, _)| *setting == name)
}

/// The settings as the help lists them.
pub(super) fn help() -> String {
    let lines = SETTINGS
        .iter()
        .map(|(name, text)| format!("  {name:<28} {text}\n"));
    format!(
        "Settings are environment variables:\n{}\nExample:\n  DATABASE_URL='sqlite://latchkey.db?mode=rwc' LATCHKEY_LISTEN=127.0.0.1:8080 latchkey serve\n",
        lines.collect::<String>()
    )
}

/// Variables with the operator's login name, most reliable first.
pub(super) const PERSON: [&str; 4] = ["SUDO_USER", "DOAS_USER", "LOGNAME", "USER"];

const PREFIX: &str = "LATCHKEY_";

/// Refuses a variable that resembles a setting but is none.
pub(super) fn check(name: &str) -> Result<(), ConfigError> {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return Ok(());
    };
    if is_setting(name) || is_service_link(rest) {
        return Ok(());
    }
    Err(ConfigError {
        variable: display::one_line(name),
        problem: format!("there is no such setting; the nearest is {}", nearest(name)),
    })
}

fn nearest(name: &str) -> &'static str {
    SETTINGS
        .iter()
        .map(|(setting, _)| *setting)
        .filter(|setting| setting.starts_with(PREFIX))
        .min_by_key(|setting| strsim::damerau_levenshtein(setting, name))
        .unwrap_or("LATCHKEY_LISTEN")
}

/// Whether the name is one that Kubernetes sets in each container for a service called `latchkey` or `latchkey-NAME`.
fn is_service_link(rest: &str) -> bool {
    rest.starts_with("SERVICE_")
        || rest == "PORT"
        || rest.starts_with("PORT_")
        || rest
            .split_once("_SERVICE_")
            .is_some_and(|(name, _)| !name.is_empty())
        || rest
            .split_once("_PORT")
            .is_some_and(|(name, _)| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p80_an_unknown_setting_is_refused_with_the_nearest_name() {
        for (name, nearest) in [
            ("LATCHKEY_PUBIC_URL", "LATCHKEY_PUBLIC_URL"),
            ("LATCHKEY_LISTN", "LATCHKEY_LISTEN"),
            ("LATCHKEY_TRUSTED_PROXYS", "LATCHKEY_TRUSTED_PROXIES"),
            ("LATCHKEY_listen", "LATCHKEY_LISTEN"),
        ] {
            let line = check(name).expect_err(name).to_string();
            assert_eq!(
                line,
                format!("{name}: there is no such setting; the nearest is {nearest}")
            );
        }
        for (name, _) in SETTINGS {
            check(name).expect(name);
            assert!(help().contains(name));
        }
    }

    #[test]
    fn p80_the_service_links_of_kubernetes_are_ignored() {
        for name in [
            "LATCHKEY_SERVICE_HOST",
            "LATCHKEY_SERVICE_PORT_HTTP",
            "LATCHKEY_PORT",
            "LATCHKEY_PORT_3000_TCP_ADDR",
            "LATCHKEY_METRICS_SERVICE_HOST",
            "LATCHKEY_METRICS_PORT",
            "LATCHKEY_METRICS_PORT_9090_TCP",
            "PATH",
        ] {
            check(name).expect(name);
        }
        for name in [
            "LATCHKEY__SERVICE_HOST",
            "LATCHKEY_SERVICES",
            "LATCHKEY_PORTS",
        ] {
            check(name).expect_err(name);
        }
    }
}
