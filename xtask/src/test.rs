//! Runs the suite, the quick steps first.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};

use crate::background::ReleaseBuild;
use crate::bundle;
use crate::clients;
use crate::command;
use crate::contract;
use crate::deny;
use crate::dependencies;
use crate::postgres::Postgres;
use crate::profile::Profile;
use crate::progress;
use crate::scratch;
use crate::serve;
use crate::size;
use crate::suite::{self, Selection, Step};
use crate::tools;
use crate::workspace::Workspace;

/// The URL of the tests' PostgreSQL server, with a user that may create databases.
const DATABASE_SETTING: &str = "TEST_DATABASE_URL";

/// The folder with PostgreSQL's programs, for tests that kill a server of their own.
const BINARIES_SETTING: &str = "TEST_POSTGRES_BINARIES";

/// The engine of the tests over HTTP; SQLite if unset.
const ENGINE_SETTING: &str = "TEST_ENGINE";

/// The path of Envoy, which is not in PATH.
const ENVOY_SETTING: &str = "TEST_ENVOY";

/// The path of a Python interpreter with idpyoidc, a provider of single sign-on.
const IDPYOIDC_SETTING: &str = "TEST_IDPYOIDC";

/// Makes tests fail instead of being skipped if a program that they need is missing.
const PROGRAMS_SETTING: &str = "TEST_PROGRAMS";

/// Runs every check and test. Stops at the first failure.
///
/// # Errors
/// If something cannot be installed, does not compile, or fails.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    let Tools {
        chromium,
        programs,
        schemathesis,
        client_generators,
    } = tools(workspace)?;
    format(workspace)?;
    let skipped = dependencies(workspace)?;
    clippy(workspace)?;
    bundle::build(workspace, Profile::Debug)?;
    serve::compile_binary(workspace, Profile::Debug)?;
    compile_cargo_tests(workspace)?;
    let release_build = ReleaseBuild::start(workspace)?;
    cargo_tests(workspace, &programs)?;
    release_build.finish()?;
    size::size(workspace)?;
    contract(workspace, &schemathesis)?;
    client(workspace)?;
    progress::step(
        "Generated clients for Go, TypeScript, Python and Java",
        "30 s",
        || {
            let binary = serve::binary(workspace, Profile::Release);
            clients::check(workspace, &binary, &client_generators)
        },
    )?;
    lighthouse(workspace, &chromium)?;
    // Journeys run in the release build, because its bundle is post-processed (`bundle/shrink.mjs`).
    progress::announce("Playwright, every journey in the release build", "4 min");
    journeys(workspace, Profile::Release, &chromium, &[])?;
    // Leptos warns of hydration mismatches in a debug build only.
    progress::announce("Playwright, in the debug build", "1 min");
    let warned = ["hydration", "edit", "filters"];
    journeys(workspace, Profile::Debug, &chromium, &warned)?;
    if let Some(skipped) = skipped {
        progress::print(&format!("skipped: {skipped}"));
    }
    Ok(())
}

/// Runs the selected parts and tests, in the order of the suite.
///
/// # Errors
/// As [`test`], and if no test has one of the names.
pub(crate) fn test_some(workspace: &Workspace, selection: &Selection) -> Result<()> {
    if selection.has(Step::Format) {
        tools::for_checks(workspace)?;
        format(workspace)?;
    }
    if selection.has(Step::Dependencies)
        && let Some(skipped) = dependencies(workspace)?
    {
        progress::print(&format!("skipped: {skipped}"));
    }
    if selection.has(Step::Clippy) {
        tools::for_checks(workspace)?;
        clippy(workspace)?;
    }
    if !selection.targets.is_empty() || !selection.modules.is_empty() {
        some_cargo_tests(workspace, selection)?;
    }
    if selection.has(Step::Size) {
        size::size(workspace)?;
    }
    if selection.has(Step::Contract) {
        let schemathesis = tools::schemathesis(workspace)?;
        serve::build_binary(workspace, Profile::Release)?;
        contract(workspace, &schemathesis)?;
    }
    if selection.has(Step::Client) {
        tools::npm_packages(workspace)?;
        client(workspace)?;
    }
    if selection.has(Step::Clients) {
        clients::clients(workspace)?;
    }
    if selection.has(Step::Lighthouse) {
        tools::npm_packages(workspace)?;
        let chromium = tools::chromium()?;
        serve::build_binary(workspace, Profile::Release)?;
        lighthouse(workspace, &chromium)?;
    }
    if selection.has(Step::Journeys) {
        tools::npm_packages(workspace)?;
        let chromium = tools::chromium()?;
        // The debug build, because it compiles faster; the whole suite uses the release build.
        serve::build_binary(workspace, Profile::Debug)?;
        progress::announce("Playwright, in the debug build", "4 min for all");
        let names = selection.names.join("|");
        let titles = ["--grep", &names];
        let arguments = if names.is_empty() { &[][..] } else { &titles };
        journeys(workspace, Profile::Debug, &chromium, arguments)?;
    }
    Ok(())
}

/// Runs the checks that take a minute: format, clippy, rules and unit tests. Tests that need a database server or another program are
/// reported as skipped.
///
/// # Errors
/// If something does not compile or fails.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    tools::for_checks(workspace)?;
    tools::wasm_target(workspace)?;
    format(workspace)?;
    clippy(workspace)?;
    progress::announce("Rules and unit tests", "20 s");
    let rules = [
        "test",
        "--lib",
        "--bins",
        "--test",
        "rules",
        "--test",
        "documents",
        "--test",
        "layering",
    ];
    command::run(
        command::cargo(&workspace.root)
            .args(rules)
            .env("TMPDIR", scratch::folder()),
    )
}

fn format(workspace: &Workspace) -> Result<()> {
    progress::step("Format", "1 s", || {
        command::run(command::cargo(&workspace.root).args(["fmt", "--all", "--check"]))
    })
}

/// Checks the dependencies and returns what was skipped.
fn dependencies(workspace: &Workspace) -> Result<Option<String>> {
    progress::step("No server crate in the browser's bundle", "1 s", || {
        dependencies::check_browser_bundle(workspace)
    })?;
    deny::check(workspace)
}

fn clippy(workspace: &Workspace) -> Result<()> {
    let cargo = |arguments: &[&str]| {
        let mut clippy = command::cargo(&workspace.root);
        clippy.arg("clippy").args(arguments);
        clippy.args(["--", "-D", "warnings"]);
        clippy
    };
    progress::step(
        "Clippy, for the server",
        "2 min the first time, then seconds",
        || command::run(&mut cargo(&["--tests", "--bins"])),
    )?;
    progress::step("Clippy, for the benchmarks", "30 s, then seconds", || {
        command::run(&mut cargo(&["--bins", "--features", "server/bench"]))
    })?;
    progress::step(
        "Clippy, for the browser",
        "1 min the first time, then seconds",
        || {
            let browser = ["--package", "frontend", "--target", tools::WASM_TARGET];
            command::run(cargo(&browser).env("CARGO_TARGET_DIR", workspace.wasm_target()))
        },
    )
}

fn contract(workspace: &Workspace, schemathesis: &Path) -> Result<()> {
    progress::step(
        "The API against its OpenAPI document, 5,000 requests",
        "2 min",
        || {
            let binary = serve::binary(workspace, Profile::Release);
            contract::check(workspace, &binary, schemathesis, contract::QUICK)
        },
    )
}

fn client(workspace: &Workspace) -> Result<()> {
    progress::step(
        "A typed client, generated from the OpenAPI document",
        "5 s",
        || {
            let mut client = Command::new("npm");
            client.args(["run", "--silent", "client"]);
            command::run(client.current_dir(workspace.end2end()))
        },
    )
}

fn lighthouse(workspace: &Workspace, chromium: &Path) -> Result<()> {
    progress::announce("Lighthouse, on the release build", "1 min");
    let audits = ["--config", "lighthouse.config.ts", "lighthouse.ts"];
    journeys(workspace, Profile::Release, chromium, &audits)
}

/// Runs Playwright against the binary of `profile`. `arguments` are files and options; without any, every journey runs.
fn journeys(
    workspace: &Workspace,
    profile: Profile,
    chromium: &Path,
    arguments: &[&str],
) -> Result<()> {
    wait_for_midnight_if_near();
    let mut run = playwright(workspace, profile, chromium, arguments);
    command::run(run.env("TMPDIR", scratch::folder()))
}

/// The command that runs Playwright with these arguments, the binary of `profile` and the browser.
pub(crate) fn playwright(
    workspace: &Workspace,
    profile: Profile,
    chromium: &Path,
    arguments: &[&str],
) -> Command {
    let mut run = Command::new(workspace.end2end().join("node_modules/.bin/playwright"));
    run.arg("test")
        .args(arguments)
        .current_dir(workspace.end2end())
        .env("LATCHKEY_BIN", serve::binary(workspace, profile))
        .env(tools::CHROMIUM_SETTING, chromium);
    run
}

/// Waits until midnight (UTC) if a run of the browser's tests could span it: they create keys that expire a number of days from today, and
/// the server computes the date independently.
fn wait_for_midnight_if_near() {
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

/// Paths of tools that steps run.
struct Tools {
    chromium: PathBuf,
    programs: Programs,
    schemathesis: PathBuf,
    client_generators: PathBuf,
}

/// Paths of programs that the Rust tests start.
struct Programs {
    envoy: PathBuf,
    idpyoidc: PathBuf,
}

impl Programs {
    fn install(workspace: &Workspace) -> Result<Self> {
        // oidc-provider is among the npm packages.
        tools::npm_packages(workspace)?;
        Ok(Self {
            envoy: tools::envoy(workspace)?,
            idpyoidc: tools::idpyoidc(workspace)?,
        })
    }
}

/// Installs the tools of all steps before the first step.
fn tools(workspace: &Workspace) -> Result<Tools> {
    tools::for_checks(workspace)?;
    tools::npm_packages(workspace)?;
    let chromium = tools::chromium()?;
    if std::env::var_os(DATABASE_SETTING).is_none() {
        tools::postgres_binaries()?;
    }
    tools::process_tools()?;
    tools::gateways()?;
    let programs = Programs::install(workspace)?;
    let schemathesis = tools::schemathesis(workspace)?;
    tools::client_toolchains()?;
    let client_generators = tools::client_generators(workspace)?;
    tools::cargo_deny()?;
    tools::for_bundle(workspace)?;
    Ok(Tools {
        chromium,
        programs,
        schemathesis,
        client_generators,
    })
}

fn compile_cargo_tests(workspace: &Workspace) -> Result<()> {
    let compile = || {
        let mut tests = command::cargo(&workspace.root);
        command::run(tests.args(["test", "--no-run"]))
    };
    progress::step(
        "Compiling the Rust tests",
        "5 min the first time, then 1 min",
        compile,
    )
}

fn cargo_tests(workspace: &Workspace, programs: &Programs) -> Result<()> {
    progress::announce(
        "Rust tests, on SQLite and PostgreSQL",
        "6 min the first time, then 4 min",
    );
    let postgres = TestPostgres::start()?;
    // Some tests print measurements, such as the propagation time of a change.
    command::run(cargo_test(workspace, &postgres, programs).args(["--", "--show-output"]))?;
    http_on_postgres(workspace, &postgres, programs, &[])
}

fn some_cargo_tests(workspace: &Workspace, selection: &Selection) -> Result<()> {
    let Selection {
        targets,
        modules,
        names,
        ..
    } = selection;
    tools::process_tools()?;
    tools::gateways()?;
    let programs = Programs::install(workspace)?;
    progress::announce("The selected Rust tests", "seconds to minutes");
    let postgres = TestPostgres::start()?;
    let tests = || cargo_test(workspace, &postgres, &programs);
    let mut commands = Vec::new();
    if !targets.is_empty() {
        let in_targets = || {
            let mut tests = tests();
            tests.args(selection.target_arguments()).arg("--");
            tests
        };
        let terse = ["--list", "--format", "terse"];
        let list = command::output(in_targets().args(terse).args(names))?;
        let count = list.lines().filter(|line| line.ends_with(": test")).count();
        let mut command = in_targets();
        command.args(names);
        commands.push((command, count));
    }
    if !modules.is_empty() {
        let modules: Vec<_> = modules.iter().map(String::as_str).collect();
        commands.push(suite::select_in_modules(tests, &modules, names)?);
    }
    let count: usize = commands.iter().map(|(_, count)| count).sum();
    ensure!(count > 0, "no test has a name with {}", names.join(" or "));
    progress::print(&format!("{count} tests"));
    for (mut command, count) in commands {
        if count > 0 {
            command::run(&mut command)?;
        }
    }
    if selection.has_http() {
        http_on_postgres(workspace, &postgres, &programs, names)?;
    }
    Ok(())
}

fn http_on_postgres(
    workspace: &Workspace,
    postgres: &TestPostgres,
    programs: &Programs,
    names: &[String],
) -> Result<()> {
    progress::announce("The tests over HTTP, on PostgreSQL", "1 min");
    let tests = || cargo_test(workspace, postgres, programs);
    let (mut tests, count) = suite::select_in_modules(tests, &[suite::HTTP], names)?;
    if count == 0 {
        return Ok(());
    }
    command::run(tests.env(ENGINE_SETTING, "postgres"))
}

/// A `cargo test` command with the settings of the suite: a missing program fails the tests that need it.
fn cargo_test(workspace: &Workspace, postgres: &TestPostgres, programs: &Programs) -> Command {
    let mut tests = command::cargo(&workspace.root);
    postgres.configure(tests.arg("test").env(PROGRAMS_SETTING, "required"));
    tests.env(ENVOY_SETTING, &programs.envoy);
    tests.env(IDPYOIDC_SETTING, &programs.idpyoidc);
    tests
}

/// The PostgreSQL server of the tests: from the environment, or a temporary one.
pub(crate) struct TestPostgres {
    own: Option<Postgres>,
    binaries: Option<PathBuf>,
}

impl TestPostgres {
    /// Starts a server unless the environment has one.
    ///
    /// # Errors
    /// If PostgreSQL cannot be installed or started.
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

    /// Sets the variables by which tests locate the server.
    pub(crate) fn configure(&self, tests: &mut Command) {
        tests.env("TMPDIR", scratch::folder());
        if let Some(own) = &self.own {
            tests.env(DATABASE_SETTING, &own.url);
        }
        if let Some(binaries) = &self.binaries {
            tests.env(BINARIES_SETTING, binaries);
        }
    }
}
