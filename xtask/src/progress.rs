//! Progress lines of xtask between the output of the programs that it runs.

use std::time::Instant;

use anyhow::{Context, Result};

/// Prints one line to stderr, marked as a line of xtask.
pub(crate) fn print(line: &str) {
    eprintln!("xtask: {line}");
}

/// Announces work whose output ends in a summary of its own, with its usual time on two cores.
pub(crate) fn announce(what: &str, usually: &str) {
    print(&format!("{what} (usually {usually})"));
}

/// Announces work, runs it, and prints its duration.
pub(crate) fn step<T>(what: &str, usually: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    announce(what, usually);
    let started = Instant::now();
    let result = work().with_context(|| format!("failed: {what}"))?;
    print(&format!(
        "{what}: done in {}",
        human(started.elapsed().as_secs())
    ));
    Ok(result)
}

fn human(seconds: u64) -> String {
    if seconds < 100 {
        format!("{seconds} s")
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn short_times_are_in_seconds_and_long_ones_in_minutes() {
        assert_eq!(human(99), "99 s");
        assert_eq!(human(100), "1 min 40 s");
    }
}
