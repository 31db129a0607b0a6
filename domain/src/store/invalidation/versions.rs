//! Versions of cached state, which determine whether a cached read is still valid.
//!
//! A [`Version`] is the value of a counter that every change increments. A reader takes the current version *before* it queries the
//! database and stores it with the result. A change commits, then gives the changed slots a new version, and only then returns. So a read
//! that began before the new version may have missed the change and is invalid; one that began after it has read the commit. A load that
//! overlaps a change needs no special case: its result is invalid when it arrives. No cache has to be searched for entries to delete.
//!
//! Versions are indexed by the low bits of identifiers, which are random. Objects that share a slot are invalidated together, which costs
//! one query of the database. So the number of versions is fixed, whatever the number of keys.
//!
//! The file compiles against the `sync` module beside it, so that a model checker can run the same code
//! (`domain/tests/invalidation_model.rs`).

use super::sync::{AtomicU64, Ordering};

/// The state between two changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u64);

/// The index of a version: the low bits of an identifier, which are random in a version 7 UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u64);

impl Slot {
    /// The slot of the key, group or tenant with this identifier.
    #[must_use]
    pub(crate) const fn of(identifier: u128) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
        Self(identifier as u64)
    }
}

/// The version at which each slot was last changed.
#[derive(Debug)]
pub(crate) struct Versions {
    current: AtomicU64,
    /// The version of the last change of everything.
    everything: AtomicU64,
    /// Their number is a power of two.
    slots: Box<[AtomicU64]>,
}

impl Versions {
    /// Versions with `2^bits` slots.
    #[must_use]
    pub(crate) fn new(bits: u32) -> Self {
        Self {
            current: AtomicU64::new(0),
            everything: AtomicU64::new(0),
            slots: (0..1_u64 << bits).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The current version. Must be read before the database is queried.
    pub(crate) fn current(&self) -> Version {
        Version(self.current.load(Ordering::Acquire))
    }

    /// Invalidates earlier reads of these slots. Must be called after the commit and before the change returns.
    pub(crate) fn invalidate(&self, slots: impl IntoIterator<Item = Slot>) {
        let version = self.next();
        for slot in slots {
            self.slot(slot).fetch_max(version, Ordering::AcqRel);
        }
    }

    /// Invalidates all earlier reads.
    pub(crate) fn invalidate_all(&self) {
        let version = self.next();
        self.everything.fetch_max(version, Ordering::AcqRel);
    }

    /// Whether a read of these slots that began at `read_at` is still valid.
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
