//! The settings in force, for `latchkey config check`: without secrets, with every error.

use domain::store::encryption::EncryptionKeys;
use serde::Serialize;

use super::{
    Config, ConfigError, SETTINGS,
    database_url::masked,
    display,
    environment::{Environment, Source},
    table::{Secrecy, Setting},
};
use crate::output::Row;

/// A setting in force.
#[derive(Debug, Serialize)]
pub(crate) struct InForce {
    name: &'static str,
    /// The value, or `***` for a secret.
    value: String,
    /// `None` for the default.
    source: Option<Source>,
    error: Option<String>,
}

/// Every setting, and every error in one line each.
pub(crate) fn report() -> (Vec<InForce>, Vec<ConfigError>) {
    report_of(Environment::read(std::env::vars_os()))
}

fn report_of(mut environment: Environment) -> (Vec<InForce>, Vec<ConfigError>) {
    let mut errors = std::mem::take(&mut environment.errors);
    let settings = SETTINGS
        .iter()
        .map(|setting| {
            let set = environment.get(setting.name);
            let set = set.filter(|(text, _)| !text.is_empty());
            let error = set.and_then(|(text, _)| fault(setting, text));
            if let Some(problem) = &error {
                errors.push(ConfigError {
                    variable: setting.name.to_owned(),
                    problem: problem.clone(),
                });
            }
            InForce {
                name: setting.name,
                value: set.map_or_else(
                    || setting.default.to_owned(),
                    |(text, _)| shown(setting, text),
                ),
                source: set.map(|(_, source)| *source),
                error,
            }
        })
        .collect();
    if errors.is_empty() {
        let whole = Config::from_lookup(|name| environment.get(name).map(|(text, _)| text.clone()));
        errors.extend(whole.err());
        errors.extend(missing_key(&environment));
    }
    (settings, errors)
}

/// Why the encryption key is missing; `None` if nothing needs it. Stored secrets are not looked for, because no database is opened.
fn missing_key(environment: &Environment) -> Option<ConfigError> {
    let set = |name| {
        environment
            .get(name)
            .is_some_and(|(text, _)| !text.is_empty())
    };
    let requires = environment.get("LATCHKEY_REQUIRE_SECOND_FACTOR");
    let requires = requires.is_some_and(|(text, _)| text.eq_ignore_ascii_case("on"));
    let needed_by = if requires {
        "LATCHKEY_REQUIRE_SECOND_FACTOR"
    } else if set("LATCHKEY_ENCRYPTION_KEY_PREVIOUS") {
        "LATCHKEY_ENCRYPTION_KEY_PREVIOUS"
    } else {
        return None;
    };
    (!set("LATCHKEY_ENCRYPTION_KEY")).then(|| ConfigError {
        variable: "LATCHKEY_ENCRYPTION_KEY".to_owned(),
        problem: format!(
            "it is missing, and {needed_by} needs it: `latchkey generate-encryption-key` makes one"
        ),
    })
}

/// The reason for which a value is refused. A malformed encryption key is one although `serve` starts with it.
fn fault(setting: &Setting, text: &str) -> Option<String> {
    let is_encryption_key = setting.name.starts_with("LATCHKEY_ENCRYPTION_KEY");
    if is_encryption_key && !EncryptionKeys::is_key(text) {
        let problem = "it is not 32 bytes in base64: `latchkey generate-encryption-key` makes one";
        return Some(problem.to_owned());
    }
    (setting.check)(text)
}

/// The value for a terminal, with `***` in place of the password of a URL, also where none is accepted.
fn shown(setting: &Setting, text: &str) -> String {
    let is_url = text.contains("://");
    match setting.secrecy {
        // A database that is no URL may be a password alone, or a list of parameters with one.
        Secrecy::Secret if setting.name != "DATABASE_URL" || !is_url => "***".to_owned(),
        _ if is_url => display::one_line(&masked(text)),
        _ => display::one_line(text),
    }
}

impl Row for InForce {
    const HEADINGS: &'static [&'static str] = &["SETTING", "VALUE", "SOURCE"];

    fn cells(&self) -> Vec<String> {
        let source = match (&self.error, self.source) {
            (Some(_), _) => "invalid",
            (None, None) => "default",
            (None, Some(Source::Environment)) => "environment",
            (None, Some(Source::File)) => "file",
        };
        vec![self.name.to_owned(), self.value.clone(), source.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn report(variables: &[(&str, &str)]) -> (Vec<InForce>, Vec<ConfigError>) {
        let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        report_of(Environment::read(variables.iter().map(owned)))
    }

    fn cells(settings: &[InForce], name: &str) -> Vec<String> {
        let setting = settings.iter().find(|setting| setting.name == name);
        setting.expect(name).cells()[1..].to_vec()
    }

    #[test]
    fn each_setting_is_listed_once_with_its_value_and_source() {
        let (settings, errors) = report(&[
            ("LATCHKEY_LISTEN", "127.0.0.1:8080"),
            ("LATCHKEY_KEY_PREFIX", ""),
        ]);
        assert_eq!(errors, []);
        assert_eq!(settings.len(), SETTINGS.len());
        assert_eq!(
            cells(&settings, "LATCHKEY_LISTEN"),
            ["127.0.0.1:8080", "environment"]
        );
        assert_eq!(cells(&settings, "LATCHKEY_KEY_PREFIX"), ["lk", "default"]);
        assert_eq!(
            cells(&settings, "LATCHKEY_PUBLIC_URL"),
            ["from the request", "default"]
        );
    }

    #[test]
    fn every_error_is_reported_in_one_line() {
        let (settings, errors) = report(&[
            ("LATCHKEY_LISTEN", "here\nor there"),
            ("LATCHKEY_DRAIN_SECONDS", "5s"),
            ("LATCHKEY_PUBIC_URL", "https://keys.example"),
        ]);
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:?}");
        assert_eq!(cells(&settings, "LATCHKEY_LISTEN")[1], "invalid");
        assert!(!cells(&settings, "LATCHKEY_LISTEN")[0].contains('\n'));
    }

    #[test]
    fn the_password_of_the_database_is_masked() {
        for url in [
            "postgres://u:hidden@h/d",
            "postgres://h/d?password=hidden",
            "mysql://u:hidden@h/d",
        ] {
            let (settings, errors) = report(&[("DATABASE_URL", url)]);
            let whole = format!("{settings:?} {errors:?}");
            assert!(!whole.contains("hidden"), "{whole}");
        }
    }
}
