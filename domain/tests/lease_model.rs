//! Every interleaving of polls, a change and a request on a replica, in a model checker: <https://docs.rs/loom>. It runs the code of
//! `store/invalidation/lease.rs` and `store/invalidation/versions.rs`.

#[path = "../src/store/invalidation/lease.rs"]
#[expect(dead_code, reason = "replicas use a part of it when they stop")]
mod lease;
#[path = "../src/store/invalidation/versions.rs"]
#[expect(
    dead_code,
    reason = "loads use a part of it, which `invalidation_model.rs` checks"
)]
mod versions;

/// The atomics of the model checker, which tries every value that a load may return.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
}

use lease::{BOUND, Lease, Moment};
use loom::{sync::Arc, thread};
use sync::{AtomicU64, Ordering};
use versions::{Slot, Versions};

const KEY: Slot = Slot::of(1);

/// A database with one value, and a replica that has cached it as 0.
struct Model {
    /// The database.
    fact: AtomicU64,
    /// Nanoseconds.
    clock: AtomicU64,
    lease: Lease,
    versions: Versions,
}

/// The order in which a request checks lease and version.
#[derive(Clone, Copy)]
enum Order {
    LeaseFirst,
    VersionsFirst,
}

impl Model {
    fn new() -> Arc<Self> {
        let model = Self {
            fact: AtomicU64::new(0),
            clock: AtomicU64::new(1),
            lease: Lease::expired(),
            versions: Versions::new(0),
        };
        model.lease.renew(model.now());
        Arc::new(model)
    }

    fn now(&self) -> Moment {
        Moment::from_nanoseconds(self.clock.load(Ordering::Acquire))
    }

    /// The order of `replica.rs`: read the clock, poll, invalidate, renew the lease.
    fn poll(&self) {
        let asked = self.now();
        if self.fact.load(Ordering::Acquire) == 1 {
            self.versions.invalidate([KEY]);
        }
        self.lease.renew(asked);
    }

    /// The value that a request on the replica uses.
    fn judge(&self, order: Order) -> u64 {
        let read_at = versions::Version::default();
        let is_held = || self.lease.is_held(|| self.now());
        let holds = || self.versions.is_valid(read_at, &[KEY]);
        let is_valid = match order {
            Order::LeaseFirst => is_held() && holds(),
            Order::VersionsFirst => holds() && is_held(),
        };
        if is_valid {
            0
        } else {
            self.fact.load(Ordering::Acquire)
        }
    }

    /// The order of `barrier.rs` if the replica does not confirm: commit, wait for the bound, return.
    fn change(&self) {
        self.fact.store(1, Ordering::Release);
        let bound = u64::try_from(BOUND.as_nanos()).expect("a second");
        self.clock.fetch_add(bound, Ordering::AcqRel);
    }
}

fn change_while_the_replica_polls(order: Order) {
    loom::model(move || {
        let model = Model::new();
        let replica = thread::spawn({
            let model = Arc::clone(&model);
            move || {
                model.poll();
                model.poll();
            }
        });
        model.change();
        assert_eq!(model.judge(order), 1, "sent after the change returned");
        replica.join().expect("the replica polls");
        assert_eq!(model.judge(order), 1, "and after it has polled");
    });
}

#[test]
fn p63_no_request_after_the_bound_uses_a_read_from_before_the_change() {
    change_while_the_replica_polls(Order::LeaseFirst);
}

/// The model can fail: if versions are checked first, the lease can be renewed between the two checks.
#[test]
#[should_panic(expected = "sent after the change returned")]
fn checking_versions_before_the_lease_is_too_early() {
    change_while_the_replica_polls(Order::VersionsFirst);
}
