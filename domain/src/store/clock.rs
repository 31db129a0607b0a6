//! Times in the precision of both databases.

use chrono::{DateTime, SubsecRound, Utc};

/// `now` truncated to microseconds, the precision of PostgreSQL, so that a stored time equals the one that is read back.
pub(crate) fn stored(now: DateTime<Utc>) -> DateTime<Utc> {
    now.trunc_subsecs(6)
}
