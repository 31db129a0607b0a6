//! The table of the settings: one row defines the variable, its field, type, parser, default and help text.

use super::ConfigError;

/// A row of the table, as the help and the check of names use it.
pub(super) struct Setting {
    /// The environment variable.
    pub(super) name: &'static str,
    /// The text of `--help`, without the default.
    pub(super) help: &'static str,
    /// The default as the help shows it.
    pub(super) default: &'static str,
    pub(super) secrecy: Secrecy,
    /// Parses a value; the error, if it is refused.
    pub(super) check: fn(&str) -> Option<String>,
}

/// Whether a setting's value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    Public,
    /// The value is or contains a secret. It can be in a file that the variable with `_FILE` names.
    Secret,
}

/// Makes the struct `Config`, the list `SETTINGS` and `Config::from_lookup` from the rows.
///
/// A row is `field: Type = "VARIABLE", parser, "default", "help";`. An empty variable counts as unset; then the parser gets the default. If
/// the default is no text that describes itself, `"" shown "words"` gives the words for the help. `, Secret` after the help marks a setting
/// whose value is never shown and can be in a file.
macro_rules! settings {
    ($(
        $(#[$doc:meta])+
        $field:ident: $kind:ty = $name:literal, $parse:expr, $default:literal $(shown $shown:literal)?, $help:literal $(, $secrecy:ident)?;
    )+) => {
        /// The validated settings.
        #[derive(Clone, Debug)]
        pub struct Config {
            $(
                #[doc = concat!("`", $name, "`:")]
                $(#[$doc])+
                pub $field: $kind,
            )+
            /// Whether `DATABASE_URL` names the database; otherwise it is the default.
            pub names_database: bool,
            /// The operator's login name (`SUDO_USER`, `DOAS_USER`, `LOGNAME`, `USER`), for the audit log.
            pub person: Option<String>,
        }

        /// Every setting, in the order of the help.
        const SETTINGS: &[$crate::config::table::Setting] = &[$(
            $crate::config::table::Setting {
                name: $name,
                help: $help,
                default: [$default $(, $shown)?][[$default $(, $shown)?].len() - 1],
                secrecy: $crate::config::table::secrecy(&[$($crate::config::table::Secrecy::$secrecy)?]),
                check: |text| {
                    let parse = $parse;
                    parse(text).err()
                },
            },
        )+];

        impl Config {
            /// Reads the settings through `lookup`, for tests, which share one environment.
            ///
            /// # Errors
            /// The first invalid value, or the first contradiction of two values.
            pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
                let set = |name: &str| lookup(name).filter(|text| !text.is_empty());
                let config = Self {
                    $($field: $crate::config::table::parsed($name, set($name).as_deref(), $default, $parse)?,)+
                    names_database: set("DATABASE_URL").is_some(),
                    person: names::PERSON
                        .into_iter()
                        .find_map(|name| person(&lookup(name)?)),
                };
                single_sign_on::check(&config)?;
                Ok(config)
            }
        }
    };
}

pub(super) use settings;

/// The mark of a row; `Public` without one.
pub(super) const fn secrecy(mark: &[Secrecy]) -> Secrecy {
    match mark {
        [mark, ..] => *mark,
        [] => Secrecy::Public,
    }
}

/// The value of the variable `name`: `text` parsed, or the default where it is unset.
pub(super) fn parsed<Value>(
    name: &str,
    text: Option<&str>,
    default: &str,
    parse: impl Fn(&str) -> Result<Value, String>,
) -> Result<Value, ConfigError> {
    parse(text.unwrap_or(default)).map_err(|problem| ConfigError {
        variable: name.to_owned(),
        problem,
    })
}
