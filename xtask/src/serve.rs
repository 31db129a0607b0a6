//! Making the binary, and running it.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, anyhow};

use crate::bundle;
use crate::command;
use crate::profile::Profile;
use crate::progress;
use crate::tools;
use crate::workspace::Workspace;

/// Builds the bundle, then the binary that carries it, and returns the binary's path.
///
/// # Errors
/// When a tool cannot be installed or something does not compile.
pub(crate) fn build_binary(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    bundle::build(workspace, profile)?;
    compile_binary(workspace, profile)
}

/// Builds the binary with the bundle that is in `dist`.
///
/// # Errors
/// When it does not compile.
pub(crate) fn compile_binary(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    let usually = match profile {
        Profile::Debug => "4 min the first time, then seconds",
        Profile::Release => "8 min the first time, then 1 min",
    };
    progress::step(
        &format!("Compiling the {} binary", profile.folder()),
        usually,
        || {
            // No `--package`: it would choose other features for the dependencies than clippy and the tests do, and compile them again.
            let mut build = command::cargo(&workspace.root);
            build.args(["build", "--bin", "latchkey"]);
            if profile == Profile::Release {
                build.arg("--release");
            }
            command::run(&mut build)
        },
    )?;
    Ok(binary(workspace, profile))
}

/// Where cargo puts the binary.
pub(crate) fn binary(workspace: &Workspace, profile: Profile) -> PathBuf {
    workspace.target.join(profile.folder()).join("latchkey")
}

/// Builds, then becomes `latchkey serve`: signals go straight to it. Returns only when that fails.
///
/// # Errors
/// As [`build_binary`], and when the binary cannot be started.
pub(crate) fn serve(workspace: &Workspace, profile: Profile, arguments: &[String]) -> Result<()> {
    let binary = build_binary(workspace, profile)?;
    let error = Command::new(&binary)
        .arg("serve")
        .args(arguments)
        // The tests' setting: the server refuses one that it does not know.
        .env_remove(tools::CHROMIUM_SETTING)
        .exec();
    Err(anyhow!(error).context(format!("cannot start {}", binary.display())))
}
