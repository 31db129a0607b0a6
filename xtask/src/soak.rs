//! The long forms of what the suite does in short.

use anyhow::Result;

use crate::bundle::Profile;
use crate::contract;
use crate::progress;
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
        "20 min",
        || contract::check(workspace, &binary, &schemathesis, contract::THOROUGH),
    )
}
