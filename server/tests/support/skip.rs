//! Skips tests that need a program or server that is missing on the machine.

use std::{
    io::{self, Write as _},
    process::{Command, Stdio},
};

use super::environment::setting;

/// Reports that the current test is skipped because `what` is missing. The report is written directly to standard error, because the test
/// runner hides the output of tests that pass.
///
/// # Panics
/// If `TEST_PROGRAMS` is set, as in the whole suite.
pub(crate) fn skip(what: &str) {
    assert!(setting("TEST_PROGRAMS").is_none(), "{what} is missing");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // A closed standard error must not fail the test.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {what} is missing");
}

/// Whether `program` runs with the argument `version`; otherwise the test is reported as skipped.
pub(crate) fn has_program(program: &str, version: &str) -> bool {
    let status = Command::new(program)
        .arg(version)
        .stdout(Stdio::null())
        .status();
    let is_installed = status.is_ok_and(|status| status.success());
    if !is_installed {
        skip(program);
    }
    is_installed
}
