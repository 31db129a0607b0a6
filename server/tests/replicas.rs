//! Three replicas on one PostgreSQL database, whatever fails between them: no request that is sent after a change was answered, to any of
//! them, is judged by the old state.
//!
//! `TEST_ROUNDS` is how often keys are changed; `cargo xtask soak` changes them more often. Without `TEST_DATABASE_URL` there is nothing
//! to test on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "other tests use more of it")]
#[path = "support/binary.rs"]
mod binary;
#[path = "support/cluster.rs"]
mod cluster;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "support/load.rs"]
mod load;
#[path = "support/people.rs"]
mod people;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "replicas/proxy.rs"]
mod proxy;
#[path = "replicas/scene.rs"]
mod scene;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "support/server.rs"]
mod server;
#[path = "replicas/shared_state.rs"]
mod shared_state;
#[path = "support/sql.rs"]
mod sql;
#[path = "replicas/starting.rs"]
mod starting;
#[path = "support/until.rs"]
mod until;

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cluster::Cluster;
use load::{Connection, Servers};
use postgres::Postgres;
use proxy::Which;
use scene::{Key, Receipt, Scene};
use serde_json::{Value, json};
use server::connect;
use until::until;

/// The bound of the acceptance checks, and what an answer may take on top.
const BOUND: Duration = Duration::from_millis(1_000);
const SLACK: Duration = Duration::from_millis(500);
/// Within which everything is well again once nothing fails any more.
const HEALED: Duration = Duration::from_secs(2);
/// Within which a change is everywhere where nothing fails: 99 of 100.
const PROPAGATION: Duration = Duration::from_millis(100);

const NO_SETTINGS: [&[(&str, &str)]; 3] = [&[], &[], &[]];

fn rounds() -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "xtask says so by the environment"
    )]
    std::env::var("TEST_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap())
}

/// How often keys are changed while something fails that costs nobody time.
fn rounds_of_a_fault() -> usize {
    rounds().div_ceil(4)
}

/// How often while something fails that costs each change a second.
fn rounds_of_a_slow_fault() -> usize {
    rounds_of_a_fault().min(50)
}

/// Revokes and rotates keys by turns, each at another replica; returns what was answered.
fn changes(scene: &Scene, rounds: usize, at: &[usize]) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for round in 0..rounds {
        let at = at[round % at.len()];
        let mut key = scene.new_key(at);
        if round % 2 == 0 {
            receipts.push(scene.rotate(at, &mut key));
        }
        receipts.push(scene.revoke(at, &key));
        let slowest = receipts.iter().map(|receipt| receipt.took).max().unwrap();
        assert!(slowest <= BOUND + SLACK, "{receipts:?}");
    }
    receipts
}

/// The percentile of how long after the commit every replica had said that it knows.
fn percentile(receipts: &[Receipt], of_100: usize) -> Duration {
    let mut after: Vec<_> = receipts.iter().map(|receipt| receipt.after).collect();
    after.sort();
    after[(after.len() * of_100).div_ceil(100) - 1]
}

fn assert_whole(receipts: &[Receipt]) {
    for receipt in receipts {
        assert_eq!(
            (receipt.replicas, receipt.refused_on),
            (3, 3),
            "{receipt:?}"
        );
    }
}

/// After `healed`, every replica uses its memory again within [`HEALED`], and a change is confirmed by all.
fn assert_heals(scene: &Scene) {
    let healed = Instant::now();
    for replica in &scene.replicas {
        replica.wait_for_lease();
    }
    let took = healed.elapsed();
    assert!(took <= HEALED, "{took:?}");
    let key = scene.new_key(0);
    let receipt = scene.revoke(0, &key);
    assert_eq!(receipt.refused_on, receipt.replicas, "{receipt:?}");
}

#[test]
fn p62_healthy_replicas_know_of_a_change_before_it_is_answered() {
    let Some(mut scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    scene.under_load(Servers::AreWell);
    let receipts = changes(&scene, rounds() * 2 / 3, &[0, 1, 2]);
    assert_whole(&receipts);
    let (median, slow) = (percentile(&receipts, 50), percentile(&receipts, 99));
    let reads: u64 = scene
        .replicas
        .iter()
        .map(|replica| replica.metric("latchkey_database_reads_total"))
        .sum();
    let requests = scene.requests();
    eprintln!(
        "{} changes under load, {requests} requests, of which {reads} read the database; on every replica after {median:?} (median), {slow:?} (p99)",
        receipts.len(),
    );
    assert!(reads < requests * 2 / 3, "from memory");
    // How long the way of a change is, is measured where the machine has time for it: as in the suite, this is a debug build, three of them
    // on one machine, with those who ask.
    scene.without_load();
    let receipts = changes(&scene, 2 * rounds(), &[0, 1, 2]);
    assert_whole(&receipts);
    let (median, slow) = (percentile(&receipts, 50), percentile(&receipts, 99));
    eprintln!(
        "{} changes without load; on every replica after {median:?} (median), {slow:?} (p99)",
        receipts.len(),
    );
    assert!(slow <= PROPAGATION, "{slow:?}");
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
                     WHERE application_name = 'latchkey notices' AND datname = current_database()",
                )
                .unwrap();
                thread::park_timeout(Duration::from_millis(200));
            }
            killed
        }
    });
    let receipts = changes(&scene, rounds_of_a_fault(), &[0, 1, 2]);
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
    assert_whole(&changes(&scene, rounds_of_a_fault(), &[0, 1, 2]));
    for replica in &scene.replicas {
        replica.proxy.heal();
        replica.proxy.drop_notices();
    }
    assert_whole(&changes(&scene, rounds_of_a_fault(), &[0, 1, 2]));
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
    scene.replicas[2].proxy.stall(Which::Beat);
    let receipts = changes(&scene, rounds_of_a_slow_fault(), &[0, 1]);
    // Known by two; the third answered from the database meanwhile, and rightly.
    for receipt in &receipts {
        assert!(receipt.refused_on >= 2, "{receipt:?}");
    }
    assert_eq!(scene.replicas[2].metric("latchkey_lease_held"), 0);
    scene.replicas[2].proxy.heal();
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
    scene.replicas[2].proxy.stall(Which::All);
    changes(&scene, rounds_of_a_slow_fault(), &[0, 1]);
    assert_eq!(scene.replicas[2].ask(&key.secret), Some(503));
    scene.replicas[2].proxy.heal();
    let took = until(|| scene.replicas[2].ask(&key.secret) == Some(200));
    assert!(took <= HEALED, "{took:?}");
    assert_heals(&scene);
}

#[test]
fn p63_a_replica_that_was_stopped_answers_nothing_from_before() {
    let Some(mut scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    scene.under_load(Servers::MayFail);
    for _ in 0..rounds_of_a_slow_fault().div_ceil(5) {
        let key = scene.new_key(0);
        let stopped = &scene.replicas[2].server;
        until(|| scene.replicas[2].ask(&key.secret) == Some(200));
        stopped.signal("STOP");
        let stopped_at = Instant::now();
        let receipt = scene.revoke(0, &key);
        assert!(receipt.took <= BOUND + SLACK, "{receipt:?}");
        // Sent after the answer, and read by nobody yet.
        let mut waiting: Vec<_> = (0..8)
            .map(|_| {
                let mut stream = connect(&stopped.address);
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
        stopped.signal("CONT");
        for connection in &mut waiting {
            let (status, _) = connection.read().unwrap();
            assert!(matches!(status, 401 | 503), "{status}");
        }
        for replica in &scene.replicas {
            replica.wait_for_lease();
        }
    }
    assert_heals(&scene);
}

#[test]
fn p63_a_replica_that_is_killed_costs_the_bound_and_comes_back_knowing_nothing() {
    let Some(mut scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    let keys: Vec<_> = (0..rounds_of_a_slow_fault())
        .map(|_| scene.new_key(0))
        .collect();
    for key in &keys {
        until(|| scene.replicas[2].ask(&key.secret) == Some(200));
    }
    scene.under_load(Servers::MayFail);
    scene.replicas[2].server.signal("KILL");
    let receipt = scene.revoke(0, &keys[0]);
    assert!(receipt.took <= BOUND + SLACK, "{receipt:?}");
    assert_eq!((receipt.replicas, receipt.refused_on), (3, 2));
    scene.replicas[2].restart();
    for key in &keys[1..] {
        let receipt = scene.revoke(1, key);
        assert!(receipt.took <= BOUND + SLACK, "{receipt:?}");
        assert_eq!(scene.replicas[2].ask(&key.secret), Some(401));
    }
    // The dead one is off the list in the end.
    let gone = scene.new_key(0);
    until(|| scene.revoke(0, &gone).replicas == 3);
    assert_heals(&scene);
}

/// One an hour ahead, one an hour behind.
const WALL_CLOCKS: [&[(&str, &str)]; 3] = [
    &[
        ("LD_PRELOAD", FAKETIME),
        ("FAKETIME", "+1h"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ],
    &[],
    &[
        ("LD_PRELOAD", FAKETIME),
        ("FAKETIME", "-1h"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ],
];

/// Debian's.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

#[test]
fn p42_clocks_that_are_an_hour_apart_let_no_dead_key_through_and_are_told() {
    if !std::path::Path::new(FAKETIME).is_file() {
        #[expect(
            clippy::disallowed_methods,
            reason = "xtask says so by the environment"
        )]
        let is_required = std::env::var_os("TEST_PROGRAMS").is_some();
        assert!(!is_required, "faketime is not installed");
        return;
    }
    let Some(mut scene) = Scene::start(WALL_CLOCKS) else {
        return;
    };
    for (replica, says) in scene.replicas.iter().zip([
        "ready; the database's clock is -",
        "ready\n",
        "ready; the database's clock is 3",
    ]) {
        let answer = replica.server.get("/readyz", "");
        assert!(answer.contains(says), "{says:?}: {answer}");
    }
    let key = scene.new_key(0);
    scene.under_load(Servers::AreWell);
    assert_whole(&changes(&scene, rounds_of_a_fault(), &[0, 1, 2]));
    scene.without_load();
    // Used at one hour, then at another: what is written never goes back.
    let last_used = || {
        scene.database.number(&format!(
            "SELECT extract(epoch FROM last_used_at)::bigint FROM api_keys WHERE id = '{}'",
            key.id
        ))
    };
    assert_eq!(scene.replicas[0].ask(&key.secret), Some(200));
    until(|| {
        let used = format!(
            "SELECT count(*) FROM api_keys WHERE id = '{}' AND last_used_at IS NOT NULL",
            key.id
        );
        scene.database.number(&used) == 1
    });
    let ahead = last_used();
    assert_eq!(scene.replicas[2].ask(&key.secret), Some(200));
    // Its end writes whatever is not written.
    scene.replicas[2].server.signal("TERM");
    assert_eq!(scene.replicas[2].server.ended(), Some(0));
    assert_eq!(last_used(), ahead);
}

#[test]
fn p49_p63_a_primary_that_is_killed_and_its_standby_lose_nothing_and_revive_nothing() {
    let Some(mut cluster) = Cluster::start() else {
        return;
    };
    let database = Postgres::fresh_on_doomed(&cluster.primary.url("postgres"));
    let scene = Scene::start_on(database, NO_SETTINGS);
    let keys: Vec<_> = (0..40).map(|_| scene.new_key(0)).collect();
    for replica in &scene.replicas {
        for key in &keys {
            until(|| replica.ask(&key.secret) == Some(200));
        }
    }
    let (revoked, kept) = keys.split_at(20);
    for key in revoked {
        assert_eq!(scene.revoke(1, key).refused_on, 3);
    }
    cluster.primary.kill();
    // From memory as long as the lease lasts, then 503. Never a key that is revoked.
    let killed = Instant::now();
    while killed.elapsed() < BOUND + SLACK {
        for replica in &scene.replicas {
            let status = replica.ask(&revoked[0].secret);
            assert!(matches!(status, Some(401 | 503)), "{status:?}");
            let status = replica.ask(&kept[0].secret);
            assert!(matches!(status, Some(200 | 503)), "{status:?}");
        }
    }
    for replica in &scene.replicas {
        assert_eq!(replica.ask(&kept[0].secret), Some(503));
        let health = replica.server.get("/healthz", "");
        assert!(health.starts_with("HTTP/1.1 200"), "{health}");
        let readiness = replica.server.get("/readyz", "");
        assert!(readiness.starts_with("HTTP/1.1 503"), "{readiness}");
    }
    let standby = cluster.promote_standby();
    let promoted = Instant::now();
    for replica in &scene.replicas {
        replica.proxy.move_to(&standby.address());
    }
    for replica in &scene.replicas {
        until(|| replica.ask(&kept[0].secret) == Some(200));
    }
    let serving = promoted.elapsed();
    eprintln!("serving again {serving:?} after the promotion");
    assert!(serving <= Duration::from_secs(5), "{serving:?}");
    for replica in &scene.replicas {
        for key in revoked {
            assert_eq!(replica.ask(&key.secret), Some(401));
        }
        for key in kept {
            assert_eq!(replica.ask(&key.secret), Some(200));
        }
    }
    assert_heals(&scene);
    let trail = sql::number(
        &standby.url(scene.database.name()),
        "SELECT count(*) FROM audit_events WHERE action = 'api_key.revoked'",
    );
    assert_eq!(trail.unwrap(), 21, "each change, and the one just now");

    // The former primary comes back, as it was, at the old address: nobody asks it.
    let key = scene.new_key(0);
    scene.revoke(0, &key);
    cluster.restart_primary();
    for replica in &scene.replicas {
        replica.proxy.move_to(&cluster.primary.address());
    }
    for replica in &scene.replicas {
        for _ in 0..3 {
            let status = replica.ask(&key.secret);
            assert!(matches!(status, Some(401 | 503)), "{status:?}");
        }
        until(|| replica.ask(&kept[0].secret) == Some(503));
    }
}

/// How a key is changed at the replica of a number.
type Door<'a> = &'a (dyn Fn(usize, &Key) -> (u16, Value) + Sync);

#[test]
fn p39_who_finds_done_what_it_wants_to_do_waits_as_whoever_did_it() {
    let Some(scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    let administrator = "mira@acme.example";
    people::add_administrator(&scene.replicas[0].latchkey, administrator);
    let address = &scene.replicas[0].server.address;
    let (_, session) = people::sign_in(address, administrator, people::PASSWORD);
    let headers = format!(
        "cookie: {}\r\nsec-fetch-site: same-origin\r\n",
        session.unwrap()
    );
    let narrowed = |key: &Key| {
        json!({
            "tenant": null, "id": key.id, "version": 1, "form": {
                "name": "Target", "description": "", "authorization_group_id": scene.group,
                "expires_on": "", "ip_allowlist": "203.0.113.0/24",
            },
        })
        .to_string()
    };
    let edit = |at: usize, key: &Key| {
        let path = "/api/pages/edit_api_key";
        scene
            .send(at, "POST", path, &headers, &narrowed(key))
            .unwrap()
    };
    let revoke = |at: usize, key: &Key| {
        let path = format!("/api-keys/{}/revoke", key.id);
        scene.api(at, "POST", &path, "").unwrap()
    };
    let doors: [Door<'_>; 2] = [&edit, &revoke];
    for change in doors {
        let key = scene.new_key(0);
        let last = &scene.replicas[2];
        last.wait_for_lease();
        until(|| last.ask(&key.secret) == Some(200));
        last.proxy.stall(Which::Beat);
        thread::scope(|scope| {
            let first = scope.spawn(|| change(0, &key));
            let changed = format!(
                "SELECT count(*) FROM api_keys WHERE id = '{}' AND version = 2",
                key.id
            );
            until(|| scene.database.number(&changed) == 1);
            let (status, answer) = change(1, &key);
            assert_eq!(status, 200, "{answer}");
            let status = last.ask(&key.secret);
            assert!(matches!(status, Some(401 | 403)), "{status:?}");
            assert_eq!(first.join().unwrap().0, 200);
        });
        last.proxy.heal();
    }
    assert_heals(&scene);
}
