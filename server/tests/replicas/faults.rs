//! Faults between replicas and the database, one per test, each with as many changes as without faults.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    HEALED, NO_SETTINGS, assert_heals, assert_in_time, assert_nearly_all, assert_whole,
    cluster::{Propagation, Replica, ReplicaCluster},
    note_duration, rounds,
};
use crate::support::{
    client::{Connection, api_request},
    fault_proxy::{ConnectionKind, FaultProxy},
    load::Failures,
    setup::Key,
    sql,
    wait::wait_until,
};

/// The number of concurrent changes: a fault may delay each by a second, and more of them overload the machine.
const CONCURRENT: usize = 8;
/// The number of concurrent changes while one replica is stopped or killed and receives no load.
const CONCURRENT_ON_TWO: usize = 20;
/// The delay of a poll: long enough that the next poll, which reports the change, comes after the bound; too short to count as lost.
const POLL_DELAY: Duration = Duration::from_millis(700);

/// Makes [`rounds`] changes under load on the replicas `at`, [`CONCURRENT`] at a time, each to another key.
pub(super) fn changes(cluster: &ReplicaCluster, at: &[usize]) -> Vec<Propagation> {
    let mut propagations = Vec::new();
    for _ in 0..rounds().div_ceil(CONCURRENT) {
        propagations.extend(cluster.change_all(at, &new_keys(cluster, CONCURRENT)));
    }
    assert_in_time(&propagations);
    propagations
}

/// Changes keys that the third replica has cached, on the first two replicas. Each batch runs during `fault`, which is healed in between.
/// `during` runs after each batch.
pub(super) fn changes_while(
    cluster: &ReplicaCluster,
    rounds: usize,
    fault: impl Fn(&FaultProxy),
    during: impl Fn(&Replica),
) -> Vec<Propagation> {
    let last = &cluster.replicas[2];
    let mut propagations = Vec::new();
    for _ in 0..rounds.div_ceil(CONCURRENT) {
        let keys = new_keys(cluster, CONCURRENT);
        last.wait_for_lease();
        for key in &keys {
            wait_until(|| last.verify(&key.secret) == Some(200));
        }
        fault(&last.proxy);
        propagations.extend(cluster.change_all(&[0, 1], &keys));
        during(last);
        last.proxy.heal();
    }
    assert_in_time(&propagations);
    propagations
}

fn new_keys(cluster: &ReplicaCluster, count: usize) -> Vec<Key> {
    (0..count).map(|_| cluster.new_key(0)).collect()
}

#[test]
fn p63_with_notification_connections_killed_repeatedly_every_replica_confirms() {
    let Some(mut cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    cluster.start_load(Failures::Forbidden);
    let is_over = Arc::new(AtomicBool::new(false));
    let killer = thread::spawn({
        let (is_over, url) = (Arc::clone(&is_over), cluster.database.url());
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
    let propagations = changes(&cluster, &[0, 1, 2]);
    is_over.store(true, Ordering::SeqCst);
    let killed = killer.join().unwrap();
    eprintln!(
        "{killed} connections killed during {} changes",
        propagations.len()
    );
    assert!(killed > 0);
    assert_whole(&propagations);
    assert_heals(&cluster);
}

#[test]
fn p63_with_notifications_stalled_or_lost_every_replica_confirms() {
    let Some(mut cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    cluster.start_load(Failures::Forbidden);
    for replica in &cluster.replicas {
        replica.proxy.stall(ConnectionKind::Notifications);
    }
    assert_whole(&changes(&cluster, &[0, 1, 2]));
    for replica in &cluster.replicas {
        replica.proxy.heal();
        replica.proxy.drop_notifications();
    }
    assert_whole(&changes(&cluster, &[0, 1, 2]));
    for replica in &cluster.replicas {
        replica.proxy.heal();
    }
    assert_heals(&cluster);
}

#[test]
fn p63_a_replica_that_cannot_poll_does_not_use_its_cache() {
    let Some(mut cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    cluster.start_load(Failures::Forbidden);
    let propagations = changes_while(
        &cluster,
        rounds(),
        |proxy| proxy.stall(ConnectionKind::Poll),
        |replica| assert_eq!(replica.metric("latchkey_lease_held"), 0),
    );
    // Two replicas confirmed; the third read the database meanwhile.
    assert_nearly_all(&propagations, |propagation| propagation.refused_on >= 2);
    assert_heals(&cluster);
}

#[test]
fn p63_a_delayed_poll_extends_the_lease_from_when_it_was_sent() {
    let Some(mut cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    cluster.start_load(Failures::Forbidden);
    let rounds = rounds().div_ceil(4);
    changes_while(
        &cluster,
        rounds,
        |proxy| proxy.delay_polls(POLL_DELAY),
        |_| {},
    );
    assert_heals(&cluster);
}

#[test]
fn p63_a_replica_without_a_database_responds_503() {
    let Some(mut cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    let key = cluster.new_key(0);
    wait_until(|| cluster.replicas[2].verify(&key.secret) == Some(200));
    cluster.start_load(Failures::Allowed);
    changes_while(
        &cluster,
        rounds(),
        |proxy| proxy.stall(ConnectionKind::All),
        |_| {},
    );
    let last = &cluster.replicas[2];
    last.proxy.stall(ConnectionKind::All);
    wait_until(|| last.verify(&key.secret) == Some(503));
    last.proxy.heal();
    let took = wait_until(|| last.verify(&key.secret) == Some(200));
    note_duration("a key works again", took, HEALED);
    assert_heals(&cluster);
}

#[test]
fn p63_a_replica_that_was_stopped_does_not_use_its_old_cache() {
    let Some(mut cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    cluster.start_load(Failures::Allowed);
    let mut propagations = Vec::new();
    for _ in 0..rounds().div_ceil(CONCURRENT_ON_TWO) {
        let keys = new_keys(&cluster, CONCURRENT_ON_TWO);
        let last = &cluster.replicas[2];
        for key in &keys {
            wait_until(|| last.verify(&key.secret) == Some(200));
        }
        last.server.signal("STOP");
        let stopped_at = Instant::now();
        propagations.extend(cluster.change_all(&[0, 1], &keys));
        // Requests that are sent after the responses to the changes and wait in the socket.
        let mut waiting: Vec<_> = keys
            .iter()
            .map(|key| {
                let mut connection = Connection::open(&last.server.address);
                let request = api_request(&key.secret, "GET", "/forward-auth", "");
                connection.write(&request).unwrap();
                connection
            })
            .collect();
        // The lease must expire in the meantime, which cannot be observed from outside.
        thread::park_timeout(Duration::from_secs(5).saturating_sub(stopped_at.elapsed()));
        last.server.signal("CONT");
        for connection in &mut waiting {
            let (status, _) = connection.read().unwrap();
            assert!(matches!(status, 401 | 503), "{status}");
        }
        for replica in &cluster.replicas {
            replica.wait_for_lease();
        }
    }
    assert_in_time(&propagations);
    assert_heals(&cluster);
}

#[test]
fn p63_a_killed_replica_delays_changes_by_the_bound_and_restarts_with_an_empty_cache() {
    let Some(mut cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    let mut propagations = Vec::new();
    for _ in 0..rounds().div_ceil(CONCURRENT_ON_TWO) {
        let keys = new_keys(&cluster, CONCURRENT_ON_TWO);
        for key in &keys {
            wait_until(|| cluster.replicas[2].verify(&key.secret) == Some(200));
        }
        cluster.start_load(Failures::Allowed);
        cluster.replicas[2].server.signal("KILL");
        propagations.extend(cluster.change_all(&[0, 1], &keys));
        cluster.replicas[2].restart();
        for key in &keys {
            assert_eq!(cluster.replicas[2].verify(&key.secret), Some(401));
        }
        // The killed replica is eventually deregistered.
        let key = cluster.new_key(0);
        wait_until(|| cluster.revoke(0, &key).replicas == 3);
    }
    assert_in_time(&propagations);
    // The running replicas confirmed, whether or not the response waited for the killed one.
    assert_nearly_all(&propagations, |propagation| propagation.refused_on == 2);
    assert_heals(&cluster);
}
