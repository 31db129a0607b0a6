//! Checks licences, bans, sources and advisories of dependencies with cargo-deny and `deny.toml`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command;
use crate::progress;
use crate::tools;
use crate::workspace::Workspace;

/// Seconds after which the advisory database counts as unreachable. It is a git repository of some MB.
const FETCH_TIMEOUT: &str = "120";

/// Checks licences, bans and sources, and advisories if their database can be fetched. Returns what was skipped and why.
///
/// # Errors
/// If cargo-deny cannot be installed or reports a problem.
pub(crate) fn check(workspace: &Workspace) -> Result<Option<String>> {
    let program = tools::cargo_deny()?;
    progress::step("Licences, bans and sources of crates", "2 s", || {
        command::run(&mut cargo_deny(
            workspace,
            &program,
            &["check", "licenses", "bans", "sources"],
        ))
    })?;
    // cargo-deny fetches the database with git, whose connections have no timeout.
    let mut fetch = Command::new("timeout");
    fetch
        .arg(FETCH_TIMEOUT)
        .arg(&program)
        .args(["fetch", "db"])
        .env("GIT_TERMINAL_PROMPT", "0")
        .current_dir(&workspace.root);
    progress::announce("Fetching the advisory database", "5 s");
    if let Err(error) = command::output(&mut fetch) {
        progress::print(&format!("{error}"));
        return Ok(Some(
            "advisories of crates: their database cannot be fetched".to_owned(),
        ));
    }
    progress::step("Advisories of crates", "2 s", || {
        command::run(&mut cargo_deny(
            workspace,
            &program,
            &["check", "advisories"],
        ))
    })?;
    Ok(None)
}

fn cargo_deny(workspace: &Workspace, program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg("--hide-inclusion-graph")
        .current_dir(&workspace.root);
    command
}
