//! Usage counters: kept in memory and written in batches.
//!
//! Requests do not wait for each other: there are more shards than threads, and each request uses the first unlocked one.

use chrono::{DateTime, Utc};
use std::{
    cell::Cell,
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::available_parallelism,
};

use crate::usage::{MOST_ADDRESSES, Outcome, UseKind, Uses};

type Shard = HashMap<UseKind, Uses>;

/// The counters that are not written yet.
#[derive(Debug)]
pub(super) struct UsageCounters {
    shards: Box<[Mutex<Shard>]>,
}

impl Default for UsageCounters {
    fn default() -> Self {
        // One for each thread that serves requests (one per processor), and one for the flush.
        let shards = available_parallelism().map_or(1, usize::from) + 1;
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
        }
    }
}

impl UsageCounters {
    /// Maximum number of counters of a shard, about 12 MB. Further ones between two flushes are dropped: counts are then too low, but no
    /// request waits or fails.
    pub(super) const CAPACITY: usize = 100_000;

    /// Counts a request.
    pub(super) fn record(&self, kind: UseKind, at: DateTime<Utc>) {
        let uses = Uses {
            count: 1,
            newest: at,
        };
        add(&mut self.free_shard(), kind, uses);
    }

    /// Takes all counters. The returned [`Taken`] puts back those that are not written when it is dropped.
    pub(super) fn take(self: Arc<Self>) -> Taken {
        let shards: Vec<Shard> = self.shards.iter().map(taken).collect();
        // Bounded by the capacity of all shards.
        let mut counters = Vec::with_capacity(shards.iter().map(Shard::len).sum());
        counters.extend(shards.into_iter().flatten());
        counters.sort_unstable_by_key(|(kind, _)| *kind);
        fold(&mut counters);
        Taken {
            origin: self,
            counters,
            written: 0,
        }
    }

    /// The shard of this thread, or the next unlocked one.
    fn free_shard(&self) -> MutexGuard<'_, Shard> {
        let own = own_place() % self.shards.len();
        let (before, from_own) = self.shards.split_at(own);
        for shard in from_own.iter().chain(before) {
            match shard.try_lock() {
                Ok(shard) => return shard,
                // No holder panics, and each entry is complete at any time.
                Err(TryLockError::Poisoned(shard)) => return shard.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        // There are more threads than shards.
        lock(&self.shards[own])
    }
}

/// A number of this thread, in order of first use.
fn own_place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<Option<usize>> = const { Cell::new(None) };
    }
    OWN.with(|own| {
        own.get().unwrap_or_else(|| {
            let place = NEXT.fetch_add(1, Ordering::Relaxed);
            own.set(Some(place));
            place
        })
    })
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the counters of a shard. Leaves room for as many, because inserting into a growing table costs twice as much.
fn taken(shard: &Mutex<Shard>) -> Shard {
    let size = lock(shard).len();
    let empty = Shard::with_capacity(size);
    std::mem::replace(&mut *lock(shard), empty)
}

/// Adds to a shard; a full shard drops new counters. Half of the capacity is reserved for accepted requests: beyond the other half, refused
/// requests from further addresses are counted without the address, so that a refused client displaces no other counter.
fn add(shard: &mut Shard, mut kind: UseKind, uses: Uses) {
    if matches!(kind.outcome, Outcome::Refused(_, Some(_)))
        && shard.len() >= UsageCounters::CAPACITY / 2
        && !shard.contains_key(&kind)
    {
        kind.outcome = kind.outcome.without_address();
    }
    if shard.len() < UsageCounters::CAPACITY || shard.contains_key(&kind) {
        merge(shard, kind, uses);
    }
}

fn merge(shard: &mut Shard, kind: UseKind, uses: Uses) {
    match shard.entry(kind) {
        Entry::Occupied(mut entry) => entry.get_mut().add(uses),
        Entry::Vacant(entry) => {
            entry.insert(uses);
        }
    }
}

/// Sums the counters of different shards, and limits those of each key and day to [`MOST_ADDRESSES`] addresses for accepted requests and
/// for each code of a refusal; the counts of further addresses are summed. `sorted` is sorted by key, day, outcome and address.
fn fold(sorted: &mut Vec<(UseKind, Uses)>) {
    let sum = |next: &mut (UseKind, Uses), sum: &mut (UseKind, Uses)| {
        let is_same = next.0 == sum.0;
        if is_same {
            sum.1.add(next.1);
        }
        is_same
    };
    sorted.dedup_by(sum);
    let mut counted_apart = None;
    let mut addresses = 0;
    for (kind, _) in sorted.iter_mut() {
        let group = Some((kind.key_id, kind.day, kind.outcome.code()));
        if counted_apart != group {
            counted_apart = group;
            addresses = 0;
        }
        let is_address = matches!(
            kind.outcome,
            Outcome::Accepted(Some(_)) | Outcome::Refused(_, Some(_))
        );
        addresses += u32::from(is_address);
        if is_address && addresses > MOST_ADDRESSES {
            kind.outcome = kind.outcome.without_address();
        }
    }
    sorted.dedup_by(sum);
}

/// Counters that are being written. When dropped, puts back those that are not written, so that none is lost if writing fails or is
/// cancelled.
#[derive(Debug)]
pub(super) struct Taken {
    origin: Arc<UsageCounters>,
    /// Sorted by key, day, outcome and address.
    counters: Vec<(UseKind, Uses)>,
    /// Number of counters at the beginning that are in the database.
    written: usize,
}

impl Taken {
    /// The next counters in ascending order, at most `size`; empty at the end. They stay here until [`Self::written`].
    pub(super) fn batch(&self, size: usize) -> &[(UseKind, Uses)] {
        let rest = &self.counters[self.written..];
        &rest[..rest.len().min(size)]
    }

    /// Records that the first `count` counters of the rest are in the database.
    pub(super) fn written(&mut self, count: usize) {
        self.written = self.counters.len().min(self.written + count);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // Distributes the counters over all shards, because one has too little room.
        let shards = self.origin.shards.iter().cycle();
        for ((kind, uses), shard) in self.counters.drain(..).skip(self.written).zip(shards) {
            add(&mut lock(shard), kind, uses);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::{LastUse, StoredCounters, last_uses};
    use std::net::IpAddr;
    use uuid::Uuid;

    fn kind(number: usize) -> UseKind {
        UseKind {
            key_id: Some(Uuid::from_u128(number as u128).into()),
            day: "2026-03-02".parse().expect("a day"),
            outcome: Outcome::Accepted(None),
        }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a time")
    }

    fn uses(count: u64, second: i64) -> Uses {
        Uses {
            count,
            newest: at(second),
        }
    }

    fn everything(usage: &Arc<UsageCounters>) -> Vec<(UseKind, Uses)> {
        let mut taken = Arc::clone(usage).take();
        let all = taken.batch(usize::MAX).to_vec();
        taken.written(all.len());
        all
    }

    #[test]
    fn every_use_is_counted_and_the_newest_is_kept() {
        let usage = Arc::new(UsageCounters::default());
        for second in [20, 30, 10] {
            usage.record(kind(1), at(second));
        }
        assert_eq!(everything(&usage), [(kind(1), uses(3, 30))]);
        assert_eq!(everything(&usage), []);
    }

    #[test]
    fn of_a_key_that_is_used_from_everywhere_the_newest_use_counts() {
        let usage = Arc::new(UsageCounters::default());
        let from = |last: u8| UseKind {
            outcome: Outcome::Accepted(Some([192, 0, 2, last].into())),
            ..kind(1)
        };
        for (last, second) in [(7, 20), (9, 40), (8, 30)] {
            usage.record(from(last), at(second));
        }
        let refused = UseKind {
            outcome: Outcome::Refused("expired_api_key", None),
            ..kind(1)
        };
        usage.record(refused, at(50));
        usage.record(kind(2), at(10));
        let key_id = |number| kind(number).key_id.expect("a key");
        let last_use = |second, address: Option<IpAddr>| LastUse {
            at: at(second),
            address,
        };
        let taken = Arc::clone(&usage).take();
        assert_eq!(
            last_uses(taken.batch(usize::MAX)),
            [
                (key_id(1), last_use(40, Some([192, 0, 2, 9].into()))),
                (key_id(2), last_use(10, None)),
            ]
        );
    }

    #[test]
    fn addresses_beyond_those_that_are_told_apart_are_one() {
        let usage = Arc::new(UsageCounters::default());
        let from = |last: u8| UseKind {
            outcome: Outcome::Accepted(Some([192, 0, 2, last].into())),
            ..kind(1)
        };
        for last in 0..100 {
            usage.record(from(last), at(i64::from(last)));
        }
        usage.record(kind(1), at(5));
        usage.record(from(7).on("2026-03-03"), at(200));
        let all = everything(&usage);
        let (others, sum) = all[MOST_ADDRESSES as usize + 1];
        assert_eq!(all.len() as u32, MOST_ADDRESSES + 3);
        assert_eq!(others.outcome, Outcome::AcceptedFromOthers);
        assert_eq!(sum, uses(50, 99));
        assert_eq!(all.last(), Some(&(from(7).on("2026-03-03"), uses(1, 200))));
    }

    #[test]
    fn refused_addresses_beyond_those_that_are_told_apart_are_one_for_each_code() {
        let usage = Arc::new(UsageCounters::default());
        for code in ["expired_api_key", "ip_not_allowed"] {
            for last in 0..100 {
                let refused = UseKind {
                    outcome: Outcome::Refused(code, Some([192, 0, 2, last].into())),
                    ..kind(1)
                };
                usage.record(refused, at(i64::from(last)));
            }
        }
        let all = everything(&usage);
        assert_eq!(all.len() as u32, 2 * (MOST_ADDRESSES + 1));
        let others: Vec<_> = (all.iter())
            .filter(|(kind, _)| matches!(kind.outcome, Outcome::RefusedFromOthers(_)))
            .map(|(kind, uses)| (kind.outcome.code(), *uses))
            .collect();
        assert_eq!(
            others,
            [
                (Some("expired_api_key"), uses(50, 99)),
                (Some("ip_not_allowed"), uses(50, 99)),
            ]
        );
    }

    #[test]
    fn refusals_from_very_many_addresses_leave_room_for_accepted_requests() {
        let usage = Arc::new(UsageCounters::default());
        let refused = |number: usize| UseKind {
            outcome: Outcome::Refused(
                "revoked_api_key",
                Some(IpAddr::from((number as u128).to_be_bytes())),
            ),
            // The counters have distinct keys, so that folding joins none of them.
            ..kind(number)
        };
        // One thread records into one shard.
        for number in 0..UsageCounters::CAPACITY / 2 + 10 {
            usage.record(refused(number), at(10));
        }
        usage.record(UseKind { ..refused(7) }, at(20));
        let more = UseKind {
            key_id: kind(7).key_id,
            ..refused(UsageCounters::CAPACITY)
        };
        usage.record(more, at(30));
        usage.record(kind(1), at(10));
        let all = everything(&usage);
        let find = |wanted: UseKind| all.iter().find(|(kind, _)| *kind == wanted);
        assert_eq!(find(refused(7)), Some(&(refused(7), uses(2, 20))));
        let others = UseKind {
            outcome: Outcome::RefusedFromOthers("revoked_api_key"),
            ..kind(7)
        };
        assert_eq!(find(others), Some(&(others, uses(1, 30))));
        assert_eq!(find(kind(1)), Some(&(kind(1), uses(1, 10))));
    }

    impl UseKind {
        fn on(self, day: &str) -> Self {
            Self {
                day: day.parse().expect("a day"),
                ..self
            }
        }
    }

    #[test]
    fn what_was_not_written_goes_back_and_is_added_to_what_came_meanwhile() {
        let usage = Arc::new(UsageCounters::default());
        for number in 1..=3 {
            usage.record(kind(number), at(10));
        }
        let mut taken = Arc::clone(&usage).take();
        let first = [(kind(1), uses(1, 10)), (kind(2), uses(1, 10))];
        assert_eq!(taken.batch(2), first);
        taken.written(1);
        usage.record(kind(2), at(99));
        drop(taken);
        assert_eq!(
            everything(&usage),
            [(kind(2), uses(2, 99)), (kind(3), uses(1, 10))]
        );
    }

    #[test]
    fn a_full_shard_refuses_new_kinds_and_counts_the_ones_it_has() {
        let usage = Arc::new(UsageCounters::default());
        for number in 0..=UsageCounters::CAPACITY {
            usage.record(kind(number), at(10));
        }
        usage.record(kind(0), at(20));
        let all = everything(&usage);
        assert_eq!(all.len(), UsageCounters::CAPACITY);
        assert_eq!(all[0], (kind(0), uses(2, 20)));
        assert!(
            all.iter()
                .all(|(of, _)| *of != kind(UsageCounters::CAPACITY))
        );
    }

    #[test]
    fn p54_nobody_waits_for_a_shard_that_is_held() {
        let usage = Arc::new(UsageCounters::default());
        let held: Vec<_> = usage.shards[1..].iter().map(lock).collect();
        // The threads run one after another, and each begins at another shard.
        for _ in 0..8 {
            std::thread::scope(|scope| scope.spawn(|| usage.record(kind(1), at(10))).join())
                .expect("recorded");
        }
        drop(held);
        assert_eq!(everything(&usage), [(kind(1), uses(8, 10))]);
    }

    #[test]
    fn stored_counters_are_recognised_and_bounded() {
        let mut stored = StoredCounters::default();
        let from = |last: u8| UseKind {
            outcome: Outcome::Accepted(Some([192, 0, 2, last].into())),
            ..kind(1)
        };
        stored.extend([from(7), kind(2)]);
        assert!(stored.contains(&from(7)) && stored.contains(&kind(2)));
        let others = [
            from(8),
            from(7).on("2026-03-03"),
            kind(1),
            UseKind {
                outcome: Outcome::Refused("expired_api_key", Some([192, 0, 2, 7].into())),
                ..kind(1)
            },
        ];
        assert!(!others.iter().any(|other| stored.contains(other)));
        // A few more than the capacity: the first ones are forgotten.
        stored.extend((10..229_390).map(kind));
        assert!(!stored.contains(&from(7)));
        assert!(stored.contains(&kind(229_389)));
    }

    #[test]
    fn no_use_is_lost_between_threads_and_writings() {
        let usage = Arc::new(UsageCounters::default());
        let mut written = 0;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..10_000).for_each(|_| usage.record(kind(1), at(10)))))
                .collect();
            while !threads.iter().all(|thread| thread.is_finished()) {
                written += everything(&usage)
                    .iter()
                    .map(|(_, uses)| uses.count)
                    .sum::<u64>();
            }
        });
        written += everything(&usage)
            .iter()
            .map(|(_, uses)| uses.count)
            .sum::<u64>();
        assert_eq!(written, 40_000);
    }
}
