//! When and from where each key was last used, collected in memory and written in batches.

use chrono::{DateTime, Utc};
use std::{
    cmp::Reverse,
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::id::KeyId;

/// The most recent accepted request with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastUse {
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// From where; `None` where the address was unknown.
    pub(crate) address: Option<IpAddr>,
}

/// What was used and is not written yet.
#[derive(Debug, Default)]
pub(super) struct LastUsed {
    uses: Mutex<HashMap<KeyId, LastUse>>,
}

impl LastUsed {
    /// Keys that are remembered at once, some 10 MB of them. Where more are used between two writings, the uses of further keys are
    /// forgotten: the page shows an earlier use then, and no request waits or fails for it.
    pub(super) const CAPACITY: usize = 100_000;

    /// Remembers a use; of several of one key the newest.
    pub(super) fn record(&self, id: KeyId, last_use: LastUse) {
        remember(&mut self.lock(), id, last_use);
    }

    /// Takes everything out. What [`Taken`] still holds when it is dropped goes back.
    pub(super) fn take(&self) -> Taken<'_> {
        let mut rest: Vec<_> = std::mem::take(&mut *self.lock()).into_iter().collect();
        // Batches are cut off the end.
        rest.sort_unstable_by_key(|(id, _)| Reverse(*id));
        Taken { origin: self, rest }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyId, LastUse>> {
        // Nothing panics while it is held; and if it did, each entry is whole.
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember(uses: &mut HashMap<KeyId, LastUse>, id: KeyId, last_use: LastUse) {
    let has_room = uses.len() < LastUsed::CAPACITY;
    match uses.entry(id) {
        Entry::Occupied(mut entry) if entry.get().at < last_use.at => {
            entry.insert(last_use);
        }
        Entry::Vacant(entry) if has_room => {
            entry.insert(last_use);
        }
        _ => {}
    }
}

/// Uses on their way into the database. Whatever ends the way early, an error or a cancelled task, loses none.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    origin: &'a LastUsed,
    /// By identifier, the smallest last.
    rest: Vec<(KeyId, LastUse)>,
}

impl Taken<'_> {
    /// The next at most `size` uses, in the order of their identifiers; empty at the end. They stay in here until [`Self::written`].
    pub(super) fn batch(&self, size: usize) -> Vec<(KeyId, LastUse)> {
        self.rest.iter().rev().take(size).copied().collect()
    }

    /// The first `count` of them are in the database.
    pub(super) fn written(&mut self, count: usize) {
        self.rest.truncate(self.rest.len().saturating_sub(count));
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        let mut uses = self.origin.lock();
        for (id, last_use) in self.rest.drain(..) {
            remember(&mut uses, id, last_use);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn key(number: usize) -> KeyId {
        Uuid::from_u128(number as u128).into()
    }

    fn at(second: i64) -> LastUse {
        LastUse {
            at: DateTime::from_timestamp(second, 0).expect("a time"),
            address: None,
        }
    }

    fn everything(uses: &LastUsed) -> Vec<(KeyId, LastUse)> {
        let mut taken = uses.take();
        let all = taken.batch(usize::MAX);
        taken.written(all.len());
        all
    }

    #[test]
    fn the_newest_use_of_a_key_is_kept() {
        let uses = LastUsed::default();
        for second in [20, 30, 10] {
            uses.record(key(1), at(second));
        }
        assert_eq!(everything(&uses), [(key(1), at(30))]);
        assert_eq!(everything(&uses), []);
    }

    #[test]
    fn what_was_not_written_goes_back_and_does_not_replace_what_is_newer() {
        let uses = LastUsed::default();
        for number in 1..=3 {
            uses.record(key(number), at(10));
        }
        let mut taken = uses.take();
        assert_eq!(taken.batch(2), [(key(1), at(10)), (key(2), at(10))]);
        taken.written(1);
        uses.record(key(2), at(99));
        drop(taken);
        assert_eq!(everything(&uses), [(key(2), at(99)), (key(3), at(10))]);
    }

    #[test]
    fn a_full_memory_refuses_new_keys_and_updates_the_ones_it_has() {
        let uses = LastUsed::default();
        for number in 0..=LastUsed::CAPACITY {
            uses.record(key(number), at(10));
        }
        uses.record(key(0), at(20));
        let all = everything(&uses);
        assert_eq!(all.len(), LastUsed::CAPACITY);
        assert_eq!(all[0], (key(0), at(20)));
        let refused = key(LastUsed::CAPACITY);
        assert!(all.iter().all(|(id, _)| *id != refused));
    }
}
