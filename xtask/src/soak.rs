//! The long forms of what the suite does in short.

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::command;
use crate::contract;
use crate::profile::Profile;
use crate::progress;
use crate::serve;
use crate::suite;
use crate::test::TestPostgres;
use crate::tools;
use crate::workspace::Workspace;

/// One of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Part {
    /// The API against its document
    Contract,
    /// Changes under load on one server
    Invalidation,
    /// Servers and databases that are killed
    Crash,
    /// Changes on three replicas, also while something fails
    Replicas,
    /// Rolling restarts behind real proxies
    Gateways,
    /// Disks and connections that fail every 20 seconds
    Faults,
    /// A tenant that floods the server with searches, and 10,000 clients without a key
    Fairness,
}

/// Runs those parts, or all where none is named; stops at the first that fails.
///
/// # Errors
/// When something cannot be installed, does not compile, or fails.
pub(crate) fn soak(workspace: &Workspace, parts: &[Part]) -> Result<()> {
    let wanted = |part| parts.is_empty() || parts.contains(&part);
    if wanted(Part::Contract) {
        let schemathesis = tools::schemathesis(workspace)?;
        let binary = serve::build_binary(workspace, Profile::Release)?;
        progress::step(
            "The API against its document, 50,000 requests",
            "30 min",
            || contract::check(workspace, &binary, &schemathesis, contract::THOROUGH),
        )?;
    }
    let tests = [
        (
            Part::Invalidation,
            "Changes under load, 200 of each by each door",
            "5 min",
            "invalidation",
            "200",
        ),
        (
            Part::Crash,
            "600 servers and 300 databases killed in the middle of changes",
            "20 min",
            "crash",
            "100",
        ),
        (
            Part::Replicas,
            "1,000 changes on three replicas, and 1,000 while each of eight things fails, 250 of two more",
            "40 min",
            "replicas",
            "1000",
        ),
        (
            Part::Gateways,
            "Two replicas restarted one after the other, 200 requests a second",
            "2 min",
            "gateways",
            "1",
        ),
        (
            Part::Faults,
            "Checks and changes for 10 minutes on one server and on three, with a fault every 20 seconds",
            "11 min",
            "faults",
            "30",
        ),
        (
            Part::Fairness,
            "Searches on 128 connections, and 10,000 clients without a key",
            "3 min",
            "fairness",
            "1",
        ),
    ];
    if !tests.iter().any(|(part, ..)| wanted(*part)) {
        return Ok(());
    }
    let postgres = TestPostgres::start()?;
    for (part, what, estimate, module, rounds) in tests {
        if wanted(part) {
            progress::step(what, estimate, || {
                let tests = || {
                    let mut tests = command::cargo(&workspace.root);
                    postgres.tell(tests.arg("test").env("TEST_ROUNDS", rounds));
                    tests
                };
                let (mut command, count) = suite::select_in_modules(tests, &[module], &[])?;
                ensure!(count > 0, "no test in {module}");
                command::run(command.arg("--show-output"))
            })?;
        }
    }
    Ok(())
}
