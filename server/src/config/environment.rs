//! Reads the settings from the environment and from the files that `NAME_FILE` variables name.

use std::{collections::BTreeMap, ffi::OsString, fs::File, io::Read as _, path::Path};

use super::{ConfigError, display, names};

/// The source of a setting's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// The variable itself.
    Environment,
    /// The file that the variable with `_FILE` names.
    File,
}

/// The texts of the settings that are set, and the errors of those that cannot be read.
#[derive(Debug, Default)]
pub(super) struct Environment {
    values: BTreeMap<String, (String, Source)>,
    pub(super) errors: Vec<ConfigError>,
}

impl Environment {
    /// Reads `variables`. Unknown names, values that are not UTF-8 and unreadable files are errors.
    pub(super) fn read(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let name = name.to_string_lossy().into_owned();
            if let Err(error) = environment.add(&name, value) {
                environment.errors.push(error);
            }
        }
        environment
    }

    fn add(&mut self, name: &str, value: OsString) -> Result<(), ConfigError> {
        names::check(name)?;
        let setting = names::of_file(name);
        let is_read = setting.is_some() || names::is_setting(name) || names::PERSON.contains(&name);
        if !is_read {
            return Ok(());
        }
        let text =
            OsString::into_string(value).map_err(|_| error(name, "the value is not UTF-8"))?;
        let (name, text, source) = match setting {
            // An empty variable counts as unset.
            Some(_) if text.is_empty() => return Ok(()),
            Some(setting) => (setting, content(name, Path::new(&text))?, Source::File),
            None => (name, text, Source::Environment),
        };
        if text.is_empty() && name == "DATABASE_URL" {
            let problem = "'' is not a database: write one like sqlite://latchkey.db?mode=rwc or postgres://user:password@host/database, or leave it unset for the first";
            return Err(error(name, problem));
        }
        match self.values.get(name) {
            Some((other, _)) if !other.is_empty() && !text.is_empty() => {
                let problem = format!("{name}_FILE is set too: unset one of them");
                Err(error(name, &problem))
            }
            Some(_) if text.is_empty() => Ok(()),
            _ => {
                self.values.insert(name.to_owned(), (text, source));
                Ok(())
            }
        }
    }

    /// The text of a setting and its source.
    pub(super) fn get(&self, name: &str) -> Option<&(String, Source)> {
        self.values.get(name)
    }
}

/// The value in the file: its text without the line break at its end.
fn content(variable: &str, file: &Path) -> Result<String, ConfigError> {
    /// No setting is longer than a few hundred bytes.
    const MAX_BYTES: u64 = 64 * 1024;
    let quoted = display::quoted(&file.to_string_lossy());
    let failed = |problem: &str| error(variable, &format!("cannot read {quoted}: {problem}"));
    let opened = File::open(file).map_err(|error| failed(&error.to_string()))?;
    let mut bytes = Vec::new();
    opened
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(&error.to_string()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(failed("it is larger than 64 KiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(failed("it is empty"));
    }
    Ok(text.to_owned())
}

fn error(variable: &str, problem: &str) -> ConfigError {
    ConfigError {
        variable: display::one_line(variable),
        problem: display::one_line(problem),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Environment {
        let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        Environment::read(variables.iter().map(owned))
    }

    fn error_of(variables: &[(&str, &str)]) -> String {
        let errors = read(variables).errors;
        let [error] = errors.as_slice() else {
            panic!("one error: {errors:?}")
        };
        let line = error.to_string();
        assert!(!line.contains('\n'), "one line: {line:?}");
        line
    }

    #[test]
    fn a_secret_setting_can_be_in_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("database-url");
        let path = file.to_str().expect("UTF-8");
        for ending in ["", "\n", "\r\n"] {
            fs::write(&file, format!("postgres://u:hidden-word@h/d{ending}")).expect("written");
            let environment = read(&[("DATABASE_URL_FILE", path)]);
            assert_eq!(environment.errors, []);
            let expected = ("postgres://u:hidden-word@h/d".to_owned(), Source::File);
            assert_eq!(environment.get("DATABASE_URL"), Some(&expected));
        }
        let both = [
            ("DATABASE_URL", "sqlite://a.db"),
            ("DATABASE_URL_FILE", path),
        ];
        for order in [both, [both[1], both[0]]] {
            let expected = "DATABASE_URL: DATABASE_URL_FILE is set too: unset one of them";
            assert_eq!(error_of(&order), expected);
        }
        let unset = read(&[("DATABASE_URL", "sqlite://a.db"), ("DATABASE_URL_FILE", "")]);
        assert_eq!(unset.errors, []);
    }

    #[test]
    fn an_unreadable_file_is_refused_in_one_line_without_its_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("value");
        let path = file.to_str().expect("UTF-8");
        let refused = |expected: &str| {
            let line = error_of(&[("DATABASE_URL_FILE", path)]);
            assert!(
                line.starts_with("DATABASE_URL_FILE: cannot read '"),
                "{line}"
            );
            assert!(line.contains(expected), "{line}");
            assert!(!line.contains("hidden"), "{line}");
        };
        refused("No such file");
        fs::write(&file, "\n").expect("written");
        refused("it is empty");
        fs::write(&file, b"hidden\xff").expect("written");
        refused("it is not UTF-8");
        let mut large = fs::File::create(&file).expect("created");
        large
            .write_all("hidden".repeat(20_000).as_bytes())
            .expect("written");
        refused("it is larger than 64 KiB");
        fs::remove_file(&file).expect("removed");
        fs::create_dir(&file).expect("a folder");
        refused("directory");
    }

    #[test]
    fn p80_only_secret_settings_have_a_file() {
        for name in names::secrets() {
            assert_eq!(names::of_file(&format!("{name}_FILE")), Some(name));
        }
        let line = error_of(&[("LATCHKEY_LISTEN_FILE", "/run/listen")]);
        assert!(
            line.starts_with("LATCHKEY_LISTEN_FILE: there is no such setting"),
            "{line}"
        );
    }
}
