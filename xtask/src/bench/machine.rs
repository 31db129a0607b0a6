//! What the figures were measured on, when, and from what.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::server::kib_of;
use crate::command;
use crate::workspace::Workspace;

/// What the head of the document says.
pub(crate) struct Circumstances {
    pub(crate) machine: String,
    /// UTC, as `YYYY-MM-DD`.
    pub(crate) date: String,
    /// With `-dirty` where files were changed since.
    pub(crate) commit: String,
    pub(crate) compiler: String,
    /// How many passwords are hashed at once: half as many as there are processors, at most 4 (`domain/src/store/password/slots.rs`).
    pub(crate) slots: usize,
}

impl Circumstances {
    /// Asked for before anything is measured: the load of the machine is that of others then.
    ///
    /// # Errors
    /// When Linux, git or rustc does not say.
    pub(crate) fn now(workspace: &Workspace) -> Result<Self> {
        let line = |command: &mut Command| -> Result<String> {
            let said = command::output(command.current_dir(&workspace.root))?;
            Ok(said.lines().next().unwrap_or_default().trim().to_owned())
        };
        Ok(Self {
            machine: machine()?,
            date: line(Command::new("date").args(["-u", "+%F"]))?,
            commit: line(Command::new("git").args([
                "describe",
                "--always",
                "--dirty",
                "--abbrev=12",
                "--exclude=*",
            ]))?,
            compiler: line(Command::new("rustc").arg("--version"))?,
            slots: (std::thread::available_parallelism()?.get() / 2).clamp(1, 4),
        })
    }
}

fn machine() -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == "model name")
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let gib = kib_of(&memory, "MemTotal:").unwrap_or_default() as f64 / 1024.0 / 1024.0;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    Ok(format!(
        "{cores} cores of {model}, {gib:.0} GiB of memory, Linux {}, a load of {load} before the first measurement",
        kernel.trim()
    ))
}
