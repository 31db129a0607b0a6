//! Every order in which a replica can ask for news, a change can be answered, and a request can be judged, by a model checker:
//! <https://docs.rs/loom>. What is checked are the very lines of `store/invalidation/lease.rs` and `store/invalidation/versions.rs`.

#[path = "../src/store/invalidation/lease.rs"]
#[expect(dead_code, reason = "a part of it is what replicas need at their end")]
mod lease;
#[path = "../src/store/invalidation/versions.rs"]
#[expect(
    dead_code,
    reason = "a part of it is for loads, which `invalidation_model.rs` checks"
)]
mod versions;

/// The atomics of the model checker, which runs through what theirs may answer.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
}

use lease::{BOUND, Lease, Moment};
use loom::{sync::Arc, thread};
use sync::{AtomicU64, Ordering};
use versions::{Slot, Versions};

const KEY: Slot = Slot::of(1);

/// A database with one fact in it, and a replica that has read it as 0.
struct World {
    /// The database.
    fact: AtomicU64,
    /// Nanoseconds.
    clock: AtomicU64,
    lease: Lease,
    versions: Versions,
}

/// In which order a request asks whether what was kept may be used.
#[derive(Clone, Copy)]
enum Order {
    LeaseFirst,
    StampsFirst,
}

impl World {
    fn new() -> Arc<Self> {
        let world = Self {
            fact: AtomicU64::new(0),
            clock: AtomicU64::new(1),
            lease: Lease::expired(),
            versions: Versions::new(0),
        };
        world.lease.renew(world.now());
        Arc::new(world)
    }

    fn now(&self) -> Moment {
        Moment::from_nanoseconds(self.clock.load(Ordering::Acquire))
    }

    /// As `replica.rs` does it: look at the clock, ask, stamp, renew.
    fn follow(&self) {
        let asked = self.now();
        if self.fact.load(Ordering::Acquire) == 1 {
            self.versions.invalidate([KEY]);
        }
        self.lease.renew(asked);
    }

    /// The fact as a request is judged by it that the replica answers.
    fn judge(&self, order: Order) -> u64 {
        let read_at = versions::Version::default();
        let is_held = || self.lease.is_held(|| self.now());
        let holds = || self.versions.is_valid(read_at, &[KEY]);
        let is_usable = match order {
            Order::LeaseFirst => is_held() && holds(),
            Order::StampsFirst => holds() && is_held(),
        };
        if is_usable {
            0
        } else {
            self.fact.load(Ordering::Acquire)
        }
    }

    /// As `barrier.rs` does it where the replica says nothing: commit, wait for the bound, answer.
    fn change(&self) {
        self.fact.store(1, Ordering::Release);
        let bound = u64::try_from(BOUND.as_nanos()).expect("a second");
        self.clock.fetch_add(bound, Ordering::AcqRel);
    }
}

fn a_change_while_the_replica_asks(order: Order) {
    loom::model(move || {
        let world = World::new();
        let replica = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                world.follow();
                world.follow();
            }
        });
        world.change();
        assert_eq!(world.judge(order), 1, "sent after the answer");
        replica.join().expect("it follows");
        assert_eq!(world.judge(order), 1, "and when it has heard of it");
    });
}

#[test]
fn p63_no_request_after_the_bound_is_judged_by_what_was_before_the_change() {
    a_change_while_the_replica_asks(Order::LeaseFirst);
}

/// The model can fail: the stamps first, as one would write it, lets the lease be renewed between the two questions.
#[test]
#[should_panic(expected = "sent after the answer")]
fn the_stamps_first_would_be_too_early() {
    a_change_while_the_replica_asks(Order::StampsFirst);
}
