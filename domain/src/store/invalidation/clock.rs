//! The clock of leases, and the wall clock, whose skew is reported.

use chrono::{DateTime, Utc};
use rustix::time::{ClockId, clock_gettime};

use super::lease::Moment;

/// The clock must run while the machine is suspended. On Linux that of `Instant` stops; on other systems the monotonic clock runs on.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// The current time of leases.
pub(crate) fn now() -> Moment {
    let time = clock_gettime(CLOCK);
    // Both are positive, because the clock starts at boot.
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let rest = u64::try_from(time.tv_nsec).unwrap_or_default();
    Moment::from_nanoseconds(seconds * 1_000_000_000 + rest)
}

/// The wall clock of this machine, only for comparison with the database's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the skew of this clock is measured"
)]
pub(crate) fn wall_clock() -> DateTime<Utc> {
    Utc::now()
}
