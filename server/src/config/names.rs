//! The names of the settings. A `LATCHKEY_…` variable that is none of them is refused: a misspelt setting would do nothing, silently.

use super::{ConfigError, display};

/// Every variable that is read.
pub(super) const SETTINGS: [&str; 10] = [
    "DATABASE_URL",
    "LATCHKEY_LISTEN",
    "LATCHKEY_METRICS_LISTEN",
    "LATCHKEY_PUBLIC_URL",
    "LATCHKEY_TRUSTED_PROXIES",
    "LATCHKEY_KEY_PREFIX",
    "LATCHKEY_DEFAULT_KEY_LIMIT",
    "LATCHKEY_EXPIRING_SOON_DAYS",
    "LATCHKEY_DRAIN_SECONDS",
    "RUST_LOG",
];

const PREFIX: &str = "LATCHKEY_";

/// Refuses a variable that looks like a setting and is none.
pub(super) fn check(name: &str) -> Result<(), ConfigError> {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return Ok(());
    };
    if SETTINGS.contains(&name) || is_service_link(rest) {
        return Ok(());
    }
    Err(ConfigError {
        variable: display::one_line(name),
        problem: format!("there is no such setting; the nearest is {}", nearest(name)),
    })
}

fn nearest(name: &str) -> &'static str {
    SETTINGS
        .into_iter()
        .filter(|setting| setting.starts_with(PREFIX))
        .min_by_key(|setting| strsim::damerau_levenshtein(setting, name))
        .unwrap_or("LATCHKEY_LISTEN")
}

/// Kubernetes sets these in each container for a service that is called `latchkey` or `latchkey-NAME`.
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
        for name in SETTINGS {
            check(name).expect(name);
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
