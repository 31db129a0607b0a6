//! The real binary, with an environment and a database of its own.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::turns::wait_for_turn;

/// `latchkey` with a temporary folder, which holds its database and is gone when this is dropped.
pub(crate) struct Latchkey {
    folder: TempDir,
    environment: BTreeMap<&'static str, String>,
}

impl Latchkey {
    /// On an empty database; a server listens on any free port.
    pub(crate) fn new() -> Self {
        wait_for_turn();
        let folder = TempDir::new().expect("a temporary folder");
        let database = folder.path().join("latchkey.db");
        let environment = BTreeMap::from([
            (
                "DATABASE_URL",
                format!("sqlite://{}?mode=rwc", database.display()),
            ),
            ("LATCHKEY_LISTEN", "127.0.0.1:0".to_owned()),
            // Where it is not the subject of a test, nobody waits for proxies.
            ("LATCHKEY_DRAIN_SECONDS", "0".to_owned()),
            ("TMPDIR", folder.path().display().to_string()),
        ]);
        Self {
            folder,
            environment,
        }
    }

    /// With another value of an environment variable.
    pub(crate) fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.environment.insert(variable, value.to_owned());
        self
    }

    /// The temporary folder; the commands' working and temporary folder too.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The command, not yet started. Nothing of the environment of the tests reaches it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        command
            .args(arguments)
            .current_dir(self.folder())
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, whatever that is.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::from(self.command(arguments).output().expect("latchkey runs"))
    }

    /// Runs a command that has to end well with `--json`, and returns what it answers.
    pub(crate) fn answer(&self, arguments: &[&str]) -> Value {
        let run = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(&run.ended_well().stdout).expect("JSON")
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

impl Run {
    /// It ended with 0.
    #[track_caller]
    pub(crate) fn ended_well(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// It ended with 1, answered nothing, and its errors are lines that begin so.
    #[track_caller]
    pub(crate) fn failed_with(&self, lines: &[&str]) {
        assert_eq!(
            (self.code, self.stdout.as_str()),
            (Some(1), ""),
            "{}",
            self.stderr
        );
        let errors: Vec<_> = self
            .stderr
            .lines()
            .filter_map(|line| line.strip_prefix("error: "))
            .collect();
        assert_eq!(errors.len(), lines.len(), "{}", self.stderr);
        for (error, line) in errors.iter().zip(lines) {
            assert!(error.starts_with(line), "{error:?} begins with {line:?}");
        }
    }
}
