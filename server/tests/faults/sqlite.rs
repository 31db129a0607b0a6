//! SQLite's disk fails: confirmed changes are visible to another process, and the server recovers together with the disk, without a
//! restart.

use std::time::Duration;

use tempfile::TempDir;

use super::{
    ledger::{Ledger, Outcome},
    strace::Fault,
};
use crate::support::{
    binary::Latchkey, disk::SmallDisk, environment::is_soak, server::Server, setup::ManagerKey,
    skip::has_program, wait::wait_until,
};

/// The longest time from the end of a fault until a change succeeds.
const RECOVERY: Duration = Duration::from_secs(5);
/// The calls of each thread that fail: the first ones, every second one, every third one, all.
const WHEN: [&str; 6] = ["1", "1..2", "1..3", "2+2", "3+3", ""];

/// A server whose disk fails.
struct DiskFaultFixture {
    latchkey: Latchkey,
    server: Server,
    ledger: Ledger,
}

impl DiskFaultFixture {
    fn new(latchkey: Latchkey) -> Self {
        let manager = ManagerKey::create(&latchkey);
        let server = Server::start(&latchkey, &[]);
        Self {
            ledger: Ledger::new(&server.address, &manager),
            latchkey,
            server,
        }
    }

    /// Asserts that after a fault every change succeeds and the database agrees with the responses.
    #[track_caller]
    fn assert_recovers(&self) {
        let took = wait_until(|| self.ledger.create() == Outcome::Done);
        // On a busy machine, the test's clock measures the load of the machine: only the soak asserts the limit.
        assert!(!is_soak() || took <= RECOVERY, "{took:?}");
        let targets = self.ledger.targets();
        assert_eq!(self.ledger.change(&targets), [Outcome::Done; 4]);
        assert_eq!(self.ledger.whoami(&targets[0].secret), 401, "revoked");
        assert_eq!(self.ledger.whoami(&targets[1].secret), 401, "rotated out");
        wait_until(|| self.ledger.is_ready());
        self.ledger.assert_database_agrees(&self.latchkey);
        // The server holds no lock, so a command can write.
        self.latchkey.create_key("acme", "Managers", "By command");
    }
}

/// Makes system calls fail with each of `errors`, in each way of [`WHEN`].
fn survive(calls: &str, errors: &[&str]) {
    if !has_program("strace", "-V") {
        return;
    }
    let fixture = DiskFaultFixture::new(Latchkey::new());
    let ledger = &fixture.ledger;
    for error in errors {
        for when in WHEN {
            let targets = [ledger.targets(), ledger.targets()];
            let fault = Fault::start(&fixture.latchkey, &fixture.server, calls, error, when);
            let outcomes = targets.each_ref().map(|targets| ledger.change(targets));
            eprintln!("{calls} {error} {when:5} {outcomes:?}");
            ledger.assert_database_agrees(&fixture.latchkey);
            assert!(fault.failed_calls() > 0, "{calls} {error} {when}");
            if when.is_empty() {
                assert_ne!(outcomes.as_flattened(), [Outcome::Done; 8]);
                wait_until(|| ledger.readiness() == 503);
            }
            drop(fault);
            fixture.assert_recovers();
        }
    }
    // The write-ahead log contains no refused change either.
    let DiskFaultFixture {
        latchkey,
        mut server,
        ledger,
    } = fixture;
    server.signal("KILL");
    server.wait_for_exit();
    let _restarted = Server::start(&latchkey, &[]);
    ledger.assert_database_agrees(&latchkey);
}

#[test]
fn p65_failed_writes_are_reported_and_later_changes_succeed() {
    survive("pwrite64", &["ENOSPC", "EIO"]);
}

#[test]
fn p65_failed_syncs_are_reported_and_later_changes_succeed() {
    survive("fsync,fdatasync", &["EIO"]);
}

#[test]
fn p65_a_full_file_system_contradicts_no_response() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = SmallDisk::at(&folder.path().join("disk"), 8) else {
        eprintln!("skipped: only root may mount a small file system");
        return;
    };
    let url = format!("sqlite://{}?mode=rwc", disk.0.join("latchkey.db").display());
    let fixture = DiskFaultFixture::new(Latchkey::new().with("DATABASE_URL", &url));
    let ledger = &fixture.ledger;
    for _ in 0..2 {
        let targets = ledger.targets();
        disk.fill();
        // The write-ahead log has some space left.
        wait_until(|| ledger.create() != Outcome::Done);
        for _ in 0..2 {
            ledger.create();
        }
        wait_until(|| ledger.readiness() == 503);
        ledger.change(&targets);
        ledger.assert_database_agrees(&fixture.latchkey);
        disk.make_room();
        fixture.assert_recovers();
    }
}

#[test]
fn p65_last_use_is_written_after_failed_writes() {
    if !has_program("strace", "-V") {
        return;
    }
    let fixture = DiskFaultFixture::new(Latchkey::new());
    let ledger = &fixture.ledger;
    let targets = ledger.targets();
    for calls in ["fsync,fdatasync", "pwrite64"] {
        let fault = Fault::start(&fixture.latchkey, &fixture.server, calls, "EIO", "");
        // Without changes, the server writes usage every three seconds.
        wait_until(|| {
            assert_eq!(ledger.whoami(&targets[2].secret), 200);
            fault.failed_calls() >= 2
        });
        drop(fault);
        fixture.assert_recovers();
    }
    // Usage that could not be written is written later.
    wait_until(|| {
        let keys = fixture
            .latchkey
            .run_json(&["key", "list", "--tenant", "acme"]);
        let keys = keys.as_array().unwrap();
        let key = keys.iter().find(|key| key["id"] == *targets[2].id);
        key.is_some_and(|key| key["last_used_at"].is_string())
    });
}
