//! Pictures of the pages, by a browser, from the demo. A command and no test, so that the tree stays clean.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command;
use crate::profile::Profile;
use crate::serve;
use crate::tools;
use crate::workspace::Workspace;

/// The README's picture.
const README_PICTURE: &str = "docs/list.png";

/// Takes the README's picture, or, into `all`, one of every page and dialog.
///
/// # Errors
/// When something cannot be installed, does not compile, or the pages do not come.
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
        None => take.arg(README_PICTURE),
    };
    command::run(&mut take)
}
