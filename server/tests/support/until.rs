//! Waiting for a condition, never for a time.

use std::{
    thread,
    time::{Duration, Instant},
};

/// More than a loaded machine needs for anything that has to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a condition that has to come true, and returns how long that took.
pub(crate) fn until(mut condition: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "it does not come true");
        thread::park_timeout(Duration::from_millis(5));
    }
    started.elapsed()
}
