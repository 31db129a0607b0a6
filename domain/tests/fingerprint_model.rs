//! Every interleaving of a creation, a load of the fingerprints and a lost change log, in a model checker: <https://docs.rs/loom>. It runs
//! the code of `store/invalidation/fingerprints.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../src/store/invalidation/fingerprints.rs"]
#[expect(
    dead_code,
    reason = "the model needs neither digests nor the number of fingerprints"
)]
mod fingerprints;

/// The atomics and locks of the model checker.
mod sync {
    pub(crate) use loom::sync::{
        RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    };
}

use fingerprints::{Fingerprint, Fingerprints};
use loom::{
    sync::{Arc, Mutex},
    thread,
};

/// A key in each of the two pages of a load. Both fingerprints are in one part of the set.
const KEYS: [Fingerprint; 2] = [
    Fingerprint::from_bytes([0, 0, 0, 0, 0, 0, 0, 1]),
    Fingerprint::from_bytes([0, 0, 0, 0, 0, 0, 0, 2]),
];

/// A database with two places for keys, one in each page, and a server's set.
struct World {
    set: Fingerprints,
    is_stored: [Mutex<bool>; 2],
    /// Keys whose entries in the change log the server has not applied.
    log: Mutex<Vec<usize>>,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            set: Fingerprints::new(1),
            is_stored: [Mutex::new(false), Mutex::new(false)],
            log: Mutex::new(Vec::new()),
        })
    }

    /// The order of `fingerprint_load.rs`: begin, read and add each page, complete.
    fn load(&self) {
        let load = self.set.begin_load();
        for (key, is_stored) in self.is_stored.iter().enumerate() {
            let page = is_stored.lock().unwrap().then_some(KEYS[key]);
            assert!(self.set.add_page(page));
        }
        self.set.complete(load);
    }

    /// One transaction: the key and its entry in the change log.
    fn commit(&self, key: usize) {
        let mut log = self.log.lock().unwrap();
        *self.is_stored[key].lock().unwrap() = true;
        log.push(key);
    }

    /// The order of the store: commit, apply the change log, return.
    fn create(&self, key: usize) {
        self.commit(key);
        self.apply();
    }

    fn apply(&self) {
        let mut log = self.log.lock().unwrap();
        for key in log.drain(..) {
            assert!(self.set.add(KEYS[key]));
        }
    }

    /// The change log was lost: it is read from a new position on, and then the set is reset.
    fn lose_log(&self) {
        let mut log = self.log.lock().unwrap();
        log.clear();
        self.set.reset();
    }

    fn assert_accepted(&self, key: usize, when: &str) {
        assert!(!self.set.is_absent(KEYS[key]), "{when}");
    }
}

fn spawn(world: &Arc<World>, run: impl FnOnce(&World) + 'static) -> thread::JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || run(&world))
}

#[test]
fn p30_no_new_secret_is_refused_after_its_creation_returned_during_a_load() {
    for key in [0, 1] {
        loom::model(move || {
            let world = World::new();
            let load = spawn(&world, World::load);
            world.create(key);
            world.assert_accepted(key, "after the creation");
            load.join().unwrap();
            assert!(world.set.is_complete());
            world.assert_accepted(key, "after the load");
            assert!(world.set.is_absent(KEYS[1 - key]), "no key has this secret");
        });
    }
}

#[test]
fn p30_no_known_secret_is_refused_while_the_set_is_loaded_again() {
    loom::model(|| {
        let world = World::new();
        world.create(0);
        world.load();
        let load = spawn(&world, |world| {
            world.set.reset();
            world.load();
        });
        world.assert_accepted(0, "while the set is emptied");
        world.assert_accepted(0, "later");
        load.join().unwrap();
        world.assert_accepted(0, "after the load");
    });
}

#[test]
fn p30_no_new_secret_is_refused_when_the_change_log_is_lost() {
    for key in [0, 1] {
        loom::model(move || {
            let world = World::new();
            let load = spawn(&world, World::load);
            world.commit(key);
            // The creation returns after the server has found that the log is lost.
            world.lose_log();
            world.assert_accepted(key, "after the creation");
            load.join().unwrap();
            world.assert_accepted(key, "after a load that began before");
            world.load();
            world.assert_accepted(key, "after a load that began later");
            assert!(world.set.is_complete());
        });
    }
}

/// The model can fail: a creation that returns before its entry is applied can be refused.
#[test]
#[should_panic(expected = "after the creation")]
fn returning_before_the_change_log_is_applied_is_too_early() {
    loom::model(|| {
        let world = World::new();
        let load = spawn(&world, World::load);
        world.commit(0);
        world.assert_accepted(0, "after the creation");
        load.join().unwrap();
    });
}

/// The model can fail: a load that begins before the new position in the change log is known can miss a key.
#[test]
#[should_panic(expected = "after the creation")]
fn resetting_before_the_position_is_known_is_too_early() {
    loom::model(|| {
        let world = World::new();
        let other = spawn(&world, |world| {
            world.set.reset();
            world.load();
            world.log.lock().unwrap().clear();
        });
        world.create(0);
        world.assert_accepted(0, "after the creation");
        other.join().unwrap();
    });
}
