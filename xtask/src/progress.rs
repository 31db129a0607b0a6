//! What the developer sees between the output of the programs that we run.

use std::time::Instant;

use anyhow::{Context, Result};

/// Prints one line, apart from the programs' own output.
pub(crate) fn say(line: &str) {
    eprintln!("xtask: {line}");
}

/// Announces work that ends in closing lines of its own, with the time that it usually takes on two cores.
pub(crate) fn announce(what: &str, usually: &str) {
    say(&format!("{what} (usually {usually})"));
}

/// Announces a piece of work, does it, and says how long it took.
pub(crate) fn step<T>(what: &str, usually: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    announce(what, usually);
    let started = Instant::now();
    let result = work().with_context(|| format!("failed: {what}"))?;
    say(&format!(
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
