//! Builds the binary and runs it.

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

/// Builds the bundle and the binary with the bundle in it, and returns the binary's path.
///
/// # Errors
/// If a tool cannot be installed or something does not compile.
pub(crate) fn build_binary(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    bundle::build(workspace, profile)?;
    compile_binary(workspace, profile)
}

/// Builds the binary with the bundle that is already in `dist`.
///
/// # Errors
/// If it does not compile.
pub(crate) fn compile_binary(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    compile(workspace, profile, "latchkey", &[])
}

/// Builds the binary `name` with these additional arguments of cargo and returns its path.
///
/// # Errors
/// If it does not compile.
pub(crate) fn compile(
    workspace: &Workspace,
    profile: Profile,
    name: &str,
    arguments: &[&str],
) -> Result<PathBuf> {
    let usually = match profile {
        Profile::Debug => "4 min the first time, then seconds",
        Profile::Release => "8 min the first time, then 1 min",
    };
    let what = format!("Compiling the {} binary {name}", profile.folder());
    progress::step(&what, usually, || {
        // Without `--package`, which selects other features of the dependencies than clippy and the tests, so that cargo would compile them
        // again.
        let mut build = command::cargo(&workspace.root);
        build.args(["build", "--bin", name]).args(arguments);
        if profile == Profile::Release {
            build.arg("--release");
        }
        command::run(&mut build)
    })?;
    Ok(workspace.target.join(profile.folder()).join(name))
}

/// The path of the binary.
pub(crate) fn binary(workspace: &Workspace, profile: Profile) -> PathBuf {
    workspace.target.join(profile.folder()).join("latchkey")
}

/// Builds and replaces this process by `latchkey serve`, so that it gets signals directly. Returns only on failure.
///
/// # Errors
/// As [`build_binary`], and if the binary cannot be started.
pub(crate) fn serve(workspace: &Workspace, profile: Profile, arguments: &[String]) -> Result<()> {
    let binary = build_binary(workspace, profile)?;
    let error = Command::new(&binary)
        .arg("serve")
        .args(arguments)
        // This setting is for the tests: the server refuses unknown `LATCHKEY_` settings.
        .env_remove(tools::CHROMIUM_SETTING)
        .exec();
    Err(anyhow!(error).context(format!("cannot start {}", binary.display())))
}
