//! Does the API do what its document says? schemathesis makes requests out of the document, sound ones and broken ones, and judges
//! the answers: with keys of two tenants, each against things of both.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command;
use crate::progress;
use crate::scratch;
use crate::workspace::Workspace;

const TENANTS: [&str; 2] = ["acme", "globex"];
/// Every permission that a route asks for.
const PERMISSIONS: [&str; 7] = [
    "api-keys:read",
    "api-keys:rotate-self",
    "api-keys:verify",
    "api-keys:write",
    "audit-log:read",
    "authorization-groups:read",
    "orders:read",
];

/// How thorough a run is.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// So many requests at least, over both tenants.
    pub(crate) cases: u32,
    /// At most so many for each operation, tenant and phase.
    pub(crate) examples: u32,
    /// `None` for other requests each time.
    pub(crate) seed: Option<u32>,
}

/// What the suite runs.
pub(crate) const QUICK: Effort = Effort {
    cases: 5_000,
    examples: 65,
    seed: Some(1),
};

/// What a soak runs.
pub(crate) const THOROUGH: Effort = Effort {
    cases: 50_000,
    examples: 1_200,
    seed: None,
};

/// Has `schemathesis` try the API of `binary`.
///
/// # Errors
/// Where an answer is not what the document says, a server error among them, or fewer requests were made than were asked for.
pub(crate) fn check(
    workspace: &Workspace,
    binary: &Path,
    schemathesis: &Path,
    effort: Effort,
) -> Result<()> {
    let installation = Installation::new(binary, "contract")?;
    let mut targets = Vec::new();
    let mut groups = Vec::new();
    for tenant in TENANTS {
        installation.answer(&[
            "tenant",
            "create",
            "--name",
            tenant,
            "--key-limit",
            "1000000",
        ])?;
        let mut everything = vec!["group", "create", "--tenant", tenant];
        everything.extend(["--name", "Everything", "--type", "tenant_api_key"]);
        for permission in PERMISSIONS {
            everything.extend(["--permission", permission]);
        }
        let people = [
            "group", "create", "--tenant", tenant, "--name", "People", "--type", "user",
        ];
        for group in [everything.as_slice(), &people] {
            groups.push(installation.answer(group)?["id"].clone());
        }
        for _ in 0..3 {
            let key = ["key", "create", "--tenant", tenant, "--name", "Target"];
            let key = [&key[..], &["--group", "Everything"]].concat();
            targets.push(installation.answer(&key)?["id"].clone());
        }
    }
    let server = installation.serve()?;
    let own = workspace.root.join("xtask/schemathesis");
    let mut cases = 0;
    for tenant in TENANTS {
        let mut run = Command::new(schemathesis);
        run.arg("--config-file").arg(own.join("schemathesis.toml"));
        run.args(["run", &format!("{}/api/v1/openapi.json", server.url)])
            .args(["--checks", "all", "--continue-on-failure"])
            .args(["--max-examples", &effort.examples.to_string()])
            // Python 3.11 stumbles over its own parser with several.
            .args(["--workers", "1"]);
        if let Some(seed) = effort.seed {
            run.args(["--seed", &seed.to_string()]);
        }
        installation.environment(&mut run);
        run.env("SCHEMATHESIS_HOOKS", "hooks")
            .env("CONTRACT_BIN", binary)
            .env("CONTRACT_TENANT", tenant)
            .env("CONTRACT_IDS", Value::from(targets.clone()).to_string())
            .env("CONTRACT_GROUPS", Value::from(groups.clone()).to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONPATH", &own)
            // It keeps notes in the folder where it runs.
            .current_dir(&installation.folder)
            .stdin(Stdio::null());
        let output = run.output().context("cannot start schemathesis")?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            progress::say(&format!(
                "{said}{}",
                String::from_utf8_lossy(&output.stderr)
            ));
            bail!("schemathesis found something with a key of {tenant}");
        }
        cases += generated(&said)?;
    }
    progress::say(&format!(
        "schemathesis made {cases} requests and found nothing"
    ));
    ensure!(
        cases >= effort.cases,
        "{cases} requests are fewer than {}",
        effort.cases
    );
    Ok(())
}

/// The number in the line `1161 generated, …` of the summary.
fn generated(said: &str) -> Result<u32> {
    said.lines()
        .filter_map(|line| line.split_once(" generated"))
        .find_map(|(number, _)| number.trim().replace(',', "").parse().ok())
        .context("schemathesis does not say how many requests it made")
}

/// A database in a temporary folder, and the commands on it.
pub(crate) struct Installation {
    binary: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Installation {
    pub(crate) fn new(binary: &Path, name: &str) -> Result<Self> {
        let folder = scratch::folder().join(format!("latchkey-{name}-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self {
            binary: binary.to_path_buf(),
            folder,
        })
    }

    fn environment(&self, command: &mut Command) {
        let database = self.folder.join("latchkey.db");
        command
            .env(
                "DATABASE_URL",
                format!("sqlite://{}?mode=rwc", database.display()),
            )
            .env("LATCHKEY_LISTEN", "127.0.0.1:0")
            .env("LATCHKEY_DRAIN_SECONDS", "0")
            .env("RUST_LOG", "info");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(&self.folder);
        self.environment(&mut command);
        command
    }

    /// What a command answers.
    pub(crate) fn answer(&self, arguments: &[&str]) -> Result<Value> {
        let text = command::output(&mut self.command(&[arguments, &["--json"]].concat()))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Starts the server and waits until it says where it listens.
    pub(crate) fn serve(&self) -> Result<Server> {
        let log = self.folder.join("log");
        let mut child = self
            .command(&["serve"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let mut lines = BufReader::new(child.stderr.take().context("its log is piped")?);
        let mut file = File::create(&log)?;
        let mut line = String::new();
        let url = loop {
            line.clear();
            ensure!(lines.read_line(&mut line)? > 0, "the server ended early");
            if let Some((_, rest)) = line.split_once("ready on ") {
                break rest.split('"').next().unwrap_or_default().to_owned();
            }
        };
        // Somebody has to read on, or it would wait for its own log.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut file));
        Ok(Server { child, url })
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A running server; dropping it stops it.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::generated;

    #[test]
    fn the_number_of_requests_is_read_from_the_summary() {
        let said =
            "Test cases:\n  1161 generated, 3 found 3 unique failures, 6 skipped\n\nSeed: 1\n";
        assert_eq!(generated(said).expect("a number"), 1161);
        assert!(generated("No test cases").is_err());
    }
}
