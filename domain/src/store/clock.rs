//! Times as both databases keep them.

use chrono::{DateTime, SubsecRound, Utc};

/// `now` cut to microseconds, which is what PostgreSQL keeps: what is written is what is read back.
pub(crate) fn stored(now: DateTime<Utc>) -> DateTime<Utc> {
    now.trunc_subsecs(6)
}
