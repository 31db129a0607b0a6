//! The primary is killed, and its synchronous standby takes over: nothing that was answered is lost, and nothing comes back.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    BOUND, NO_SETTINGS, SLACK, assert_heals, assert_whole, note_duration, rounds,
    scene::{Key, Scene},
};
use crate::support::{
    cluster::{Cluster, Instance},
    load::Servers,
    postgres::Postgres,
    sql,
    until::until,
};

/// Within which checks are answered again, from the promotion on.
const SERVING: Duration = Duration::from_secs(5);

#[test]
fn p49_p63_a_primary_that_is_killed_and_its_standby_lose_nothing_and_revive_nothing() {
    for _ in 0..rounds().div_ceil(100) {
        if !fail_over() {
            return;
        }
    }
}

/// False where there are no programs to make a cluster of.
fn fail_over() -> bool {
    let Some(mut cluster) = Cluster::start() else {
        return false;
    };
    let database = Postgres::fresh_on_doomed(&cluster.primary.url("postgres"));
    let mut scene = Scene::start_on(database, NO_SETTINGS);
    let keys: Vec<_> = (0..200).map(|_| scene.new_key(0)).collect();
    for replica in &scene.replicas {
        for key in &keys {
            until(|| replica.ask(&key.secret) == Some(200));
        }
    }
    let (dead, keys) = keys.split_at(20);
    let (good, doomed) = keys.split_at(20);
    let receipts: Vec<_> = dead.iter().map(|key| scene.revoke(1, key)).collect();
    assert_whole(&receipts);
    scene.under_load(Servers::MayFail);
    let revoked = AtomicUsize::new(0);
    scene.meanwhile(good, dead, || {
        thread::scope(|scope| {
            // Until one is not answered, or not well: the others hold.
            scope.spawn(|| {
                for key in doomed {
                    let path = format!("/api-keys/{}/revoke", key.id);
                    match scene.api(1, "POST", &path, "") {
                        Some((200, _)) => revoked.fetch_add(1, Ordering::SeqCst),
                        _ => return,
                    };
                }
            });
            until(|| revoked.load(Ordering::SeqCst) >= 10);
            cluster.primary.kill();
            assert_answers_without_a_primary(&scene, good, dead);
            let serving = take_over(&scene, &cluster, good);
            note_duration("serving again after the promotion", serving, SERVING);
        });
    });
    scene.without_load();
    let revoked = revoked.load(Ordering::SeqCst);
    assert!(
        revoked < doomed.len(),
        "the primary was killed in the middle"
    );
    eprintln!(
        "{} revoked before, {revoked} while it was killed",
        dead.len()
    );
    for replica in &scene.replicas {
        for key in dead.iter().chain(&doomed[..revoked]) {
            assert_eq!(replica.ask(&key.secret), Some(401));
        }
        for key in good.iter().chain(&doomed[revoked + 1..]) {
            assert_eq!(replica.ask(&key.secret), Some(200));
        }
    }
    assert_heals(&scene);
    let standby = cluster.standby.as_ref().unwrap();
    let number = |sql| sql::number(&standby.url(scene.database.name()), sql).unwrap();
    let trail = number("SELECT count(*) FROM audit_events WHERE action = 'api_key.revoked'");
    let dead_keys = number("SELECT count(*) FROM api_keys WHERE revoked_at IS NOT NULL");
    assert_eq!(trail, dead_keys, "each change, and nothing else");
    // One more after all that, and the one in the middle may have been done.
    let answered = i64::try_from(dead.len() + revoked).unwrap() + 1;
    assert!((answered..=answered + 1).contains(&trail), "{trail}");
    assert_nobody_asks_the_former_primary(&scene, &mut cluster, &good[0], &good[1]);
    true
}

#[test]
fn p63_a_standby_that_is_gone_costs_no_check_and_no_connections() {
    let Some(mut cluster) = Cluster::start() else {
        return;
    };
    let database = Postgres::fresh_on_doomed(&cluster.primary.url("postgres"));
    let scene = Scene::start_on(database, NO_SETTINGS);
    let key = scene.new_key(0);
    for replica in &scene.replicas {
        replica.wait_for_lease();
        until(|| replica.ask(&key.secret) == Some(200));
    }
    // From now on no commit is confirmed, and no lease renewed.
    cluster.standby.as_mut().unwrap().kill();
    let beats = "FROM pg_stat_activity WHERE application_name = 'latchkey poll'";
    let newest = format!("SELECT pid::bigint {beats} ORDER BY backend_start DESC LIMIT 1");
    let mut connected = HashSet::new();
    until(|| {
        for replica in &scene.replicas {
            assert_eq!(replica.ask(&key.secret), Some(200));
        }
        connected.insert(cluster.primary.number(&newest));
        connected.len() >= 8 * scene.replicas.len()
    });
    for replica in &scene.replicas {
        assert_eq!(replica.metric("latchkey_lease_held"), 0);
    }
    // One that waits, one that is being ended and one that begins, of each.
    let left = cluster.primary.number(&format!("SELECT count(*) {beats}"));
    assert!(left <= 9, "{left} of {} connections", connected.len());
    cluster.restart_standby();
    for replica in &scene.replicas {
        replica.wait_for_lease();
    }
}

/// From memory as long as the lease lasts, then 503. Never a key that is revoked.
fn assert_answers_without_a_primary(scene: &Scene, good: &[Key], dead: &[Key]) {
    let killed = Instant::now();
    while killed.elapsed() < BOUND + SLACK {
        for replica in &scene.replicas {
            let status = replica.ask(&dead[0].secret);
            assert!(matches!(status, Some(401 | 503)), "{status:?}");
            let status = replica.ask(&good[0].secret);
            assert!(matches!(status, Some(200 | 503)), "{status:?}");
        }
    }
    for replica in &scene.replicas {
        assert_eq!(replica.ask(&good[0].secret), Some(503));
        let health = replica.server.get("/healthz", "");
        assert!(health.starts_with("HTTP/1.1 200"), "{health}");
        let readiness = replica.server.get("/readyz", "");
        assert!(readiness.starts_with("HTTP/1.1 503"), "{readiness}");
    }
}

/// Promotes the standby and moves the address to it; returns how long it took from then until every replica answers.
fn take_over(scene: &Scene, cluster: &Cluster, good: &[Key]) -> Duration {
    let standby: &Instance = cluster.promote_standby();
    let promoted = Instant::now();
    for replica in &scene.replicas {
        replica.proxy.move_to(&standby.address());
    }
    for replica in &scene.replicas {
        until(|| replica.ask(&good[0].secret) == Some(200));
    }
    promoted.elapsed()
}

/// The former primary comes back, as it was, at the old address. It knows the `doomed` key, and not that it is revoked.
fn assert_nobody_asks_the_former_primary(
    scene: &Scene,
    cluster: &mut Cluster,
    good: &Key,
    doomed: &Key,
) {
    scene.revoke(0, doomed);
    cluster.restart_primary();
    for replica in &scene.replicas {
        replica.proxy.move_to(&cluster.primary.address());
    }
    // Each of them looks for a primary for some seconds before it says that there is none.
    thread::scope(|scope| {
        for replica in &scene.replicas {
            scope.spawn(move || {
                let status = replica.ask(&doomed.secret);
                assert!(matches!(status, Some(401 | 503)), "{status:?}");
                until(|| replica.ask(&good.secret) == Some(503));
            });
        }
    });
}
