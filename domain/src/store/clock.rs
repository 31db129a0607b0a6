//! Times in the precision that both databases store.

use chrono::{DateTime, SubsecRound, Utc};

/// `now` truncated to microseconds, the precision of PostgreSQL, so that a time equals its stored value.
pub(crate) fn stored(now: DateTime<Utc>) -> DateTime<Utc> {
    now.trunc_subsecs(6)
}
