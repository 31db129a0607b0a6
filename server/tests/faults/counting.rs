//! Repeated faults during verifications and changes of keys. Counts late acceptances, that is, accepted requests that were sent after the
//! response to a change that revokes or rotates the key; refusals of secrets that nothing has revoked or replaced; and responses that
//! contradict the database.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    ledger::{Ledger, Outcome, Target},
    strace::Fault,
};
use crate::support::{
    binary::Latchkey,
    client::Connection,
    environment::{self, is_soak},
    fault_proxy::{CommitFault, ConnectionKind, FaultProxy},
    postgres::PostgresDatabase,
    server::Server,
    setup::ManagerKey,
    skip::has_program,
    wait::wait_until,
};

/// Concurrent connections that verify keys.
const VERIFIERS: usize = 8;
/// The pause between two verifications of a connection, which leaves processor time for the changes.
const PAUSE: Duration = Duration::from_millis(5);
/// The number of secrets that are verified; the newest ones are used.
const SECRETS: usize = 32;

/// The number of faults, the duration of each, and the time between two of them.
fn plan() -> (usize, Duration, Duration) {
    let faults = environment::rounds(4);
    if is_soak() {
        (faults, Duration::from_secs(4), Duration::from_secs(20))
    } else {
        (
            faults,
            Duration::from_millis(700),
            Duration::from_millis(1_500),
        )
    }
}

/// A secret that is verified repeatedly.
struct Checked {
    secret: String,
    /// Whether a change that revokes or replaces the secret was sent.
    may_be_dead: AtomicBool,
    /// Whether a response has confirmed that the secret is refused.
    is_dead: AtomicBool,
}

#[derive(Default)]
struct Counts {
    checks: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    late: AtomicU64,
    /// Refusals of secrets that nothing has revoked or replaced.
    wrong: AtomicU64,
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
            may_be_dead: AtomicBool::new(false),
            is_dead: AtomicBool::new(false),
        });
        let mut all = self.checked.lock().unwrap();
        if all.len() >= SECRETS {
            all.remove(0);
        }
        all.push(Arc::clone(&checked));
        checked
    }

    /// Verifies the secrets in turn, starting at the one with index `number`.
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
                // Read before the request is sent.
                let is_dead = next.is_dead.load(Ordering::SeqCst);
                let status = connection
                    .as_mut()
                    .and_then(|open| open.whoami(&next.secret));
                self.counts.checks.fetch_add(1, Ordering::Relaxed);
                match status {
                    Some(200) if is_dead => {
                        self.counts.late.fetch_add(1, Ordering::Relaxed);
                    }
                    Some(200) => {}
                    Some(401) => {
                        self.counts.refused.fetch_add(1, Ordering::Relaxed);
                        // Read after the response.
                        if !next.may_be_dead.load(Ordering::SeqCst) {
                            self.counts.wrong.fetch_add(1, Ordering::Relaxed);
                        }
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

    /// Creates, edits, rotates and revokes keys on the servers in turn until it is over.
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
            // The first request with the new secret, on another server than the one that created it.
            let other = &addresses[(turn + 1) % addresses.len()];
            let first =
                Connection::try_open(other).and_then(|mut open| open.whoami(&target.secret));
            if first == Some(401) {
                self.counts.wrong.fetch_add(1, Ordering::Relaxed);
            }
            if turn % 3 != 0 {
                checked.may_be_dead.store(true, Ordering::SeqCst);
            }
            let change: fn(&Ledger, &Target) -> Outcome = match turn % 3 {
                0 => Ledger::edit,
                1 => Ledger::rotate,
                _ => Ledger::revoke,
            };
            if change(&ledger, &target) == Outcome::Done && turn % 3 != 0 {
                checked.is_dead.store(true, Ordering::SeqCst);
            }
        }
        ledger
    }
}

/// Counts during a sequence of faults. `fault` starts the fault with the given number, which lasts until the returned value is dropped.
fn count<T>(
    engine: &str,
    operator: &Latchkey,
    manager: &ManagerKey,
    addresses: &[String],
    fault: impl Fn(usize) -> T,
) {
    let (faults, lasts, interval) = plan();
    let shared = Shared::default();
    let started = Instant::now();
    let ledger = thread::scope(|scope| {
        for (number, address) in addresses.iter().cycle().take(VERIFIERS).enumerate() {
            let shared = &shared;
            scope.spawn(move || shared.check(address, number));
        }
        let ledger = Ledger::new(&addresses[0], manager);
        let changing = scope.spawn(|| shared.change(ledger, addresses));
        for number in 0..faults {
            let next = Instant::now() + interval;
            let fault = fault(number);
            thread::park_timeout(lasts);
            drop(fault);
            while Instant::now() < next {
                thread::park_timeout(next - Instant::now());
            }
        }
        shared.is_over.store(true, Ordering::SeqCst);
        changing.join().unwrap()
    });
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let (counts, late) = (&shared.counts, count(&shared.counts.late));
    let wrong = count(&counts.wrong);
    eprintln!(
        "{engine}: {faults} faults in {} s; {} verifications ({} refused, {} failed), {late} late acceptances, {wrong} refusals of valid secrets; {} changes done, {} refused, {} unknown",
        started.elapsed().as_secs(),
        count(&counts.checks),
        count(&counts.refused),
        count(&counts.failed),
        ledger.count(Outcome::Done),
        ledger.count(Outcome::Refused),
        ledger.count(Outcome::Unknown),
    );
    assert_eq!(late, 0, "late acceptances");
    assert_eq!(wrong, 0, "refusals of valid secrets");
    assert!(ledger.count(Outcome::Done) > 0);
    // Without faults, changes succeed.
    let recovered = Ledger::new(&addresses[0], manager);
    wait_until(|| recovered.is_ready());
    assert_eq!(recovered.create_named("At the end", "").unwrap().0, 201);
    ledger.assert_database_agrees(operator);
    eprintln!("{engine}: 0 responses contradict the database");
}

#[test]
fn p65_on_sqlite_faults_cause_no_late_acceptance_and_no_wrong_response() {
    if !has_program("strace", "-V") {
        return;
    }
    let latchkey = Latchkey::new();
    let manager = ManagerKey::create(&latchkey);
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
        Fault::start(&latchkey, &server, calls, error, when)
    });
}

/// Heals the proxy on drop.
struct Healing<'a>(&'a FaultProxy);

impl Drop for Healing<'_> {
    fn drop(&mut self) {
        self.0.heal();
    }
}

#[test]
fn p65_on_three_replicas_faults_cause_no_late_acceptance_and_no_wrong_response() {
    let Some(database) = PostgresDatabase::create() else {
        return;
    };
    let operator = Latchkey::new().with("DATABASE_URL", &database.url());
    let manager = ManagerKey::create(&operator);
    let replicas: Vec<_> = (0..3)
        .map(|_| {
            let proxy = FaultProxy::in_front_of(&database.address());
            let url = format!("{}?sslmode=disable", database.url_at(&proxy.address()));
            let latchkey = Latchkey::new().with("DATABASE_URL", &url);
            (Server::start(&latchkey, &[]), proxy)
        })
        .collect();
    let addresses: Vec<_> = replicas
        .iter()
        .map(|(server, _)| server.address.clone())
        .collect();
    count(
        "Three replicas",
        &operator,
        &manager,
        &addresses,
        |number| {
            let proxy = &replicas[number % 3].1;
            match number % 7 {
                0 => proxy.on_commit(CommitFault::ResponseLost),
                1 => proxy.stall(ConnectionKind::All),
                2 => proxy.on_commit(CommitFault::ConnectionCut),
                3 => proxy.move_to(&database.address()),
                4 => proxy.on_commit(CommitFault::ResponseHeld),
                5 => proxy.stall(ConnectionKind::Poll),
                _ => proxy.on_commit(CommitFault::RequestLost),
            }
            Healing(proxy)
        },
    );
}
