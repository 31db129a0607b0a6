//! Several replicas that start at once: the schema is made, or brought up to date, by one of them.

use std::{process::Stdio, thread, time::Duration};

use super::{
    Which, note_duration,
    scene::{Replica, alone},
};
use crate::support::{binary::Latchkey, postgres::Postgres, server::Server, sql, until::until};

/// Within which a replica is ready again, from the end of a fault on.
const READY_AGAIN: Duration = Duration::from_secs(5);

/// What every Latchkey locks while it changes the schema (`domain/src/store/migration.rs`).
const LOCK: &str = "SELECT pg_advisory_lock(x'6c617463686b6579'::bigint)";

/// Takes back the steps of replicas, with what came of them.
const PREVIOUS_SCHEMA: &str = "
    DROP FUNCTION note_key_state_change() CASCADE;
    DROP TABLE key_state_changes, replicas;
    DELETE FROM seaql_migrations WHERE version IN ('m0006_replicas', 'm0010_replica_places')";

const STEPS: &str = "SELECT count(*) FROM seaql_migrations";

/// How many steps the schema has, by a database that one command has made.
fn every_step() -> i64 {
    let database = Postgres::fresh().unwrap();
    let latchkey = Latchkey::new().with("DATABASE_URL", &database.url());
    latchkey.answer(&["tenant", "list"]);
    database.number(STEPS)
}

fn start_five_at_once(database: &Postgres) {
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
fn p56_five_replicas_that_start_at_once_bring_the_schema_up_to_date_once() {
    let Some(database) = Postgres::fresh() else {
        return;
    };
    let _alone = alone();
    start_five_at_once(&database);
    let steps = database.number(STEPS);
    assert_eq!(steps, every_step());
    database.execute(PREVIOUS_SCHEMA);
    assert_eq!(database.number(STEPS), steps - 2);
    start_five_at_once(&database);
    assert_eq!(database.number(STEPS), steps);
}

#[test]
fn p56_a_process_that_is_killed_while_it_changes_the_schema_leaves_it_to_the_next() {
    let Some(database) = Postgres::fresh() else {
        return;
    };
    let _alone = alone();
    let lock = thread::scope(|scope| {
        // Held for as long as the connection is there.
        let holder = scope.spawn(|| {
            let _ = sql::execute(&database.url(), &format!("{LOCK}; SELECT pg_sleep(600)"));
        });
        let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted";
        until(|| database.number(held) == 1);
        let latchkey = Latchkey::new().with("DATABASE_URL", &database.url());
        let mut migrating = latchkey
            .command(&["tenant", "list"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        until(|| database.number(waiting) == 1);
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
    assert_eq!(database.number(STEPS), every_step());
    replica.wait_for_lease();
}

#[test]
fn p56_a_schema_of_a_newer_version_is_refused() {
    let Some(database) = Postgres::fresh() else {
        return;
    };
    let _alone = alone();
    let latchkey = Latchkey::new().with("DATABASE_URL", &database.url());
    latchkey.run(&["tenant", "list"]).ended_well();
    database
        .execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)");
    let refused = latchkey.run(&["serve"]);
    assert_eq!(refused.code, Some(1));
    let says = "written by a newer version of latchkey";
    assert!(refused.stderr.contains(says), "{}", refused.stderr);
}

#[test]
fn p52_a_database_that_does_not_answer_is_503_in_time_and_piles_up_nothing() {
    let Some(database) = Postgres::fresh() else {
        return;
    };
    let _alone = alone();
    let replica = Replica::start(&database, &[]);
    replica.proxy.stall(Which::All);
    // More than there are connections, all at once.
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let answer = replica.server.get("/readyz", "");
                assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
                assert!(answer.contains("retry-after: "), "{answer}");
            });
        }
        let health = replica.server.get("/healthz", "");
        assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    });
    replica.proxy.heal();
    let took = until(|| {
        replica
            .server
            .get("/readyz", "")
            .starts_with("HTTP/1.1 200")
    });
    note_duration("ready again", took, READY_AGAIN);
}

#[test]
fn a_replica_that_is_started_again_takes_off_the_one_that_crashed_there() {
    let Some(database) = Postgres::fresh() else {
        return;
    };
    let _alone = alone();
    // Below the range of outgoing connections, so that the port is free again.
    let port = 17_000 + u16::try_from(std::process::id() % 3_000).unwrap();
    let address = format!("127.0.0.1:{port}");
    let mut replica = Replica::start(&database, &[("LATCHKEY_LISTEN", &address)]);
    let placed = "SELECT count(*) FROM replicas WHERE place IS NOT NULL";
    until(|| database.number(placed) == 1);
    let begun = "(extract(epoch FROM since) * 1000000)::bigint";
    let before = database.number(&format!("SELECT {begun} FROM replicas"));
    replica.server.signal("KILL");
    replica.server.ended();
    let others = format!("SELECT count(*) FROM replicas WHERE {begun} <= {before}");
    assert_eq!(database.number(&others), 1);
    replica.restart();
    until(|| database.number(&format!("{placed} AND {begun} > {before}")) == 1);
    // At once, and not when it has been silent for long enough.
    assert_eq!(database.number(&others), 0);
    replica.wait_for_lease();
}
