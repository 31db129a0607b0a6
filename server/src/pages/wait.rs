//! How long somebody has to wait, in a header and in words.

use app::words;
use chrono::TimeDelta;

/// For `Retry-After`. Never less than the wait: somebody who comes back in time is let in.
pub(crate) fn whole_seconds(wait: TimeDelta) -> i64 {
    (wait.num_milliseconds().max(0) + 999) / 1000
}

/// `1 minute`, `15 minutes`.
pub(crate) fn in_minutes(wait: TimeDelta) -> String {
    let minutes = u64::try_from((whole_seconds(wait) + 59) / 60).unwrap_or_default();
    words::count(minutes.max(1), "minute", "minutes")
}
