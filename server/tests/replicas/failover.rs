//! The primary is killed and its synchronous standby takes over: no confirmed change is lost, and no revoked key works again.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    BOUND, NO_SETTINGS, SLACK, assert_heals, assert_whole, cluster::ReplicaCluster, note_duration,
    rounds,
};
use crate::support::{
    cluster::{PostgresCluster, PostgresServer},
    load::Failures,
    postgres::PostgresDatabase,
    setup::Key,
    sql,
    wait::wait_until,
};

/// The longest time from the promotion until keys are verified again.
const SERVING: Duration = Duration::from_secs(5);

#[test]
fn p49_p63_a_failover_loses_no_confirmed_change_and_revives_no_key() {
    for _ in 0..rounds().div_ceil(100) {
        if !fail_over() {
            return;
        }
    }
}

/// Returns false if PostgreSQL's programs are missing.
fn fail_over() -> bool {
    let Some(mut postgres) = PostgresCluster::with_standby() else {
        return false;
    };
    let database = PostgresDatabase::create_on_temporary_server(&postgres.primary.url("postgres"));
    let mut cluster = ReplicaCluster::start_on(database, NO_SETTINGS);
    let keys: Vec<_> = (0..200).map(|_| cluster.new_key(0)).collect();
    for replica in &cluster.replicas {
        for key in &keys {
            wait_until(|| replica.verify(&key.secret) == Some(200));
        }
    }
    let (revoked_before, keys) = keys.split_at(20);
    let (valid, revoked_later) = keys.split_at(20);
    let propagations: Vec<_> = revoked_before
        .iter()
        .map(|key| cluster.revoke(1, key))
        .collect();
    assert_whole(&propagations);
    cluster.start_load(Failures::Allowed);
    let revoked = AtomicUsize::new(0);
    cluster.meanwhile(valid, revoked_before, || {
        thread::scope(|scope| {
            // Revokes keys until a revocation fails; those before it are confirmed.
            scope.spawn(|| {
                for key in revoked_later {
                    let path = format!("/api-keys/{}/revoke", key.id);
                    match cluster.api(1, "POST", &path, "") {
                        Some((200, _)) => revoked.fetch_add(1, Ordering::SeqCst),
                        _ => return,
                    };
                }
            });
            wait_until(|| revoked.load(Ordering::SeqCst) >= 10);
            postgres.primary.kill();
            assert_serves_until_the_lease_expires(&cluster, valid, revoked_before);
            let serving = take_over(&cluster, &postgres, valid);
            note_duration("serving again after the promotion", serving, SERVING);
        });
    });
    cluster.stop_load();
    let revoked = revoked.load(Ordering::SeqCst);
    assert!(
        revoked < revoked_later.len(),
        "the primary was killed in the middle"
    );
    eprintln!(
        "{} revoked before, {revoked} while it was killed",
        revoked_before.len()
    );
    for replica in &cluster.replicas {
        for key in revoked_before.iter().chain(&revoked_later[..revoked]) {
            assert_eq!(replica.verify(&key.secret), Some(401));
        }
        for key in valid.iter().chain(&revoked_later[revoked + 1..]) {
            assert_eq!(replica.verify(&key.secret), Some(200));
        }
    }
    assert_heals(&cluster);
    let standby = postgres.standby.as_ref().unwrap();
    let number = |sql| sql::number(&standby.url(cluster.database.name()), sql).unwrap();
    let audit_events = number("SELECT count(*) FROM audit_events WHERE action = 'api_key.revoked'");
    let dead_keys = number("SELECT count(*) FROM api_keys WHERE revoked_at IS NOT NULL");
    assert_eq!(
        audit_events, dead_keys,
        "an audit event for each revocation"
    );
    // `assert_heals` revokes one more, and the one in flight may have been committed.
    let confirmed = i64::try_from(revoked_before.len() + revoked).unwrap() + 1;
    assert!(
        (confirmed..=confirmed + 1).contains(&audit_events),
        "{audit_events}"
    );
    assert_former_primary_is_ignored(&cluster, &mut postgres, &valid[0], &valid[1]);
    true
}

#[test]
fn p63_a_lost_standby_fails_no_verification_and_leaks_no_connections() {
    let Some(mut postgres) = PostgresCluster::with_standby() else {
        return;
    };
    let database = PostgresDatabase::create_on_temporary_server(&postgres.primary.url("postgres"));
    let cluster = ReplicaCluster::start_on(database, NO_SETTINGS);
    let key = cluster.new_key(0);
    for replica in &cluster.replicas {
        replica.wait_for_lease();
        wait_until(|| replica.verify(&key.secret) == Some(200));
    }
    // From now on no commit is confirmed and no lease is renewed.
    postgres.standby.as_mut().unwrap().kill();
    let polls = "FROM pg_stat_activity WHERE application_name = 'latchkey poll'";
    let newest = format!("SELECT pid::bigint {polls} ORDER BY backend_start DESC LIMIT 1");
    let mut connected = HashSet::new();
    wait_until(|| {
        for replica in &cluster.replicas {
            assert_eq!(replica.verify(&key.secret), Some(200));
        }
        connected.insert(postgres.primary.number(&newest));
        connected.len() >= 8 * cluster.replicas.len()
    });
    for replica in &cluster.replicas {
        assert_eq!(replica.metric("latchkey_lease_held"), 0);
    }
    // Up to three polls per replica: one that waits, one that is ending, one that begins.
    let left = postgres.primary.number(&format!("SELECT count(*) {polls}"));
    assert!(left <= 9, "{left} of {} connections", connected.len());
    postgres.restart_standby();
    for replica in &cluster.replicas {
        replica.wait_for_lease();
    }
}

/// Asserts that the cache serves until the lease expires, that the response is 503 afterwards, and that no revoked key is accepted.
fn assert_serves_until_the_lease_expires(
    cluster: &ReplicaCluster,
    valid: &[Key],
    revoked_before: &[Key],
) {
    let killed = Instant::now();
    while killed.elapsed() < BOUND + SLACK {
        for replica in &cluster.replicas {
            let status = replica.verify(&revoked_before[0].secret);
            assert!(matches!(status, Some(401 | 503)), "{status:?}");
            let status = replica.verify(&valid[0].secret);
            assert!(matches!(status, Some(200 | 503)), "{status:?}");
        }
    }
    for replica in &cluster.replicas {
        assert_eq!(replica.verify(&valid[0].secret), Some(503));
        let health = replica.server.get("/healthz", "");
        assert!(health.starts_with("HTTP/1.1 200"), "{health}");
        let readiness = replica.server.get("/readyz", "");
        assert!(readiness.starts_with("HTTP/1.1 503"), "{readiness}");
    }
}

/// Promotes the standby and redirects the replicas to it. Returns the time until every replica verifies keys.
fn take_over(cluster: &ReplicaCluster, postgres: &PostgresCluster, valid: &[Key]) -> Duration {
    let standby: &PostgresServer = postgres.promote_standby();
    let promoted = Instant::now();
    for replica in &cluster.replicas {
        replica.proxy.move_to(&standby.address());
    }
    for replica in &cluster.replicas {
        wait_until(|| replica.verify(&valid[0].secret) == Some(200));
    }
    promoted.elapsed()
}

/// Revokes a key, then redirects the replicas to the former primary, on which the key is still valid. No replica uses it.
fn assert_former_primary_is_ignored(
    cluster: &ReplicaCluster,
    postgres: &mut PostgresCluster,
    valid: &Key,
    revoked_later: &Key,
) {
    cluster.revoke(0, revoked_later);
    postgres.restart_primary();
    for replica in &cluster.replicas {
        replica.proxy.move_to(&postgres.primary.address());
    }
    // Each replica searches for a primary for some seconds before it responds with 503.
    thread::scope(|scope| {
        for replica in &cluster.replicas {
            scope.spawn(move || {
                let status = replica.verify(&revoked_later.secret);
                assert!(matches!(status, Some(401 | 503)), "{status:?}");
                wait_until(|| replica.verify(&valid.secret) == Some(503));
            });
        }
    });
}
