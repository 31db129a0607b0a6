//! When did the state of what last change? The one place that decides whether something that was read earlier still holds.
//!
//! Time is a counter that every change moves on: a [`Version`]. Whoever wants to keep what the database says notes the tick *before*
//! asking it. A change is committed first, then it stamps what it changed with a new tick, and only then is it answered. So what was
//! noted before a stamp may have missed the change, and no longer holds; what was noted after it has seen the commit. A load that
//! began before a change and ends after it needs no care at all: it is dead when it arrives. Nothing has to be found and removed
//! anywhere, which is what goes wrong when caches are told to delete.
//!
//! Versions are kept by the low bits of identifiers, which are random. Two things that share a slot are one for this purpose: a change
//! of one costs the other a read of the database, and nothing else. So there is a fixed number of them, for any number of keys.
//!
//! This file compiles against whatever atomics stand beside it, and so the model checker of the tests runs the very same lines.

use super::sync::{AtomicU64, Ordering};

/// A moment between two changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u64);

/// The low bits of an identifier: those of a version 7 UUID that are random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u64);

impl Slot {
    /// Where the thing with this identifier has its stamp.
    #[must_use]
    pub(crate) const fn of(identifier: u128) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
        Self(identifier as u64)
    }
}

/// When each thing changed last.
#[derive(Debug)]
pub(crate) struct Versions {
    current: AtomicU64,
    everything: AtomicU64,
    /// A power of two of them.
    slots: Box<[AtomicU64]>,
}

impl Versions {
    /// With `2^bits` slots.
    #[must_use]
    pub(crate) fn new(bits: u32) -> Self {
        Self {
            current: AtomicU64::new(0),
            everything: AtomicU64::new(0),
            slots: (0..1_u64 << bits).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Now. To be asked before the database is.
    pub(crate) fn current(&self) -> Version {
        Version(self.current.load(Ordering::Acquire))
    }

    /// These have changed: what was read of them before does not hold any more. To be called after the commit, and before anybody is
    /// told of it.
    pub(crate) fn invalidate(&self, slots: impl IntoIterator<Item = Slot>) {
        let tick = self.next();
        for slot in slots {
            self.slot(slot).fetch_max(tick, Ordering::AcqRel);
        }
    }

    /// Anything may have changed: nothing that was read before holds any more.
    pub(crate) fn invalidate_all(&self) {
        let tick = self.next();
        self.everything.fetch_max(tick, Ordering::AcqRel);
    }

    /// Whether what was read after `noted` of what has these slots still holds.
    pub(crate) fn is_valid(&self, read_at: Version, slots: &[Slot]) -> bool {
        self.everything.load(Ordering::Acquire) <= read_at.0
            && slots
                .iter()
                .all(|slot| self.slot(*slot).load(Ordering::Acquire) <= read_at.0)
    }

    fn next(&self) -> u64 {
        self.current.fetch_add(1, Ordering::AcqRel) + 1
    }

    fn slot(&self, Slot(bits): Slot) -> &AtomicU64 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the remainder is smaller than the number of slots"
        )]
        let index = (bits % self.slots.len() as u64) as usize;
        &self.slots[index]
    }
}
