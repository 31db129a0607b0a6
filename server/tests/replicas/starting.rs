//! Replicas that start at the same time: one of them migrates the schema.

use std::{process::Stdio, thread, time::Duration};

use super::{
    cluster::{Replica, lock_machine},
    note_duration,
};
use crate::support::{
    binary::Latchkey, fault_proxy::ConnectionKind, postgres::PostgresDatabase, server::Server, sql,
    wait::wait_until,
};

/// The longest time from the end of a fault until a replica is ready.
const READY_AGAIN: Duration = Duration::from_secs(5);

/// The lock of migrations (`domain/src/store/migration.rs`).
const LOCK: &str = "SELECT pg_advisory_lock(x'6c617463686b6579'::bigint)";

/// Reverts the migrations that concern replicas.
const PREVIOUS_SCHEMA: &str = "
    DROP FUNCTION note_key_state_change() CASCADE;
    DROP TABLE key_state_changes, replicas;
    DELETE FROM seaql_migrations WHERE version IN ('m0006_replicas', 'm0010_replica_places')";

const MIGRATIONS: &str = "SELECT count(*) FROM seaql_migrations";

/// The number of migrations, read from a database that a command created.
fn migration_count() -> i64 {
    let database = PostgresDatabase::create().unwrap();
    let latchkey = Latchkey::new().with("DATABASE_URL", &database.url());
    latchkey.run_json(&["tenant", "list"]);
    database.number(MIGRATIONS)
}

fn start_five_at_once(database: &PostgresDatabase) {
    thread::scope(|scope| {
        let starting: Vec<_> = (0..5)
            .map(|_| {
                scope.spawn(|| {
                    let latchkey = Latchkey::new().with("DATABASE_URL", &database.url());
                    let server = Server::start(&latchkey, &[]);
                    let readiness = server.get("/readyz", "");
                    assert!(readiness.starts_with("HTTP/1.1 200"), "{readiness}");
                })
            })
            .collect();
        for replica in starting {
            replica.join().unwrap();
        }
    });
}

#[test]
fn p56_five_replicas_that_start_together_migrate_the_schema_once() {
    let Some(database) = PostgresDatabase::create() else {
        return;
    };
    let _machine = lock_machine();
    start_five_at_once(&database);
    let migrations = database.number(MIGRATIONS);
    assert_eq!(migrations, migration_count());
    database.execute(PREVIOUS_SCHEMA);
    assert_eq!(database.number(MIGRATIONS), migrations - 2);
    start_five_at_once(&database);
    assert_eq!(database.number(MIGRATIONS), migrations);
}

#[test]
fn p56_a_migration_that_is_killed_is_finished_by_the_next_process() {
    let Some(database) = PostgresDatabase::create() else {
        return;
    };
    let _machine = lock_machine();
    let lock = thread::scope(|scope| {
        // The lock is held until the connection ends.
        let holder = scope.spawn(|| {
            let _ = sql::execute(&database.url(), &format!("{LOCK}; SELECT pg_sleep(600)"));
        });
        let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted";
        wait_until(|| database.number(held) == 1);
        let latchkey = Latchkey::new().with("DATABASE_URL", &database.url());
        let mut migrating = latchkey
            .command(&["tenant", "list"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        wait_until(|| database.number(waiting) == 1);
        migrating.kill().unwrap();
        migrating.wait().unwrap();
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()",
        );
        holder.join()
    });
    lock.unwrap();
    let replica = Replica::start(&database, &[]);
    assert_eq!(database.number(MIGRATIONS), migration_count());
    replica.wait_for_lease();
}

#[test]
fn p56_a_schema_of_a_newer_version_is_refused() {
    let Some(database) = PostgresDatabase::create() else {
        return;
    };
    let _machine = lock_machine();
    let latchkey = Latchkey::new().with("DATABASE_URL", &database.url());
    latchkey.run(&["tenant", "list"]).expect_success();
    database
        .execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)");
    let refused = latchkey.run(&["serve"]);
    assert_eq!(refused.code, Some(1));
    let reason = "written by a newer version of latchkey";
    assert!(refused.stderr.contains(reason), "{}", refused.stderr);
}

#[test]
fn p52_a_database_that_does_not_respond_is_503_and_queues_no_requests() {
    let Some(database) = PostgresDatabase::create() else {
        return;
    };
    let _machine = lock_machine();
    let replica = Replica::start(&database, &[]);
    replica.proxy.stall(ConnectionKind::All);
    // More concurrent requests than database connections.
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let response = replica.server.get("/readyz", "");
                assert!(response.starts_with("HTTP/1.1 503"), "{response}");
                assert!(response.contains("retry-after: "), "{response}");
            });
        }
        let health = replica.server.get("/healthz", "");
        assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    });
    replica.proxy.heal();
    let took = wait_until(|| {
        replica
            .server
            .get("/readyz", "")
            .starts_with("HTTP/1.1 200")
    });
    note_duration("ready again", took, READY_AGAIN);
}

#[test]
fn a_restarted_replica_removes_the_entry_of_its_crashed_predecessor() {
    let Some(database) = PostgresDatabase::create() else {
        return;
    };
    let _machine = lock_machine();
    // Below the range of outgoing connections, so that the port stays free for the restart.
    let port = 17_000 + u16::try_from(std::process::id() % 3_000).unwrap();
    let address = format!("127.0.0.1:{port}");
    let mut replica = Replica::start(&database, &[("LATCHKEY_LISTEN", &address)]);
    let placed = "SELECT count(*) FROM replicas WHERE place IS NOT NULL";
    wait_until(|| database.number(placed) == 1);
    let started = "(extract(epoch FROM since) * 1000000)::bigint";
    let before = database.number(&format!("SELECT {started} FROM replicas"));
    replica.server.signal("KILL");
    replica.server.wait_for_exit();
    let others = format!("SELECT count(*) FROM replicas WHERE {started} <= {before}");
    assert_eq!(database.number(&others), 1);
    replica.restart();
    wait_until(|| database.number(&format!("{placed} AND {started} > {before}")) == 1);
    // Deregistered at once, without waiting for a timeout.
    assert_eq!(database.number(&others), 0);
    replica.wait_for_lease();
}
