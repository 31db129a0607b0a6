//! The names of the settings. An unknown `LATCHKEY_…` variable is refused, because a misspelt setting would silently have no effect.

use super::{SETTINGS, display, error::ConfigError, table::Secrecy};

/// Whether `name` is a setting.
pub(super) fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name)
}

/// The names of the settings that a file can hold.
pub(super) fn secrets() -> impl Iterator<Item = &'static str> {
    SETTINGS
        .iter()
        .filter(|setting| setting.secrecy == Secrecy::Secret)
        .map(|setting| setting.name)
}

/// The secret setting whose value is in the file that the variable `name` names: `DATABASE_URL` for `DATABASE_URL_FILE`.
pub(super) fn of_file(name: &str) -> Option<&'static str> {
    let setting = name.strip_suffix("_FILE")?;
    secrets().find(|secret| *secret == setting)
}

/// The settings as the help lists them.
pub(super) fn help() -> String {
    let lines = SETTINGS.iter().map(|setting| {
        format!(
            "  {:<29} {} [default: {}]\n",
            setting.name, setting.help, setting.default
        )
    });
    format!(
        "Settings are environment variables:\n{}\nSettings with secrets can be in a file that a variable with _FILE names: {}.\n\nExample:\n  DATABASE_URL='sqlite://latchkey.db?mode=rwc' LATCHKEY_LISTEN=127.0.0.1:8080 latchkey serve\n",
        lines.collect::<String>(),
        secrets().collect::<Vec<_>>().join(", ")
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
    if is_setting(name) || of_file(name).is_some() || is_service_link(rest) {
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
        .map(|setting| setting.name)
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
        for setting in SETTINGS {
            check(setting.name).expect(setting.name);
            assert!(help().contains(setting.name));
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
