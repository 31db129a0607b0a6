//! Waiting times as `Retry-After` and in words.

use app::words;
use chrono::TimeDelta;

/// The value of `Retry-After` in seconds, rounded up.
pub(crate) fn whole_seconds(wait: TimeDelta) -> i64 {
    (wait.num_milliseconds().max(0) + 999) / 1000
}

/// Shown if no slot for hashing a password became free in time.
pub(crate) const BUSY: &str = "Latchkey is busy checking passwords. Try again in a moment.";

/// `1 minute`, `15 minutes`, `24 hours`, rounded up.
pub(crate) fn in_words(wait: TimeDelta) -> String {
    let minutes = u64::try_from((whole_seconds(wait) + 59) / 60).unwrap_or_default();
    if minutes <= 60 {
        words::count(minutes.max(1), "minute", "minutes")
    } else {
        words::count(minutes.div_ceil(60), "hour", "hours")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p74_the_words_never_promise_less_than_the_wait() {
        for (seconds, words) in [
            (1, "1 minute"),
            (61, "2 minutes"),
            (900, "15 minutes"),
            (3_600, "60 minutes"),
            (3_601, "2 hours"),
            (86_399, "24 hours"),
            (86_400, "24 hours"),
        ] {
            assert_eq!(in_words(TimeDelta::seconds(seconds)), words);
        }
    }
}
