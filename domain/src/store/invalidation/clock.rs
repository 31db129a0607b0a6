//! The clock that leases are counted on, and the wall clock, for how far it is off.

use chrono::{DateTime, Utc};
use rustix::time::{ClockId, clock_gettime};

use super::lease::Moment;

/// `Instant` stands still while the machine sleeps, and a lease must not. Elsewhere than on Linux this clock goes on as well.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Now.
pub(crate) fn now() -> Moment {
    let time = clock_gettime(CLOCK);
    // Neither is ever negative: the clock begins with the machine.
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let rest = u64::try_from(time.tv_nsec).unwrap_or_default();
    Moment::from_nanoseconds(seconds * 1_000_000_000 + rest)
}

/// What this machine's wall clock shows: to be compared with the database's, and never to judge by.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock itself is what is asked about"
)]
pub(crate) fn wall_clock() -> DateTime<Utc> {
    Utc::now()
}
