//! Runs the long forms of tests of the suite.

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

/// A test with a long form.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Part {
    /// The API against its OpenAPI document
    Contract,
    /// Changes under load on one server
    Invalidation,
    /// Killed servers and databases
    Crash,
    /// Changes on three replicas, also during faults
    Replicas,
    /// Rolling restarts behind real proxies
    Gateways,
    /// Disks and connections with a fault every 20 seconds
    Faults,
    /// A tenant that floods the server with searches, and 10,000 clients without a key
    Fairness,
}

/// Runs these parts, or all if there are none. Stops at the first failure.
///
/// # Errors
/// If something cannot be installed, does not compile, or fails.
pub(crate) fn soak(workspace: &Workspace, parts: &[Part]) -> Result<()> {
    let wanted = |part| parts.is_empty() || parts.contains(&part);
    if wanted(Part::Contract) {
        let schemathesis = tools::schemathesis(workspace)?;
        let binary = serve::build_binary(workspace, Profile::Release)?;
        progress::step(
            "The API against its OpenAPI document, 50,000 requests",
            "30 min",
            || contract::check(workspace, &binary, &schemathesis, contract::THOROUGH),
        )?;
    }
    let tests = [
        (
            Part::Invalidation,
            "Changes under load, 200 of each kind through each interface",
            "5 min",
            "invalidation",
            "200",
        ),
        (
            Part::Crash,
            "600 servers and 300 databases killed during changes",
            "20 min",
            "crash",
            "100",
        ),
        (
            Part::Replicas,
            "1,000 changes on three replicas, 1,000 during each of eight faults, 250 during two more",
            "40 min",
            "replicas",
            "1000",
        ),
        (
            Part::Gateways,
            "Two replicas restarted one after the other, at 200 requests per second",
            "2 min",
            "gateways",
            "1",
        ),
        (
            Part::Faults,
            "Checks and changes for 10 minutes on one server and on three, a fault every 20 seconds",
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
                    postgres.configure(tests.arg("test").env("TEST_ROUNDS", rounds));
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
