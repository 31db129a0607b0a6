//! What fails between replicas and the database, one after the other: each with as many changes as where nothing fails.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    HEALED, NO_SETTINGS, assert_heals, assert_in_time, assert_nearly_all, assert_whole,
    note_duration, rounds,
    scene::{Key, Receipt, Replica, Scene},
};
use crate::support::{
    load::{Connection, Servers},
    proxy::{Proxy, Which},
    server::connect,
    sql,
    until::until,
};

/// Changes at the same time: what fails may cost each of them a second. More of them and the machine is what fails.
const AT_ONCE: usize = 8;
/// The same where a replica is stopped or killed each time, and takes no part in the load.
const AT_ONCE_WITHOUT_ONE: usize = 20;
/// How late an answer comes: so late that the next one, with what has changed, comes after the bound; and none counts as lost.
const LATE: Duration = Duration::from_millis(700);

/// [`rounds`] changes under load, [`AT_ONCE`] of them at a time, each of another key, at the replicas `at`; returns what was answered.
pub(super) fn changes(scene: &Scene, at: &[usize]) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for _ in 0..rounds().div_ceil(AT_ONCE) {
        receipts.extend(scene.change_all(at, &new_keys(scene, AT_ONCE)));
    }
    assert_in_time(&receipts);
    receipts
}

/// So many [`changes`] at the others of keys that the last replica has in memory, each batch while `fault` is on; healed in between.
pub(super) fn changes_while(
    scene: &Scene,
    rounds: usize,
    fault: impl Fn(&Proxy),
    during: impl Fn(&Replica),
) -> Vec<Receipt> {
    let last = &scene.replicas[2];
    let mut receipts = Vec::new();
    for _ in 0..rounds.div_ceil(AT_ONCE) {
        let keys = new_keys(scene, AT_ONCE);
        last.wait_for_lease();
        for key in &keys {
            until(|| last.ask(&key.secret) == Some(200));
        }
        fault(&last.proxy);
        receipts.extend(scene.change_all(&[0, 1], &keys));
        during(last);
        last.proxy.heal();
    }
    assert_in_time(&receipts);
    receipts
}

fn new_keys(scene: &Scene, count: usize) -> Vec<Key> {
    (0..count).map(|_| scene.new_key(0)).collect()
}

#[test]
fn p63_listening_connections_that_are_killed_again_and_again() {
    let Some(mut scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    scene.under_load(Servers::AreWell);
    let is_over = Arc::new(AtomicBool::new(false));
    let killer = thread::spawn({
        let (is_over, url) = (Arc::clone(&is_over), scene.database.url());
        move || {
            let mut killed = 0;
            while !is_over.load(Ordering::SeqCst) {
                killed += sql::number(
                    &url,
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                     WHERE application_name = 'latchkey notify' AND datname = current_database()",
                )
                .unwrap();
                thread::park_timeout(Duration::from_millis(200));
            }
            killed
        }
    });
    let receipts = changes(&scene, &[0, 1, 2]);
    is_over.store(true, Ordering::SeqCst);
    let killed = killer.join().unwrap();
    eprintln!(
        "{killed} connections killed during {} changes",
        receipts.len()
    );
    assert!(killed > 0);
    assert_whole(&receipts);
    assert_heals(&scene);
}

#[test]
fn p63_listening_connections_that_are_stalled_and_notices_that_are_lost() {
    let Some(mut scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    scene.under_load(Servers::AreWell);
    for replica in &scene.replicas {
        replica.proxy.stall(Which::Notices);
    }
    assert_whole(&changes(&scene, &[0, 1, 2]));
    for replica in &scene.replicas {
        replica.proxy.heal();
        replica.proxy.drop_notices();
    }
    assert_whole(&changes(&scene, &[0, 1, 2]));
    for replica in &scene.replicas {
        replica.proxy.heal();
    }
    assert_heals(&scene);
}

#[test]
fn p63_a_replica_that_cannot_ask_what_is_new_trusts_nothing_in_memory() {
    let Some(mut scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    scene.under_load(Servers::AreWell);
    let receipts = changes_while(
        &scene,
        rounds(),
        |proxy| proxy.stall(Which::Beat),
        |replica| assert_eq!(replica.metric("latchkey_lease_held"), 0),
    );
    // Known by two; the third answered from the database meanwhile, and rightly.
    assert_nearly_all(&receipts, |receipt| receipt.refused_on >= 2);
    assert_heals(&scene);
}

#[test]
fn p63_a_replica_that_learns_late_trusts_its_memory_from_when_it_asked() {
    let Some(mut scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    scene.under_load(Servers::AreWell);
    let rounds = rounds().div_ceil(4);
    changes_while(&scene, rounds, |proxy| proxy.delay_beats(LATE), |_| {});
    assert_heals(&scene);
}

#[test]
fn p63_a_replica_without_the_database_answers_503_and_never_a_guess() {
    let Some(mut scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    let key = scene.new_key(0);
    until(|| scene.replicas[2].ask(&key.secret) == Some(200));
    scene.under_load(Servers::MayFail);
    changes_while(&scene, rounds(), |proxy| proxy.stall(Which::All), |_| {});
    let last = &scene.replicas[2];
    last.proxy.stall(Which::All);
    until(|| last.ask(&key.secret) == Some(503));
    last.proxy.heal();
    let took = until(|| last.ask(&key.secret) == Some(200));
    note_duration("a key works again", took, HEALED);
    assert_heals(&scene);
}

#[test]
fn p63_a_replica_that_was_stopped_answers_nothing_from_before() {
    let Some(mut scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    scene.under_load(Servers::MayFail);
    let mut receipts = Vec::new();
    for _ in 0..rounds().div_ceil(AT_ONCE_WITHOUT_ONE) {
        let keys = new_keys(&scene, AT_ONCE_WITHOUT_ONE);
        let last = &scene.replicas[2];
        for key in &keys {
            until(|| last.ask(&key.secret) == Some(200));
        }
        last.server.signal("STOP");
        let stopped_at = Instant::now();
        receipts.extend(scene.change_all(&[0, 1], &keys));
        // Sent after the answer, and read by nobody yet.
        let mut waiting: Vec<_> = keys
            .iter()
            .map(|key| {
                let mut stream = connect(&last.server.address);
                write!(
                    stream,
                    "GET /api/v1/forward-auth HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n",
                    key.secret
                )
                .unwrap();
                Connection::on(stream)
            })
            .collect();
        // Nothing tells when a stop has lasted long enough but the time.
        thread::park_timeout(Duration::from_secs(5).saturating_sub(stopped_at.elapsed()));
        last.server.signal("CONT");
        for connection in &mut waiting {
            let (status, _) = connection.read().unwrap();
            assert!(matches!(status, 401 | 503), "{status}");
        }
        for replica in &scene.replicas {
            replica.wait_for_lease();
        }
    }
    assert_in_time(&receipts);
    assert_heals(&scene);
}

#[test]
fn p63_a_replica_that_is_killed_costs_the_bound_and_comes_back_knowing_nothing() {
    let Some(mut scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    let mut receipts = Vec::new();
    for _ in 0..rounds().div_ceil(AT_ONCE_WITHOUT_ONE) {
        let keys = new_keys(&scene, AT_ONCE_WITHOUT_ONE);
        for key in &keys {
            until(|| scene.replicas[2].ask(&key.secret) == Some(200));
        }
        scene.under_load(Servers::MayFail);
        scene.replicas[2].server.signal("KILL");
        receipts.extend(scene.change_all(&[0, 1], &keys));
        scene.replicas[2].restart();
        for key in &keys {
            assert_eq!(scene.replicas[2].ask(&key.secret), Some(401));
        }
        // The dead one is off the list in the end.
        let gone = scene.new_key(0);
        until(|| scene.revoke(0, &gone).replicas == 3);
    }
    assert_in_time(&receipts);
    // Those that live have said so, whether the dead one was still waited for or not.
    assert_nearly_all(&receipts, |receipt| receipt.refused_on == 2);
    assert_heals(&scene);
}
