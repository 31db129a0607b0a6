//! SQLite's disk fails: whatever was answered is so, as another process sees it, and all is well again when the disk is, without a restart.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{
    ledger::{Answer, Ledger},
    strace::Fault,
};
use crate::support::{
    binary::Latchkey, disk::SmallDisk, manager::Manager, programs, server::Server, until::until,
};

/// Within which changes are made again once nothing fails any more.
const RECOVERY: Duration = Duration::from_secs(5);
/// Which of the calls of each thread fail: the first ones, each second, each third, all.
const WHEN: [&str; 6] = ["1", "1..2", "1..3", "2+2", "3+3", ""];

struct World {
    latchkey: Latchkey,
    server: Server,
    ledger: Ledger,
}

impl World {
    fn new(latchkey: Latchkey) -> Self {
        let manager = Manager::new(&latchkey);
        let server = Server::start(&latchkey, &[]);
        Self {
            ledger: Ledger::new(&server.address, &manager),
            latchkey,
            server,
        }
    }

    /// After the end of a fault everything works, and was always true.
    #[track_caller]
    fn assert_recovers(&self) {
        let ended = Instant::now();
        until(|| self.ledger.create() == Answer::Done);
        let took = ended.elapsed();
        assert!(took <= RECOVERY, "{took:?}");
        let targets = self.ledger.targets();
        assert_eq!(self.ledger.change(&targets), [Answer::Done; 4]);
        assert_eq!(self.ledger.whoami(&targets[0].secret), 401, "revoked");
        assert_eq!(self.ledger.whoami(&targets[1].secret), 401, "rotated out");
        until(|| self.ledger.is_ready());
        self.ledger.assert_holds(&self.latchkey);
        // The server holds no lock: a command beside it writes.
        self.latchkey.answer(&[
            "key", "create", "--tenant", "acme", "--name", "Beside", "--group", "Managers",
        ]);
    }
}

/// `calls` fail with each of `errors`, in each way.
fn survive(calls: &str, errors: &[&str]) {
    if !programs::has("strace", "-V") {
        return;
    }
    let world = World::new(Latchkey::new());
    let ledger = &world.ledger;
    for error in errors {
        for when in WHEN {
            let targets = [ledger.targets(), ledger.targets()];
            let fault = Fault::begin(&world.latchkey, &world.server, calls, error, when);
            let answers = targets.each_ref().map(|targets| ledger.change(targets));
            eprintln!("{calls} {error} {when:5} {answers:?}");
            ledger.assert_holds(&world.latchkey);
            assert!(fault.failed_calls() > 0, "{calls} {error} {when}");
            if when.is_empty() {
                assert_ne!(answers.as_flattened(), [Answer::Done; 8]);
                until(|| ledger.readiness() == 503);
            }
            drop(fault);
            world.assert_recovers();
        }
    }
    // What was refused is not found in the write-ahead log either.
    let World {
        latchkey,
        mut server,
        ledger,
    } = world;
    server.signal("KILL");
    server.ended();
    let _restarted = Server::start(&latchkey, &[]);
    ledger.assert_holds(&latchkey);
}

#[test]
fn p65_writes_that_fail_are_answered_as_failed_and_the_next_ones_are_made() {
    survive("pwrite64", &["ENOSPC", "EIO"]);
}

#[test]
fn p65_syncs_that_fail_are_answered_as_failed_and_the_next_ones_are_made() {
    survive("fsync,fdatasync", &["EIO"]);
}

#[test]
fn p65_a_full_file_system_makes_nothing_untrue() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = SmallDisk::at(&folder.path().join("disk"), 8) else {
        eprintln!("left out: only root may mount a small file system");
        return;
    };
    let url = format!("sqlite://{}?mode=rwc", disk.0.join("latchkey.db").display());
    let world = World::new(Latchkey::new().with("DATABASE_URL", &url));
    let ledger = &world.ledger;
    for _ in 0..2 {
        let targets = ledger.targets();
        disk.fill();
        // The write-ahead log has some room of its own.
        until(|| ledger.create() != Answer::Done);
        for _ in 0..2 {
            ledger.create();
        }
        until(|| ledger.readiness() == 503);
        ledger.change(&targets);
        ledger.assert_holds(&world.latchkey);
        disk.make_room();
        world.assert_recovers();
    }
}

#[test]
fn p65_when_keys_were_last_used_is_written_as_truly_as_any_change() {
    if !programs::has("strace", "-V") {
        return;
    }
    let world = World::new(Latchkey::new());
    let ledger = &world.ledger;
    let targets = ledger.targets();
    for calls in ["fsync,fdatasync", "pwrite64"] {
        let fault = Fault::begin(&world.latchkey, &world.server, calls, "EIO", "");
        // Nobody changes anything: what is used is written every three seconds.
        until(|| {
            assert_eq!(ledger.whoami(&targets[2].secret), 200);
            fault.failed_calls() >= 2
        });
        drop(fault);
        world.assert_recovers();
    }
    // What was used while it could not be written is not forgotten.
    until(|| {
        let keys = world.latchkey.answer(&["key", "list", "--tenant", "acme"]);
        let keys = keys.as_array().unwrap();
        let key = keys.iter().find(|key| key["id"] == *targets[2].id);
        key.is_some_and(|key| key["last_used_at"].is_string())
    });
}
