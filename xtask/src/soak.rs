//! The long forms of what the suite does in short.

use anyhow::Result;

use crate::bundle::Profile;
use crate::command;
use crate::contract;
use crate::progress;
use crate::scratch;
use crate::serve;
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
    progress::step(
        "Changes under load, 200 of each by each door",
        "5 min",
        || {
            let mut changes = command::cargo(&workspace.root);
            changes.args(["test", "--package", "server", "--test", "coherence"]);
            changes.env("TEST_ROUNDS", "200");
            command::run(changes.env("TMPDIR", scratch::folder()))
        },
    )
}
