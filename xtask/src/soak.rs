//! The long forms of what the suite does in short.

use anyhow::Result;

use crate::bundle::Profile;
use crate::command;
use crate::contract;
use crate::progress;
use crate::serve;
use crate::test::TestPostgres;
use crate::tools;
use crate::workspace::Workspace;

/// Runs each of them; stops at the first that fails.
///
/// # Errors
/// When something cannot be installed, does not compile, or fails.
pub(crate) fn soak(workspace: &Workspace) -> Result<()> {
    let schemathesis = tools::schemathesis(workspace)?;
    let binary = serve::build_binary(workspace, Profile::Release)?;
    progress::step(
        "The API against its document, 50,000 requests",
        "30 min",
        || contract::check(workspace, &binary, &schemathesis, contract::THOROUGH),
    )?;
    let postgres = TestPostgres::start()?;
    let rounds = |test: &str, rounds: &str| {
        let mut tests = command::cargo(&workspace.root);
        tests.args(["test", "--package", "server", "--test", test]);
        postgres.tell(tests.env("TEST_ROUNDS", rounds));
        command::run(&mut tests)
    };
    progress::step(
        "Changes under load, 200 of each by each door",
        "5 min",
        || rounds("coherence", "200"),
    )?;
    progress::step(
        "600 servers and 300 databases killed in the middle of changes",
        "15 min",
        || rounds("crash", "100"),
    )?;
    progress::step(
        "1,000 changes on three replicas, and 1,000 while each of eight things fails",
        "35 min",
        || rounds("replicas", "1000"),
    )
}
