//! The clock. Time is a parameter everywhere else: the doors of this crate read it here, once for each request or command.

use chrono::{DateTime, Utc};

/// The time, now.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the door: everything behind it takes the time as a parameter"
)]
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
