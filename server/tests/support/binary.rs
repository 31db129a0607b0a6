//! The binary `latchkey` with its own environment and database.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::turns::wait_for_turn;

/// `latchkey` with a temporary folder for its database, which is removed when this is dropped.
pub(crate) struct Latchkey {
    folder: TempDir,
    environment: BTreeMap<&'static str, String>,
}

impl Latchkey {
    /// Uses an empty SQLite file; a server listens on any free port.
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
            // No proxy has to detect that a server stops.
            ("LATCHKEY_DRAIN_SECONDS", "0".to_owned()),
            ("TMPDIR", folder.path().display().to_string()),
        ]);
        Self {
            folder,
            environment,
        }
    }

    /// Sets an environment variable.
    pub(crate) fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.environment.insert(variable, value.to_owned());
        self
    }

    /// Leaves an environment variable unset.
    pub(crate) fn without(mut self, variable: &'static str) -> Self {
        self.environment.remove(variable);
        self
    }

    /// The temporary folder, which is also the working directory and `TMPDIR` of commands.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command that is not started yet. It inherits no variable of the tests' environment.
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

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::from(self.command(arguments).output().expect("latchkey runs"))
    }

    /// Runs a command to its end with this standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("latchkey runs");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        Run::from(child.wait_with_output().expect("it ends"))
    }

    /// Runs a command with `--json`, which must succeed; returns its output.
    #[track_caller]
    pub(crate) fn run_json(&self, arguments: &[&str]) -> Value {
        let run = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(&run.expect_success().stdout).expect("JSON")
    }
}

/// The exit code and output of a command.
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
    /// Asserts that the exit code is 0.
    #[track_caller]
    pub(crate) fn expect_success(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Asserts that the exit code is 1, that there is no output, and that the errors begin with these texts, one per line.
    #[track_caller]
    pub(crate) fn expect_failure(&self, lines: &[&str]) {
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
