//! The clock that leases are counted on.

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
