//! The whole suite, in the order in which it fails soonest. The runners' output is left as it is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::bundle::{self, Profile};
use crate::clients;
use crate::command;
use crate::contract;
use crate::deny;
use crate::dependencies;
use crate::postgres::Postgres;
use crate::progress;
use crate::scratch;
use crate::serve;
use crate::size;
use crate::tools;
use crate::workspace::Workspace;

/// Names the PostgreSQL of the store's tests: a user that may create databases.
const DATABASE_SETTING: &str = "TEST_DATABASE_URL";

/// Names the folder with PostgreSQL's programs, for tests that kill a server of their own.
const BINARIES_SETTING: &str = "TEST_POSTGRES_BINARIES";

/// On which engine the tests over HTTP run, where it is not SQLite.
const ENGINE_SETTING: &str = "TEST_ENGINE";

/// Names Envoy, which is on no PATH.
const ENVOY_SETTING: &str = "TEST_ENVOY";

/// Has tests fail where a program is missing that they need, instead of leaving it out.
const PROGRAMS_SETTING: &str = "TEST_PROGRAMS";

/// Runs every check and test; stops at the first that fails.
///
/// # Errors
/// When something cannot be installed, does not compile, or fails.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    let Tools {
        chromium,
        envoy,
        schemathesis,
        client_generators,
    } = tools(workspace)?;
    let cargo = |arguments: &[&str]| command::run(command::cargo(&workspace.root).args(arguments));

    progress::step("Format", "1 s", || cargo(&["fmt", "--all", "--check"]))?;
    progress::step("No server crate in the browser's bundle", "1 s", || {
        dependencies::check_browser_bundle(workspace)
    })?;
    let skipped = deny::check(workspace)?;
    progress::step(
        "Clippy, for the server",
        "2 min the first time, then seconds",
        || cargo(&["clippy", "--tests", "--bins", "--", "-D", "warnings"]),
    )?;
    progress::step("Clippy, for the benchmarks", "30 s, then seconds", || {
        let bench = ["clippy", "--bins", "--features", "server/bench"];
        cargo(&[&bench[..], &["--", "-D", "warnings"]].concat())
    })?;
    progress::step(
        "Clippy, for the browser",
        "1 min the first time, then seconds",
        || {
            let arguments = [
                "clippy",
                "--package",
                "frontend",
                "--target",
                "wasm32-unknown-unknown",
                "--",
                "-D",
                "warnings",
            ];
            command::run(
                command::cargo(&workspace.root)
                    .args(arguments)
                    .env("CARGO_TARGET_DIR", workspace.wasm_target()),
            )
        },
    )?;
    bundle::build(workspace, Profile::Debug)?;
    cargo_tests(workspace, &envoy)?;
    serve::compile_binary(workspace, Profile::Debug)?;
    size::size(workspace)?;
    serve::compile_binary(workspace, Profile::Release)?;
    progress::step(
        "The API against its document, 5,000 requests",
        "2 min",
        || {
            let binary = serve::binary(workspace, Profile::Release);
            contract::check(workspace, &binary, &schemathesis, contract::QUICK)
        },
    )?;
    progress::step(
        "A typed client of the API, out of its document",
        "5 s",
        || {
            let mut client = Command::new("npm");
            client.args(["run", "--silent", "client"]);
            command::run(client.current_dir(workspace.end2end()))
        },
    )?;
    progress::step(
        "Clients generated for Go, TypeScript, Python and Java, used",
        "30 s",
        || {
            let binary = serve::binary(workspace, Profile::Release);
            clients::check(workspace, &binary, &client_generators)
        },
    )?;
    progress::announce("Lighthouse, on the release build", "2 min");
    playwright(
        workspace,
        Profile::Release,
        &chromium,
        &["--config", "lighthouse.config.ts"],
    )?;
    // What is shipped, whose bundle is another one than the debug build's (`bundle/shrink.mjs`).
    progress::announce("Playwright, every journey in the release build", "4 min");
    playwright(workspace, Profile::Release, &chromium, &[])?;
    // Where Leptos warns of what it lets pass in a release.
    progress::announce("Playwright, in the debug build", "1 min");
    let warned = ["hydration", "edit", "filters"];
    playwright(workspace, Profile::Debug, &chromium, &warned)?;
    if let Some(skipped) = skipped {
        progress::say(&format!("skipped: {skipped}"));
    }
    Ok(())
}

/// Runs Playwright with these arguments, the names of files and options (every journey when there are none), against the binary of
/// `profile`.
fn playwright(
    workspace: &Workspace,
    profile: Profile,
    chromium: &Path,
    arguments: &[&str],
) -> Result<()> {
    stay_within_a_day();
    let mut run = Command::new(workspace.end2end().join("node_modules/.bin/playwright"));
    run.arg("test")
        .args(arguments)
        .current_dir(workspace.end2end());
    run.env("LATCHKEY_BIN", serve::binary(workspace, profile))
        .env(tools::CHROMIUM_SETTING, chromium)
        .env("TMPDIR", scratch::folder());
    command::run(&mut run)
}

/// Waits for midnight (UTC) where it is so near that a run of the browser's tests would go beyond it: they make keys that expire so many
/// days from today, and the server counts from its own today.
fn stay_within_a_day() {
    const DAY: u64 = 24 * 60 * 60;
    const LONGEST_RUN: u64 = 10 * 60;
    let seconds = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_secs()
    };
    let today = seconds() / DAY;
    if DAY - seconds() % DAY > LONGEST_RUN {
        return;
    }
    progress::announce("Waiting for the new day (UTC)", "less than 10 min");
    while seconds() / DAY == today {
        std::thread::park_timeout(Duration::from_secs(1));
    }
}

/// What steps call by its path.
struct Tools {
    chromium: PathBuf,
    envoy: PathBuf,
    schemathesis: PathBuf,
    client_generators: PathBuf,
}

/// Installs whatever any step needs, before the first of them.
fn tools(workspace: &Workspace) -> Result<Tools> {
    tools::for_checks(workspace)?;
    tools::npm_packages(workspace)?;
    let chromium = tools::chromium()?;
    if std::env::var_os(DATABASE_SETTING).is_none() {
        tools::postgres_binaries()?;
    }
    tools::process_tools()?;
    tools::gateways()?;
    let envoy = tools::envoy(workspace)?;
    let schemathesis = tools::schemathesis(workspace)?;
    tools::client_toolchains()?;
    let client_generators = tools::client_generators(workspace)?;
    tools::cargo_deny()?;
    tools::for_bundle(workspace)?;
    Ok(Tools {
        chromium,
        envoy,
        schemathesis,
        client_generators,
    })
}

fn cargo_tests(workspace: &Workspace, envoy: &Path) -> Result<()> {
    progress::announce(
        "Rust tests, on SQLite and PostgreSQL",
        "6 min the first time, then 4 min",
    );
    let postgres = TestPostgres::start()?;
    let tests = |arguments: &[&str]| {
        let mut tests = command::cargo(&workspace.root);
        tests.arg("test").args(arguments);
        postgres.tell(&mut tests);
        tests.env(PROGRAMS_SETTING, "required");
        tests.env(ENVOY_SETTING, envoy);
        tests
    };
    // Some of them measure, such as how long a change takes to be known everywhere.
    command::run(&mut tests(&["--", "--show-output"]))?;
    progress::announce("The tests over HTTP once more, on PostgreSQL", "1 min");
    let http = ["--package", "server", "--test", "http"];
    command::run(tests(&http).env(ENGINE_SETTING, "postgres"))
}

/// The PostgreSQL of the tests: the one that the environment names, or one of their own.
pub(crate) struct TestPostgres {
    own: Option<Postgres>,
    binaries: Option<PathBuf>,
}

impl TestPostgres {
    /// Starts one where none is named.
    ///
    /// # Errors
    /// When there is none and none can be installed or started.
    pub(crate) fn start() -> Result<Self> {
        if std::env::var_os(DATABASE_SETTING).is_some() {
            return Ok(Self {
                own: None,
                binaries: tools::installed_postgres(),
            });
        }
        let binaries = tools::postgres_binaries()?;
        Ok(Self {
            own: Some(Postgres::start(&binaries)?),
            binaries: Some(binaries),
        })
    }

    /// Tells tests where it is.
    pub(crate) fn tell(&self, tests: &mut Command) {
        tests.env("TMPDIR", scratch::folder());
        if let Some(own) = &self.own {
            tests.env(DATABASE_SETTING, &own.url);
        }
        if let Some(binaries) = &self.binaries {
            tests.env(BINARIES_SETTING, binaries);
        }
    }
}
