//! The lease: the time for which a replica may use its cache without contact to the database.
//!
//! A replica that is cut off receives no changes. So it may use its cache only until its lease expires, counted from before its last poll
//! was sent. A change waits until every replica has confirmed it, or until every lease granted before the commit has expired.
//!
//! A request must check the lease *before* the versions (`versions.rs`). In the other order a poll could complete between the two
//! checks: the request would see the old version and then the renewed lease.
//!
//! The file compiles against the `sync` module beside it, so a model checker runs the same code (`domain/tests/lease_model.rs`).

use std::time::Duration;

use super::sync::{AtomicU64, Ordering};

/// The bound on stale verdicts of a replica that is cut off. A change waits at most this long after its commit.
pub(crate) const BOUND: Duration = Duration::from_millis(1_000);
/// Length of a lease. Shorter than [`BOUND`], so that the rates of two clocks may differ by a tenth.
const LENGTH: Duration = Duration::from_millis(900);

const EXPIRED: u64 = 0;
/// Expired, and never renewed again.
const CLOSED: u64 = 1;
const PERMANENT: u64 = u64::MAX;

/// A point of time on a monotonic clock of this machine that runs while the machine is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// `nanoseconds` after the clock's origin.
    pub(crate) const fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// The time since `earlier`; zero if `earlier` is later.
    pub(crate) const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The time until which cached reads may be used.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Nanoseconds on the clock of [`Moment`].
    until: AtomicU64,
}

impl Lease {
    /// A lease that never expires: for the only server of a database.
    pub(crate) fn permanent() -> Self {
        Self {
            until: AtomicU64::new(PERMANENT),
        }
    }

    /// An expired lease: for a replica that has not polled yet.
    pub(crate) fn expired() -> Self {
        Self {
            until: AtomicU64::new(EXPIRED),
        }
    }

    /// Whether cached reads may be used. `now` is called only if the result depends on it.
    pub(crate) fn is_held(&self, now: impl FnOnce() -> Moment) -> bool {
        match self.until.load(Ordering::Acquire) {
            PERMANENT => true,
            EXPIRED | CLOSED => false,
            until => now().0 < until,
        }
    }

    /// Renews the lease from `asked`, the time at which the poll was sent. Every change that the poll returned must be applied.
    pub(crate) fn renew(&self, asked: Moment) {
        let length = u64::try_from(LENGTH.as_nanos()).unwrap_or(EXPIRED);
        self.set(asked.0 + length);
    }

    /// Ends the lease until the next renewal.
    pub(crate) fn expire(&self) {
        self.set(EXPIRED);
    }

    /// Ends the lease for ever, even if it is renewed at the same time.
    pub(crate) fn close(&self) {
        self.until.store(CLOSED, Ordering::Release);
    }

    /// Only one task renews, so the only concurrent store is that of [`Self::close`], which must win.
    fn set(&self, until: u64) {
        let before = self.until.load(Ordering::Relaxed);
        if before != CLOSED {
            let _ =
                self.until
                    .compare_exchange(before, until, Ordering::Release, Ordering::Relaxed);
        }
    }
}
