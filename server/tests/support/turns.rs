//! Separates the modules of the test binary: tests of one module run in parallel, tests of another wait until those have ended.
//!
//! Tests of `replicas`, `crash` and others start several processes and need the machine's cores. The test runner starts tests in the
//! order of their names, so that a module's tests follow each other and at most one change of modules waits at a time.

use std::{
    cell::OnceCell,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

thread_local! {
    /// Released when the test's thread ends.
    static TURN: OnceCell<Option<Turn>> = const { OnceCell::new() };
}

/// The module whose tests are running, and the number of those tests.
static RUNNING: Mutex<(String, usize)> = Mutex::new((String::new(), 0));
static ENDED: Condvar = Condvar::new();

/// The permission of a test to run.
struct Turn;

/// Waits until no test of another module runs. Every fixture that starts an application calls this; only the first call of a test waits.
pub(crate) fn wait_for_turn() {
    TURN.with(|turn| {
        turn.get_or_init(Turn::take);
    });
}

impl Turn {
    /// `None` in a thread that the test runner did not name after a test, such as the main thread under `--test-threads=1`.
    fn take() -> Option<Self> {
        let thread = thread::current();
        let (module, _) = thread.name()?.split_once("::")?;
        let is_other = |running: &mut (String, usize)| running.1 > 0 && running.0 != module;
        let mut running = ENDED
            .wait_while(running(), is_other)
            .unwrap_or_else(PoisonError::into_inner);
        module.clone_into(&mut running.0);
        running.1 += 1;
        Some(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        running().1 -= 1;
        ENDED.notify_all();
    }
}

fn running() -> MutexGuard<'static, (String, usize)> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
