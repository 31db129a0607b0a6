//! Takes screenshots of the demo's pages. A command instead of a test, so that tests leave no changed files.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command;
use crate::profile::Profile;
use crate::serve;
use crate::tools;
use crate::workspace::Workspace;

/// The screenshots for visitors of the repository.
const FOLDER: &str = "docs/screenshots";

/// Takes the screenshots for visitors or, into the folder `all`, one of every page, dialog and state.
///
/// # Errors
/// If something cannot be installed, does not compile, or a page does not load.
pub(crate) fn screenshots(workspace: &Workspace, all: Option<&Path>) -> Result<()> {
    tools::npm_packages(workspace)?;
    let chromium = tools::chromium()?;
    let binary = serve::build_binary(workspace, Profile::Debug)?;
    let mut take = Command::new("node");
    take.arg(workspace.end2end().join("screenshots.mjs"))
        .current_dir(&workspace.root)
        .env("LATCHKEY_BIN", binary)
        .env(tools::CHROMIUM_SETTING, chromium);
    match all {
        Some(folder) => take.arg("--all").arg(folder),
        None => take.arg(FOLDER),
    };
    command::run(&mut take)
}
