//! Every interleaving of a load and a change, in a model checker that covers reordering by processors: <https://docs.rs/loom>. It runs
//! the code of `store/invalidation/versions.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../src/store/invalidation/versions.rs"]
mod versions;

/// The atomics of the model checker, which tries every value that a load may return.
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

/// A database with one value, and a cache of a read of it.
struct Model {
    versions: Versions,
    fact: AtomicU64,
    cache: Mutex<Option<(Version, u64)>>,
}

impl Model {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            versions: Versions::new(1),
            fact: AtomicU64::new(0),
            cache: Mutex::new(None),
        })
    }

    /// The order of `verify.rs`: take the version, query the database, cache the result.
    fn load(&self) -> u64 {
        let read_at = self.versions.current();
        let fact = self.fact.load(Ordering::Acquire);
        *self.cache.lock().unwrap() = Some((read_at, fact));
        fact
    }

    /// The value that a request uses.
    fn judge(&self) -> u64 {
        let cached = *self.cache.lock().unwrap();
        match cached {
            Some((read_at, fact)) if self.versions.is_valid(read_at, &[KEY, GROUP]) => fact,
            _ => self.load(),
        }
    }

    /// The order of the store: commit, invalidate, return.
    fn change(&self, slot: Slot) {
        self.fact.fetch_add(1, Ordering::AcqRel);
        self.versions.invalidate([slot]);
    }
}

/// A request that reads before or during a change and caches the result at any later time.
fn late_load(model: &Arc<Model>) -> thread::JoinHandle<()> {
    let model = Arc::clone(model);
    thread::spawn(move || {
        model.judge();
    })
}

#[test]
fn p47_no_request_after_a_change_uses_a_read_from_before() {
    loom::model(|| {
        let model = Model::new();
        let loader = late_load(&model);
        model.change(KEY);
        assert_eq!(model.judge(), 1, "sent after the change returned");
        loader.join().unwrap();
        assert_eq!(model.judge(), 1, "and after the late load has ended");
    });
}

#[test]
fn p39_concurrent_changes_do_not_hide_each_other() {
    loom::model(|| {
        let model = Model::new();
        let other = thread::spawn({
            let model = Arc::clone(&model);
            move || {
                model.change(GROUP);
                assert!(model.judge() >= 1);
            }
        });
        model.change(KEY);
        assert!(model.judge() >= 1);
        other.join().unwrap();
        assert_eq!(model.judge(), 2);
    });
}

#[test]
fn invalidate_all_invalidates_every_read() {
    loom::model(|| {
        let model = Model::new();
        let loader = late_load(&model);
        model.fact.fetch_add(1, Ordering::AcqRel);
        model.versions.invalidate_all();
        assert_eq!(model.judge(), 1);
        loader.join().unwrap();
        assert_eq!(model.judge(), 1);
    });
}

/// The model can fail: if the version changes before the commit, a load in between stays valid after the change.
#[test]
#[should_panic(expected = "sent after the change returned")]
fn invalidating_before_the_commit_is_too_early() {
    loom::model(|| {
        let model = Model::new();
        let loader = late_load(&model);
        model.versions.invalidate([KEY]);
        model.fact.fetch_add(1, Ordering::AcqRel);
        assert_eq!(model.judge(), 1, "sent after the change returned");
        loader.join().unwrap();
    });
}
