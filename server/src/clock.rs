//! The clock. Entry points read it once per request or command; all other code takes the time as a parameter.

use chrono::{DateTime, Utc};

/// The current time.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock; other code takes the time as a parameter"
)]
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
