//! The fingerprints of every secret that exists, so that an invented secret is refused without a query.
//!
//! The set contains at least the digests of all current, revoked and archived keys, by their first eight bytes. A secret that is not in it
//! belongs to no key. One that is in it is looked up in the database, so that a fingerprint that two secrets share costs a query and refuses
//! nobody.
//!
//! The set is used only while it is complete. A load reads the digests in pages while the change log adds the new ones: a key that was
//! committed before the load began is in a page, a later one is in the change log, which adds it before its creation returns. When entries of
//! the change log were missed, the set is incomplete until a further load ends. Nothing is removed otherwise: the replaced secret of a
//! rotated key costs a query until the next load.
//!
//! The file compiles against the `sync` module beside it, so that a model checker can run the same code
//! (`domain/tests/fingerprint_model.rs`).

use std::{collections::HashSet, sync::PoisonError};

use super::sync::{AtomicU64, Ordering, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Maximum number of fingerprints of a part: what a hash table with 2^17 places takes, about 1.1 MiB.
const MOST_OF_A_PART: usize = 114_688;

/// The bit of [`Fingerprints::state`] that is set while the set is complete. The others count the loads and resets.
const COMPLETE: u64 = 1;
const NEXT: u64 = 2;

/// The first eight bytes of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of a digest.
    pub(crate) fn of(digest: &[u8; 32]) -> Self {
        digest
            .first_chunk()
            .map_or(Self(0), |first| Self::from_bytes(*first))
    }

    /// The fingerprint with these bytes.
    pub(crate) const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }

    /// The fingerprint with these bytes; `None` if they are not eight: such a row belongs to no secret.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_bytes)
    }

    /// Its bytes. A digest is at or above them in byte order if its fingerprint is at or above this one.
    pub(crate) const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// The next fingerprint; `None` after the last one.
    pub(crate) fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

/// A load of the set that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load(u64);

/// The set of fingerprints.
#[derive(Debug)]
pub(crate) struct Fingerprints {
    /// Whether the set is complete, and a counter that each load and reset increments.
    state: AtomicU64,
    /// Parts by the leading bits, so that a lookup waits only for an addition to the same part.
    parts: Box<[Part]>,
    most_of_a_part: usize,
}

impl Fingerprints {
    /// An incomplete set with `parts` parts.
    pub(crate) fn new(parts: usize) -> Self {
        Self::with_most(parts, MOST_OF_A_PART)
    }

    /// [`Self::new`] with another maximum number of fingerprints of a part.
    pub(crate) fn with_most(parts: usize, most_of_a_part: usize) -> Self {
        Self {
            state: AtomicU64::new(0),
            parts: (0..parts).map(|_| RwLock::new(HashSet::new())).collect(),
            most_of_a_part,
        }
    }

    /// Whether no key has a secret with this fingerprint. False while the set is incomplete.
    pub(crate) fn is_absent(&self, fingerprint: Fingerprint) -> bool {
        let before = self.state.load(Ordering::Acquire);
        before & COMPLETE != 0
            && !self.contains(fingerprint)
            // A load that began meanwhile may have emptied the part.
            && self.state.load(Ordering::Acquire) == before
    }

    /// Whether the set is complete.
    pub(crate) fn is_complete(&self) -> bool {
        self.state.load(Ordering::Acquire) & COMPLETE != 0
    }

    /// Adds the fingerprint of a new secret. Must be called after the commit and before the change returns. Without room for it the set
    /// becomes incomplete; returns whether there was room.
    pub(crate) fn add(&self, fingerprint: Fingerprint) -> bool {
        let has_room = self.insert(fingerprint);
        if !has_room {
            // A load that runs does not complete either, because it finds the part full.
            self.state.fetch_and(!COMPLETE, Ordering::AcqRel);
        }
        has_room
    }

    /// Makes the set incomplete and ends a load that runs: entries of the change log were missed. A new load may begin when the position
    /// from which the change log is read further is known.
    pub(crate) fn reset(&self) {
        self.supersede();
    }

    /// Begins a load: empties the set. One task loads, because the pages of a load must not be emptied by another. The pages must be read after this call, in transactions that begin after it.
    pub(crate) fn begin_load(&self) -> Load {
        let load = self.supersede();
        for part in &self.parts {
            write(part).clear();
        }
        load
    }

    /// Adds a page of a load. Returns whether there was room.
    pub(crate) fn add_page(&self, page: impl IntoIterator<Item = Fingerprint>) -> bool {
        page.into_iter().all(|fingerprint| self.insert(fingerprint))
    }

    /// Ends a load after its last page: the set is complete. False if the load was superseded, or a part is so full that few additions would
    /// make the set incomplete again.
    pub(crate) fn complete(&self, load: Load) -> bool {
        let most = self.most_of_a_part - self.most_of_a_part / 16;
        self.parts.iter().all(|part| read(part).len() <= most)
            && self
                .state
                .compare_exchange(
                    load.0,
                    load.0 | COMPLETE,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                )
                .is_ok()
    }

    /// Whether this load was superseded by a reset or another load.
    pub(crate) fn is_superseded(&self, load: Load) -> bool {
        self.state.load(Ordering::Acquire) != load.0
    }

    /// Number of fingerprints.
    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(|part| read(part).len()).sum()
    }

    /// Makes the set incomplete and increments the counter.
    fn supersede(&self) -> Load {
        let mut before = self.state.load(Ordering::Acquire);
        loop {
            let after = (before & !COMPLETE) + NEXT;
            match self
                .state
                .compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Load(after),
                Err(changed) => before = changed,
            }
        }
    }

    fn contains(&self, fingerprint: Fingerprint) -> bool {
        read(self.part(fingerprint)).contains(&fingerprint.0)
    }

    /// Returns whether there was room.
    fn insert(&self, fingerprint: Fingerprint) -> bool {
        let mut part = write(self.part(fingerprint));
        if part.len() < self.most_of_a_part {
            part.insert(fingerprint.0);
            true
        } else {
            part.contains(&fingerprint.0)
        }
    }

    fn part(&self, fingerprint: Fingerprint) -> &Part {
        let leading = fingerprint.0 >> 32;
        let index = ((leading * self.parts.len() as u64) >> 32) as usize;
        &self.parts[index]
    }
}

type Part = RwLock<HashSet<u64>>;

/// Locks. No holder panics, so a poisoned part is whole.
fn read(part: &Part) -> RwLockReadGuard<'_, HashSet<u64>> {
    part.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(part: &Part) -> RwLockWriteGuard<'_, HashSet<u64>> {
    part.write().unwrap_or_else(PoisonError::into_inner)
}
