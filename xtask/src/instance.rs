//! A Latchkey instance in a temporary folder, on SQLite unless another database is named, for tests and benchmarks.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command;
use crate::scratch;

/// A binary and its database; dropping it removes the folder.
pub(crate) struct Instance {
    binary: PathBuf,
    pub(crate) folder: PathBuf,
    database_url: String,
}

impl Instance {
    /// # Errors
    /// If the folder cannot be created.
    pub(crate) fn new(binary: &Path, name: &str) -> Result<Self> {
        let folder = scratch::folder().join(format!("latchkey-{name}-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let database = folder.join("latchkey.db");
        Ok(Self {
            binary: binary.to_path_buf(),
            database_url: format!("sqlite://{}?mode=rwc", database.display()),
            folder,
        })
    }

    /// The same with another database.
    pub(crate) fn with_database(mut self, url: &str) -> Self {
        url.clone_into(&mut self.database_url);
        self
    }

    /// Sets the instance's database for `command` and removes the developer's own settings.
    pub(crate) fn configure(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("LATCHKEY_"))
            {
                command.env_remove(name);
            }
        }
        command
            .env("DATABASE_URL", &self.database_url)
            .env("LATCHKEY_LISTEN", "127.0.0.1:0")
            .env("LATCHKEY_DRAIN_SECONDS", "0")
            .env_remove("RUST_LOG");
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        self.configure(command.args(arguments).current_dir(&self.folder));
        command
    }

    /// Runs a command with `--json` and returns its output.
    ///
    /// # Errors
    /// If the command fails.
    pub(crate) fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = command::output(self.command(arguments).arg("--json"))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Starts the server and waits until its log contains the address.
    ///
    /// # Errors
    /// If the server does not start.
    pub(crate) fn serve(&self) -> Result<Server> {
        let child = self
            .command(&["serve"])
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let mut process = Process(child);
        let mut lines = BufReader::new(process.0.stderr.take().context("stderr is piped")?);
        let mut log = File::create(self.folder.join("log"))?;
        let mut line = String::new();
        let url = loop {
            line.clear();
            ensure!(lines.read_line(&mut line)? > 0, "the server ended early");
            if let Some((_, rest)) = line.split_once("ready on ") {
                break rest.split('"').next().unwrap_or_default().to_owned();
            }
        };
        // The server blocks if nothing reads its log.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut log));
        Ok(Server { process, url })
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A running server; dropping it stops it.
pub(crate) struct Server {
    process: Process,
    pub(crate) url: String,
}

impl Server {
    /// The identifier of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

/// A process that is terminated on drop.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // SIGTERM closes the database properly, so that the next start needs no recovery.
        let pid = self.0.id().to_string();
        if !command::succeeds(Command::new("kill").args(["-TERM", &pid])) {
            self.0.kill().ok();
        }
        self.0.wait().ok();
    }
}
