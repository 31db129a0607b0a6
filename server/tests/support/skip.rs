//! A test that needs a program or server which is not there.

use std::io::{self, Write as _};

/// Reports that the current test is skipped because `what` is missing, past the test runner, which hides the output of tests that pass.
/// Panics where programs are required, as in the whole suite.
pub(crate) fn skip(what: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "xtask says so by the environment"
    )]
    let is_required = std::env::var_os("TEST_PROGRAMS").is_some();
    assert!(!is_required, "{what} is missing");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Where standard error is closed, nobody reads the report.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {what} is missing");
}
