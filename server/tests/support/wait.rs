//! Waiting for a condition.

use std::{
    thread,
    time::{Duration, Instant},
};

/// The limit on every condition that a test waits for, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until the condition is true; returns how long that took.
///
/// # Panics
/// After [`PATIENCE`].
#[track_caller]
pub(crate) fn wait_until(mut condition: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < PATIENCE,
            "the condition is still false after {PATIENCE:?}"
        );
        thread::park_timeout(Duration::from_millis(5));
    }
    started.elapsed()
}
