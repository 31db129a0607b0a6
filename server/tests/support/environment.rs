//! Settings of the suite, which xtask passes in environment variables.

/// The value of a variable that configures tests.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are configured by environment variables"
)]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The number of repetitions of a test: `TEST_ROUNDS`, or `default`.
pub(crate) fn rounds(default: usize) -> usize {
    setting("TEST_ROUNDS").map_or(default, |rounds| rounds.parse().expect("TEST_ROUNDS"))
}

/// Whether `cargo xtask soak` runs, on a quiet machine. Only then do tests assert durations by their own clock.
pub(crate) fn is_soak() -> bool {
    setting("TEST_ROUNDS").is_some()
}
