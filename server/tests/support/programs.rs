//! Programs that tests use and that a machine may lack.

use std::process::{Command, Stdio};

use super::skip::skip;

/// Whether `program` is there; otherwise the test is reported as skipped. In the whole suite it has to be there.
pub(crate) fn has(program: &str, version: &str) -> bool {
    let ran = Command::new(program)
        .arg(version)
        .stdout(Stdio::null())
        .status();
    let is_there = ran.is_ok_and(|status| status.success());
    if !is_there {
        skip(program);
    }
    is_there
}
