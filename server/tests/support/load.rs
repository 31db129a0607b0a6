//! Verifies keys on 32 connections while they are changed: the verdict on a request that is sent after the response to a change must use
//! the new state.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{client::Connection, wait::PATIENCE};

const CONNECTIONS: usize = 32;
/// The number of responses required for each state of a key: if there is one key, and for each of several.
const REQUESTS: [u64; 2] = [4 * CONNECTIONS as u64, 2 * CONNECTIONS as u64];
/// Whether a request may fail, either with 503 or because its connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failures {
    Forbidden,
    Allowed,
}

/// A key, and its status before and after a change.
pub(crate) struct Target {
    secret: String,
    before: u16,
    after: u16,
    /// Whether a later change may restore the old state.
    comes_back: bool,
    /// Whether the change was responded to. The verdict on every later request must use the new state.
    answered: AtomicBool,
    /// The number of requests sent before that, and afterwards.
    sent: [AtomicU64; 2],
}

impl Target {
    /// A key with the status `before` and, after its change, `after`.
    pub(crate) fn new(secret: &str, before: u16, after: u16) -> Self {
        Self {
            secret: secret.to_owned(),
            before,
            after,
            comes_back: false,
            answered: AtomicBool::default(),
            sent: Default::default(),
        }
    }

    /// Records the response to the change: from now on no verdict may use the old state.
    fn mark_answered(&self) {
        self.answered.store(true, Ordering::SeqCst);
    }

    /// Allows that a later change restores the old state.
    pub(crate) fn reversible(mut self) -> Self {
        self.comes_back = true;
        self
    }
}

/// The running connections.
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    failures: Failures,
    pause: Duration,
    targets: Mutex<Arc<[Arc<Target>]>>,
    stopped: AtomicBool,
    requests: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Load {
    /// Distributes the connections over the servers at these addresses. Each connection pauses between two requests, which leaves processor
    /// time for the changes.
    pub(crate) fn start(addresses: &[&str], failures: Failures, pause: Duration) -> Self {
        let shared = Arc::new(Shared {
            failures,
            pause,
            targets: Mutex::new(Arc::new([])),
            stopped: AtomicBool::default(),
            requests: AtomicU64::default(),
            wrong: Mutex::default(),
        });
        let threads = addresses
            .iter()
            .cycle()
            .take(CONNECTIONS)
            .map(|address| {
                let (shared, address) = (Arc::clone(&shared), (*address).to_owned());
                thread::spawn(move || shared.run(&address))
            })
            .collect();
        Self { shared, threads }
    }

    /// Verifies `target` until there are enough responses with the old status, makes the change, and continues until there are enough with
    /// the new one.
    pub(crate) fn during(&self, target: Target, change: impl FnOnce()) {
        self.meanwhile(vec![target], |targets| {
            change();
            targets[0].mark_answered();
        });
    }

    /// [`Self::during`] for several targets, which are changed concurrently.
    pub(crate) fn during_all(&self, targets: Vec<Target>, change: impl Fn(usize) + Sync) {
        self.meanwhile(targets, |targets| {
            thread::scope(|scope| {
                for (number, target) in targets.iter().enumerate() {
                    let change = &change;
                    scope.spawn(move || {
                        change(number);
                        target.mark_answered();
                    });
                }
            });
        });
    }

    /// Verifies the targets until there are enough responses, runs `event`, and continues until there are enough again: with the new status
    /// for targets that `event` marked as changed, with the old status for the others.
    pub(crate) fn meanwhile<T>(
        &self,
        targets: Vec<Target>,
        event: impl FnOnce(&[Arc<Target>]) -> T,
    ) -> T {
        let targets: Arc<[_]> = targets.into_iter().map(Arc::new).collect();
        *self.shared.targets.lock().unwrap() = Arc::clone(&targets);
        self.wait_for_answers(&targets, false);
        let done = event(&targets);
        self.wait_for_answers(&targets, true);
        done
    }

    /// The number of responses so far.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Waits until there are enough responses for each target. Those of unchanged targets are counted from now on if the event is over.
    fn wait_for_answers(&self, targets: &[Arc<Target>], is_over: bool) {
        let enough = REQUESTS[usize::from(targets.len() > 1)];
        let until = Instant::now() + PATIENCE;
        let needed: Vec<_> = targets
            .iter()
            .map(|target| {
                let is_answered = target.answered.load(Ordering::SeqCst);
                let sent = &target.sent[usize::from(is_answered)];
                let already = sent.load(Ordering::Relaxed);
                // An unchanged target had responses with this status before the event.
                let counts_already = is_answered || !is_over;
                (sent, enough + if counts_already { 0 } else { already })
            })
            .collect();
        for (sent, needed) in needed {
            while sent.load(Ordering::Relaxed) < needed {
                self.assert_right();
                assert!(
                    Instant::now() < until,
                    "not enough responses after {PATIENCE:?}"
                );
                thread::park_timeout(Duration::from_millis(1));
            }
        }
        self.assert_right();
    }

    fn assert_right(&self) {
        let wrong = self.shared.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        if !thread::panicking() {
            self.assert_right();
        }
    }
}

impl Shared {
    fn run(&self, address: &str) {
        let mut connection = None;
        let mut turn = 0_usize;
        while !self.stopped.load(Ordering::Relaxed) {
            let targets = Arc::clone(&self.targets.lock().unwrap());
            if !targets.is_empty() {
                let target = &targets[turn % targets.len()];
                turn += 1;
                // Read before the request is sent.
                let answered = target.answered.load(Ordering::SeqCst);
                if connection.is_none() {
                    connection = Connection::try_open(address);
                }
                let status = connection
                    .as_mut()
                    .and_then(|open| open.verify(&target.secret));
                let is_right =
                    status == Some(target.after) || (!answered && status == Some(target.before));
                let is_current = Arc::ptr_eq(&self.targets.lock().unwrap(), &targets);
                let is_late = answered && status == Some(target.before) && !target.comes_back;
                if !is_current && !is_late {
                    // The next changes have begun, possibly of the same keys.
                    if status.is_none() {
                        connection = None;
                    }
                } else if is_right {
                    target.sent[usize::from(answered)].fetch_add(1, Ordering::Relaxed);
                    self.requests.fetch_add(1, Ordering::Relaxed);
                } else if self.failures == Failures::Allowed && matches!(status, None | Some(503)) {
                    connection = None;
                } else {
                    self.wrong.lock().unwrap().push(format!(
                        "status {status:?} of {address} for a request sent {} the response to the change",
                        if answered { "after" } else { "before" }
                    ));
                    return;
                }
            }
            thread::park_timeout(self.pause);
        }
    }
}
