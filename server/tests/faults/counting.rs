//! Faults again and again while keys are checked and changed: how many checks were judged by what was before an answer, and how many
//! answers do not hold.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    ledger::{Answer, Ledger, Target},
    strace::Fault,
};
use crate::support::{
    binary::Latchkey,
    load::Connection,
    manager::Manager,
    postgres::Postgres,
    programs,
    proxy::{Commit, Proxy, Which},
    server::Server,
    until::until,
};

/// Who checks keys at once.
const CHECKERS: usize = 8;
/// Between two checks of each, so that the machine has time for the changes too.
const PAUSE: Duration = Duration::from_millis(5);
/// Secrets that are checked: the newest ones.
const CHECKED: usize = 32;

/// How many faults there are, how long each lasts, and how long it is from one to the next.
fn plan() -> (usize, Duration, Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "xtask says so by the environment"
    )]
    let rounds = std::env::var("TEST_ROUNDS").ok();
    match rounds {
        Some(rounds) => (
            rounds.parse().unwrap(),
            Duration::from_secs(4),
            Duration::from_secs(20),
        ),
        None => (4, Duration::from_millis(700), Duration::from_millis(1_500)),
    }
}

/// A secret that is checked again and again.
struct Checked {
    secret: String,
    /// Somebody was told that it is refused.
    is_dead: AtomicBool,
}

#[derive(Default)]
struct Counts {
    checks: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    late: AtomicU64,
}

#[derive(Default)]
struct Shared {
    checked: Mutex<Vec<Arc<Checked>>>,
    counts: Counts,
    is_over: AtomicBool,
}

impl Shared {
    fn add(&self, secret: &str) -> Arc<Checked> {
        let checked = Arc::new(Checked {
            secret: secret.to_owned(),
            is_dead: AtomicBool::new(false),
        });
        let mut all = self.checked.lock().unwrap();
        if all.len() >= CHECKED {
            all.remove(0);
        }
        all.push(Arc::clone(&checked));
        checked
    }

    /// Checks secrets by turns, from the one of `number` on.
    fn check(&self, address: &str, number: usize) {
        let mut connection = None;
        for turn in number.. {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let next = {
                let all = self.checked.lock().unwrap();
                (!all.is_empty()).then(|| Arc::clone(&all[turn % all.len()]))
            };
            if let Some(next) = next {
                if connection.is_none() {
                    connection = Connection::try_open(address);
                }
                // Before it is sent.
                let is_dead = next.is_dead.load(Ordering::SeqCst);
                let status = connection
                    .as_mut()
                    .and_then(|open| whoami(open, &next.secret));
                self.counts.checks.fetch_add(1, Ordering::Relaxed);
                match status {
                    Some(200) if is_dead => {
                        self.counts.late.fetch_add(1, Ordering::Relaxed);
                    }
                    Some(200) => {}
                    Some(401) => {
                        self.counts.refused.fetch_add(1, Ordering::Relaxed);
                    }
                    None | Some(503) => {
                        self.counts.failed.fetch_add(1, Ordering::Relaxed);
                        connection = None;
                    }
                    Some(other) => panic!("{other}"),
                }
            }
            thread::park_timeout(PAUSE);
        }
    }

    /// Makes, rotates and revokes keys at the servers by turns until it is over.
    fn change(&self, mut ledger: Ledger, addresses: &[String]) -> Ledger {
        for turn in 0.. {
            if self.is_over.load(Ordering::SeqCst) {
                break;
            }
            ledger
                .address
                .clone_from(&addresses[turn % addresses.len()]);
            let Some(target) = ledger.try_target() else {
                thread::park_timeout(PAUSE);
                continue;
            };
            let checked = self.add(&target.secret);
            let change: fn(&Ledger, &Target) -> Answer = match turn % 3 {
                0 => Ledger::edit,
                1 => Ledger::rotate,
                _ => Ledger::revoke,
            };
            if change(&ledger, &target) == Answer::Done && turn % 3 != 0 {
                checked.is_dead.store(true, Ordering::SeqCst);
            }
        }
        ledger
    }
}

fn whoami(connection: &mut Connection, secret: &str) -> Option<u16> {
    let request = format!("GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\n\r\n");
    connection.send(&request).map(|(status, _)| status)
}

/// Counts while there is one fault after the other; `fault` begins that of a number, which lasts until what it returns is dropped.
fn count<T>(
    what: &str,
    beside: &Latchkey,
    manager: &Manager,
    addresses: &[String],
    fault: impl Fn(usize) -> T,
) {
    let (faults, lasts, interval) = plan();
    let shared = Shared::default();
    let started = Instant::now();
    let ledger = thread::scope(|scope| {
        for (number, address) in addresses.iter().cycle().take(CHECKERS).enumerate() {
            let shared = &shared;
            scope.spawn(move || shared.check(address, number));
        }
        let ledger = Ledger::new(&addresses[0], manager);
        let changing = scope.spawn(|| shared.change(ledger, addresses));
        for number in 0..faults {
            let next = Instant::now() + interval;
            let begun = fault(number);
            thread::park_timeout(lasts);
            drop(begun);
            while Instant::now() < next {
                thread::park_timeout(next - Instant::now());
            }
        }
        shared.is_over.store(true, Ordering::SeqCst);
        changing.join().unwrap()
    });
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let (counts, late) = (&shared.counts, count(&shared.counts.late));
    eprintln!(
        "{what}: {faults} faults in {} s; {} checks ({} refused, {} failed), {late} late acceptances; {} changes done, {} refused, {} unknown",
        started.elapsed().as_secs(),
        count(&counts.checks),
        count(&counts.refused),
        count(&counts.failed),
        ledger.count(Answer::Done),
        ledger.count(Answer::Refused),
        ledger.count(Answer::Unknown),
    );
    assert_eq!(late, 0, "late acceptances");
    assert!(ledger.count(Answer::Done) > 0);
    // Each that nothing fails any more is answered.
    let recovered = Ledger::new(&addresses[0], manager);
    until(|| recovered.is_ready());
    assert_eq!(recovered.create_named("At the end", "").unwrap().0, 201);
    ledger.assert_holds(beside);
    eprintln!("{what}: 0 answers do not hold");
}

#[test]
fn p65_on_sqlite_no_check_is_late_and_each_answer_holds_whatever_fails() {
    if !programs::has("strace", "-V") {
        return;
    }
    let latchkey = Latchkey::new();
    let manager = Manager::new(&latchkey);
    let server = Server::start(&latchkey, &[]);
    let addresses = [server.address.clone()];
    count("SQLite", &latchkey, &manager, &addresses, |number| {
        let (calls, error, when) = [
            ("fsync,fdatasync", "EIO", ""),
            ("pwrite64", "ENOSPC", ""),
            ("pwrite64", "EIO", "3+3"),
            ("fsync,fdatasync", "EIO", "2+2"),
            ("pwrite64", "ENOSPC", "1..2"),
        ][number % 5];
        Fault::begin(&latchkey, &server, calls, error, when)
    });
}

/// Heals when it is dropped.
struct Healing<'a>(&'a Proxy);

impl Drop for Healing<'_> {
    fn drop(&mut self) {
        self.0.heal();
    }
}

#[test]
fn p65_on_three_replicas_no_check_is_late_and_each_answer_holds_whatever_fails() {
    let Some(database) = Postgres::fresh() else {
        return;
    };
    let beside = Latchkey::new().with("DATABASE_URL", &database.url());
    let manager = Manager::new(&beside);
    let replicas: Vec<_> = (0..3)
        .map(|_| {
            let proxy = Proxy::before(&database.address());
            let url = format!("{}?sslmode=disable", database.url_at(&proxy.address()));
            let latchkey = Latchkey::new().with("DATABASE_URL", &url);
            (Server::start(&latchkey, &[]), proxy)
        })
        .collect();
    let addresses: Vec<_> = replicas
        .iter()
        .map(|(server, _)| server.address.clone())
        .collect();
    count("Three replicas", &beside, &manager, &addresses, |number| {
        let proxy = &replicas[number % 3].1;
        match number % 7 {
            0 => proxy.on_commit(Commit::AnswerIsLost),
            1 => proxy.stall(Which::All),
            2 => proxy.on_commit(Commit::IsCutOff),
            3 => proxy.move_to(&database.address()),
            4 => proxy.on_commit(Commit::AnswerIsHeld),
            5 => proxy.stall(Which::Beat),
            _ => proxy.on_commit(Commit::IsLost),
        }
        Healing(proxy)
    });
}
