//! Builds the release binary beside the Rust tests, at the lowest priority.
//!
//! The tests often wait, for leases, timeouts and databases, and then a core is idle.

use std::fs::File;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use procfs::process::all_processes;

use crate::command;
use crate::progress;
use crate::workspace::Workspace;

/// A release build in a process of its own. Its output goes to a file. Ended when dropped before it is done.
pub(crate) struct ReleaseBuild {
    child: Child,
    log: std::path::PathBuf,
}

impl ReleaseBuild {
    /// Starts `cargo xtask build` at the lowest priority, so that a test that needs a core gets it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn start(workspace: &Workspace) -> Result<Self> {
        let log = workspace.target.join("release-build.log");
        progress::announce(
            "Release build, beside the Rust tests",
            &format!("its output is in {}", log.display()),
        );
        let output =
            File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut build = Command::new("nice");
        build
            .args(["-n", "19"])
            // Cargo may have replaced the file since; Linux still runs the program of this process.
            .arg(format!("/proc/{}/exe", std::process::id()))
            .arg("build")
            .current_dir(&workspace.root)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let child = build.spawn().context("cannot start `nice`")?;
        Ok(Self { child, log })
    }

    /// Waits until the build is done.
    ///
    /// # Errors
    /// If it failed; its output is printed then.
    pub(crate) fn finish(mut self) -> Result<()> {
        let started = Instant::now();
        let status: ExitStatus = self
            .child
            .wait()
            .context("cannot wait for the release build")?;
        progress::print(&format!(
            "Release build: waited for {} s",
            started.elapsed().as_secs()
        ));
        if !status.success() {
            let output = std::fs::read_to_string(&self.log).unwrap_or_default();
            progress::print(&format!("output of the release build:\n{output}"));
        }
        ensure!(status.success(), "the release build ended with {status}");
        Ok(())
    }
}

impl Drop for ReleaseBuild {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Killing xtask alone would leave its cargo and rustc running.
        let processes: Vec<String> = descendants(self.child.id())
            .iter()
            .map(ToString::to_string)
            .collect();
        command::succeeds(Command::new("kill").args(&processes));
        let _ = self.child.wait();
    }
}

/// The process and all processes below it.
fn descendants(process: u32) -> Vec<i32> {
    let parents: Vec<(i32, i32)> = all_processes()
        .into_iter()
        .flatten()
        .filter_map(|process| process.ok()?.stat().ok())
        .map(|stat| (stat.pid, stat.ppid))
        .collect();
    let mut found: Vec<i32> = process.try_into().into_iter().collect();
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            parents
                .iter()
                .filter(|&&(_, ppid)| ppid == parent)
                .map(|&(pid, _)| pid),
        );
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_that_is_dropped_ends_with_its_children() {
        let child = Command::new("sh")
            .args(["-c", "sleep 600 & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.expect("sh starts");
        let mut grandchild = String::new();
        let mut output = std::io::BufReader::new(child.stdout.take().expect("piped"));
        std::io::BufRead::read_line(&mut output, &mut grandchild).expect("a line");
        let grandchild: i32 = grandchild.trim().parse().expect("a process id");
        let id = child.id();
        assert!(descendants(id).contains(&grandchild));
        drop(ReleaseBuild {
            child,
            log: std::path::PathBuf::new(),
        });
        let ended = || {
            let Ok(process) = procfs::process::Process::new(grandchild) else {
                return true;
            };
            process.stat().is_ok_and(|stat| stat.state == 'Z')
        };
        let limit = Instant::now() + std::time::Duration::from_secs(60);
        while !ended() {
            assert!(Instant::now() < limit, "process {grandchild} is alive");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
