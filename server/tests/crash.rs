//! Servers and databases that are killed during changes: a confirmed change is durable, an unconfirmed one is complete or absent.
//!
//! `TEST_ROUNDS` is the number of kills for each kind of change; `cargo xtask soak` raises it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    binary::Latchkey,
    client::{Connection, api_request},
    cluster::PostgresCluster,
    environment::{self, is_soak},
    postgres::PostgresDatabase,
    server::Server,
    setup::{ManagerKey, text},
    sql,
    wait::wait_until,
};

/// Concurrent clients that change keys.
const CLIENTS: usize = 4;
/// The longest time until a restarted server is ready.
const RESTART: Duration = Duration::from_secs(5);
/// The additional delay of the kill in each round.
const STEP: Duration = Duration::from_micros(373);

#[derive(Clone, Copy, Debug)]
enum Change {
    Create,
    Rotate,
    Revoke,
}

/// The confirmed state of a key, from the responses to its changes.
#[derive(Debug, Default)]
struct ConfirmedKey {
    id: String,
    /// Every confirmed secret, newest last.
    secrets: Vec<String>,
    revoked: bool,
}

/// A part of a query: the number of audit events with this action about `key`.
///
/// The action is not in the `WHERE` clause: SQLite would use its index and read the events of all keys for each key.
fn events(action: &str) -> String {
    format!(
        "(SELECT count(CASE WHEN action LIKE '{action}' THEN 1 END) FROM audit_events AS event \
         WHERE event.tenant_id = key.tenant_id AND event.target_id = key.id)"
    )
}

/// A database whose servers are killed.
struct CrashFixture {
    latchkey: Latchkey,
    url: String,
    group: String,
    manager: String,
}

fn rounds() -> u32 {
    environment::rounds(20).try_into().unwrap()
}

impl CrashFixture {
    fn on(url: &str) -> Self {
        let latchkey = Latchkey::new().with("DATABASE_URL", url);
        let ManagerKey { group, secret } = ManagerKey::create(&latchkey);
        Self {
            group,
            manager: secret,
            url: url.to_owned(),
            latchkey,
        }
    }

    fn post(&self, connection: &mut Connection, path: &str, body: &str) -> Option<(u16, Value)> {
        let path = format!("/api-keys{path}");
        let (status, body) = connection.send(&api_request(&self.manager, "POST", &path, body))?;
        Some((status, serde_json::from_str(&body).ok()?))
    }

    fn create(&self, connection: &mut Connection) -> Option<ConfirmedKey> {
        let body = format!(
            r#"{{"name":"Target","authorization_group_id":"{}"}}"#,
            self.group
        );
        let (status, key) = self.post(connection, "", &body)?;
        (status == 201).then(|| ConfirmedKey {
            id: text(&key, "id"),
            secrets: vec![text(&key, "secret")],
            revoked: false,
        })
    }

    /// Changes keys until the server is killed, and counts the confirmed changes.
    fn change_on(
        &self,
        address: &str,
        change: Change,
        known: &mut Vec<ConfirmedKey>,
        confirmed: &AtomicUsize,
    ) {
        let Some(mut connection) = Connection::try_open(address) else {
            return;
        };
        let connection = &mut connection;
        for number in 0.. {
            let done = match change {
                Change::Create => self.create(connection).map(|key| known.push(key)),
                Change::Rotate => {
                    let index = number % known.len();
                    let key = &mut known[index];
                    self.post(connection, &format!("/{}/rotate", key.id), "")
                        .filter(|(status, _)| *status == 200)
                        .map(|(_, response)| key.secrets.push(text(&response, "secret")))
                }
                Change::Revoke => {
                    let Some(key) = known.iter_mut().find(|key| !key.revoked) else {
                        return;
                    };
                    self.post(connection, &format!("/{}/revoke", key.id), "")
                        .filter(|(status, _)| *status == 200)
                        .map(|_| key.revoked = true)
                }
            };
            if done.is_none() {
                return;
            }
            confirmed.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Runs `kill` during changes, later in each round. Returns the confirmed changes.
    fn kill_during_changes(
        &self,
        server: &Server,
        change: Change,
        round: u32,
        kill: impl FnOnce(),
    ) -> Vec<ConfirmedKey> {
        let keys_before = match change {
            Change::Create => 0,
            Change::Rotate => 2,
            Change::Revoke => 30,
        };
        let mut connection = Connection::open(&server.address);
        let mut known: Vec<Vec<ConfirmedKey>> = (0..CLIENTS)
            .map(|_| {
                (0..keys_before)
                    .map(|_| self.create(&mut connection).unwrap())
                    .collect()
            })
            .collect();
        let confirmed = AtomicUsize::new(0);
        thread::scope(|scope| {
            for known in &mut known {
                let confirmed = &confirmed;
                scope.spawn(move || self.change_on(&server.address, change, known, confirmed));
            }
            wait_until(|| confirmed.load(Ordering::SeqCst) >= 2 * CLIENTS);
            let killed = Instant::now() + STEP * round;
            while Instant::now() < killed {
                std::hint::spin_loop();
            }
            kill();
        });
        known.into_iter().flatten().collect()
    }

    /// Asserts that the confirmed changes hold, and that audit events and keys agree.
    fn assert_consistent(&self, server: &Server, known: &[ConfirmedKey]) {
        let mut connection = Connection::open(&server.address);
        let mut status = |secret: &str| connection.whoami(secret).unwrap();
        for key in known {
            let (newest, older) = key.secrets.split_last().unwrap();
            for secret in older {
                assert_eq!(status(secret), 401, "{} was rotated out", key.id);
            }
            let changed = |action: &str| {
                self.number(&format!(
                    "SELECT {} FROM api_keys AS key WHERE id = {}",
                    events(action),
                    self.literal(&key.id)
                ))
            };
            let rotations = usize::try_from(changed("api_key.rotated")).unwrap();
            let revocations = changed("api_key.revoked");
            assert!(revocations >= i64::from(key.revoked), "{}", key.id);
            // One more rotation may be committed and unconfirmed.
            let confirmed = key.secrets.len() - 1;
            assert!(
                (confirmed..=confirmed + 1).contains(&rotations),
                "{}: {confirmed} rotations were confirmed, {rotations} are in the audit log",
                key.id
            );
            let works = rotations == confirmed && revocations == 0;
            assert_eq!(status(newest), if works { 200 } else { 401 }, "{}", key.id);
        }
        for (subject, contradiction) in [
            (
                "a key and its creation",
                format!("{} <> 1", events("api_key.created")),
            ),
            (
                "a key's version and its changes",
                format!("{} <> version", events("api_key.%")),
            ),
            (
                "a revoked key and its revocation",
                format!(
                    "({} > 0) <> (revoked_at IS NOT NULL)",
                    events("api_key.revoked")
                ),
            ),
        ] {
            let sql = format!("SELECT count(*) FROM api_keys AS key WHERE {contradiction}");
            assert_eq!(self.number(&sql), 0, "{subject}");
        }
        let without_key = "SELECT count(*) FROM audit_events AS event WHERE action LIKE 'api_key.%' \
             AND NOT EXISTS (SELECT 1 FROM api_keys AS key WHERE key.id = event.target_id)";
        assert_eq!(self.number(without_key), 0, "an event and its key");
    }

    /// An identifier as an SQL literal of the engine.
    fn literal(&self, id: &str) -> String {
        if self.url.starts_with("sqlite:") {
            format!("x'{}'", id.replace('-', ""))
        } else {
            format!("'{id}'")
        }
    }

    fn number(&self, sql: &str) -> i64 {
        sql::number(&self.url, sql).unwrap()
    }

    fn restart(&self) -> Server {
        let started = Instant::now();
        let server = Server::start(&self.latchkey, &[]);
        let took = started.elapsed();
        // On a busy machine, the test's clock measures the load of the machine: only the soak asserts the limit.
        assert!(!is_soak() || took <= RESTART, "{took:?}");
        server
    }

    /// Kills servers during each kind of change. `between` runs whenever no server is running.
    fn survive_killed_servers(&self, between: impl Fn()) {
        for change in [Change::Create, Change::Rotate, Change::Revoke] {
            for round in 0..rounds() {
                let server = self.restart();
                let known =
                    self.kill_during_changes(&server, change, round, || server.signal("KILL"));
                drop(server);
                between();
                self.assert_consistent(&self.restart(), &known);
                between();
            }
        }
    }
}

#[test]
fn p49_a_killed_server_on_sqlite_keeps_every_confirmed_change() {
    let latchkey = Latchkey::new();
    let file = latchkey.folder().join("latchkey.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let fixture = CrashFixture::on(&url);
    fixture.survive_killed_servers(|| {
        let intact = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'";
        assert_eq!(fixture.number(intact), 1);
    });
}

#[test]
fn p49_a_killed_server_on_postgresql_keeps_every_confirmed_change() {
    let Some(database) = PostgresDatabase::create() else {
        return;
    };
    // A killed replica stays registered for some seconds, and every change would wait for it.
    CrashFixture::on(&database.url())
        .survive_killed_servers(|| database.execute("DELETE FROM replicas"));
}

#[test]
fn p49_a_killed_postmaster_keeps_every_confirmed_change() {
    let Some(mut cluster) = PostgresCluster::primary_only() else {
        return;
    };
    let database = PostgresDatabase::create_on_temporary_server(&cluster.primary.url("postgres"));
    let fixture = CrashFixture::on(&database.url());
    let server = fixture.restart();
    for change in [Change::Create, Change::Rotate, Change::Revoke] {
        for round in 0..rounds() {
            let primary = &mut cluster.primary;
            let known = fixture.kill_during_changes(&server, change, round, || primary.kill());
            cluster.restart_primary();
            wait_until(|| server.get("/readyz", "").starts_with("HTTP/1.1 200"));
            fixture.assert_consistent(&server, &known);
        }
    }
}
