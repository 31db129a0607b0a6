//! Every order in which a load and a change can run beside each other, by a model checker that knows what processors may reorder:
//! <https://docs.rs/loom>. What is checked are the very lines of `store/invalidation/versions.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../src/store/invalidation/versions.rs"]
mod versions;

/// The atomics of the model checker, which runs through what theirs may answer.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
}

use loom::{
    sync::{Arc, Mutex},
    thread,
};
use sync::{AtomicU64, Ordering};
use versions::{Slot, Version, Versions};

const KEY: Slot = Slot::of(1);
const GROUP: Slot = Slot::of(2);

/// A database with one fact in it, and a cache of what was read of it.
struct World {
    versions: Versions,
    fact: AtomicU64,
    cache: Mutex<Option<(Version, u64)>>,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            versions: Versions::new(1),
            fact: AtomicU64::new(0),
            cache: Mutex::new(None),
        })
    }

    /// As `verify.rs` does it: note the tick, ask the database, keep the answer.
    fn load(&self) -> u64 {
        let read_at = self.versions.current();
        let fact = self.fact.load(Ordering::Acquire);
        *self.cache.lock().unwrap() = Some((read_at, fact));
        fact
    }

    /// The fact as a request is judged by it.
    fn judge(&self) -> u64 {
        let cached = *self.cache.lock().unwrap();
        match cached {
            Some((read_at, fact)) if self.versions.is_valid(read_at, &[KEY, GROUP]) => fact,
            _ => self.load(),
        }
    }

    /// As the store does it: commit, stamp, answer.
    fn change(&self, slot: Slot) {
        self.fact.fetch_add(1, Ordering::AcqRel);
        self.versions.invalidate([slot]);
    }
}

/// A request that has read the old state, or is about to, and keeps it whenever it gets to it.
fn late_load(world: &Arc<World>) -> thread::JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || {
        world.judge();
    })
}

#[test]
fn p47_no_request_after_a_change_is_judged_by_what_was_before_it() {
    loom::model(|| {
        let world = World::new();
        let loader = late_load(&world);
        world.change(KEY);
        assert_eq!(world.judge(), 1, "sent after the answer");
        loader.join().unwrap();
        assert_eq!(world.judge(), 1, "and when the late load has arrived");
    });
}

#[test]
fn p39_of_two_changes_at_once_neither_hides_the_other() {
    loom::model(|| {
        let world = World::new();
        let other = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                world.change(GROUP);
                assert!(world.judge() >= 1);
            }
        });
        world.change(KEY);
        assert!(world.judge() >= 1);
        other.join().unwrap();
        assert_eq!(world.judge(), 2);
    });
}

#[test]
fn nothing_holds_when_everything_may_have_changed() {
    loom::model(|| {
        let world = World::new();
        let loader = late_load(&world);
        world.fact.fetch_add(1, Ordering::AcqRel);
        world.versions.invalidate_all();
        assert_eq!(world.judge(), 1);
        loader.join().unwrap();
        assert_eq!(world.judge(), 1);
    });
}

/// The model can fail: with the stamp before the commit, as one would write it first, a load in between outlives the change.
#[test]
#[should_panic(expected = "sent after the answer")]
fn a_stamp_before_the_commit_would_be_too_early() {
    loom::model(|| {
        let world = World::new();
        let loader = late_load(&world);
        world.versions.invalidate([KEY]);
        world.fact.fetch_add(1, Ordering::AcqRel);
        assert_eq!(world.judge(), 1, "sent after the answer");
        loader.join().unwrap();
    });
}
