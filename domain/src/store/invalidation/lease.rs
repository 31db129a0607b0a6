//! How long what was kept may be used without hearing from the database.
//!
//! A replica that is cut off learns of no change. So it believes what it has in memory for a moment only, counted from before it
//! last asked for news: its *freshness lease*. Whoever changes something waits until every replica has said that it knows, or until
//! every lease that was given before the commit has run out.
//!
//! A request has to ask for the lease *before* it asks the stamps (`versions.rs`). The other way round, the news could come between the
//! two questions: the old stamp first, and then the lease that was renewed with them.
//!
//! This file compiles against whatever atomics stand beside it, and so the model checker of the tests runs the very same lines.

use std::time::Duration;

use super::sync::{AtomicU64, Ordering};

/// The bound on everything that is late where a replica is cut off: the `B` of the acceptance checks. From the commit on, who changes
/// something waits no longer than this.
pub(crate) const BOUND: Duration = Duration::from_millis(1_000);
/// How long a lease is. Shorter than [`BOUND`], so that two clocks may run by a tenth differently.
const LENGTH: Duration = Duration::from_millis(900);

const EXPIRED: u64 = 0;
/// None, and none any more.
const CLOSED: u64 = 1;
const PERMANENT: u64 = u64::MAX;

/// A point of time on this machine's clock, which goes on while the machine is suspended and which nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// So many nanoseconds after the clock began.
    pub(crate) const fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// The time from `earlier` until this.
    pub(crate) const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Until when what was kept may be used.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Nanoseconds on the clock of [`Moment`].
    until: AtomicU64,
}

impl Lease {
    /// Of a server that has its database to itself: nobody changes anything behind its back.
    pub(crate) fn permanent() -> Self {
        Self {
            until: AtomicU64::new(PERMANENT),
        }
    }

    /// Of a replica that has not asked for news yet.
    pub(crate) fn expired() -> Self {
        Self {
            until: AtomicU64::new(EXPIRED),
        }
    }

    /// Whether what was kept may be used. `now` is asked for only where it matters.
    pub(crate) fn is_held(&self, now: impl FnOnce() -> Moment) -> bool {
        match self.until.load(Ordering::Acquire) {
            PERMANENT => true,
            EXPIRED | CLOSED => false,
            until => now().0 < until,
        }
    }

    /// Everything that the database knew when it was asked, at `asked` or later, is stamped by now.
    pub(crate) fn renew(&self, asked: Moment) {
        let length = u64::try_from(LENGTH.as_nanos()).unwrap_or(EXPIRED);
        self.set(asked.0 + length);
    }

    /// Nothing that was kept may be used before the next renewal.
    pub(crate) fn expire(&self) {
        self.set(EXPIRED);
    }

    /// Nothing that was kept may be used any more, also where somebody renews it at this very moment.
    pub(crate) fn close(&self) {
        self.until.store(CLOSED, Ordering::Release);
    }

    /// Only one renews, and so there is no other change to lose but the last one.
    fn set(&self, until: u64) {
        let before = self.until.load(Ordering::Relaxed);
        if before != CLOSED {
            let _ =
                self.until
                    .compare_exchange(before, until, Ordering::Release, Ordering::Relaxed);
        }
    }
}
