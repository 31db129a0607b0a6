//! How often keys were refused, by key, code and day: added up in memory and in batches in the database.

use chrono::NaiveDate;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::id::KeyId;

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RefusalKind {
    /// The key that was refused; `None` where none was presented, or none that there is.
    pub(crate) key_id: Option<KeyId>,
    /// UTC.
    pub(crate) day: NaiveDate,
    /// That of the refusal.
    pub(crate) code: &'static str,
}

/// What was refused and is not written yet.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    counts: Mutex<BTreeMap<RefusalKind, u64>>,
}

impl Refusals {
    /// Kinds that are remembered at once. Where there are more between two writings, further ones are forgotten: no request waits or
    /// fails for a count.
    const CAPACITY: usize = 100_000;

    /// Counts a refusal.
    pub(super) fn record(&self, kind: RefusalKind) {
        self.add(kind, 1);
    }

    /// Takes out at most `size` kinds, in their order.
    pub(super) fn take(&self, size: usize) -> Vec<(RefusalKind, u64)> {
        let mut counts = self.lock();
        std::iter::from_fn(|| counts.pop_first())
            .take(size)
            .collect()
    }

    /// Puts back what could not be written.
    pub(super) fn put_back(&self, taken: Vec<(RefusalKind, u64)>) {
        for (kind, count) in taken {
            self.add(kind, count);
        }
    }

    fn add(&self, kind: RefusalKind, count: u64) {
        let mut counts = self.lock();
        let has_room = counts.len() < Self::CAPACITY;
        match counts.get_mut(&kind) {
            Some(sum) => *sum += count,
            None if has_room => {
                counts.insert(kind, count);
            }
            None => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RefusalKind, u64>> {
        // Nothing panics while it is held; and if it did, each entry is whole.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
