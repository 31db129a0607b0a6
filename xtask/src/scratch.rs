//! The folder for temporary data of tests, such as databases: in memory if there is enough of it. Commits there do not wait for a disk,
//! which may be busy with the compiler's output.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::command;

/// Linux's folder in memory.
const MEMORY: &str = "/dev/shm";

/// Ten times the suite's peak usage.
const ROOM_KIB: u64 = 4 * 1024 * 1024;

/// The folder. Programs get it as `TMPDIR`.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = Path::new(MEMORY);
        if has_room(memory) && runs_programs(memory) {
            memory.to_path_buf()
        } else {
            std::env::temp_dir()
        }
    })
}

fn has_room(folder: &Path) -> bool {
    let output = command::output(
        Command::new("df")
            .args(["-k", "--output=avail"])
            .arg(folder),
    );
    output.is_ok_and(|output| available(&output).is_some_and(|room| room >= ROOM_KIB))
}

/// The number below the heading of `df`'s output.
fn available(output: &str) -> Option<u64> {
    output.lines().nth(1)?.trim().parse().ok()
}

/// Whether programs in the folder can be executed; containers often mount it with `noexec`.
fn runs_programs(folder: &Path) -> bool {
    let program = folder.join(format!("latchkey-xtask-{}", std::process::id()));
    let runs = command::write_program(&program, "#!/bin/sh\n").is_ok()
        && command::succeeds(&mut Command::new(&program));
    std::fs::remove_file(&program).ok();
    runs
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn the_available_space_is_the_number_below_the_heading() {
        assert_eq!(available("   Avail\n24684096\n"), Some(24_684_096));
        assert_eq!(available("Avail\n"), None);
    }

    #[test]
    fn a_missing_folder_has_no_room() {
        assert!(!has_room(Path::new("/latchkey/no/such/folder")));
    }

    /// A child that is forked while a file is open for writing keeps the file open until its exec; until then the kernel refuses to execute
    /// the file.
    #[test]
    fn a_written_program_runs_while_other_threads_start_programs() {
        let folder = std::env::temp_dir();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        assert!(command::succeeds(&mut Command::new("true")));
                    }
                });
            }
            let failures = (0..100).filter(|_| !runs_programs(&folder)).count();
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(failures, 0);
        });
    }
}
