//! A server that is killed in the middle of its work: what it answered is true afterwards, and what it did not answer is whole or not
//! there.
//!
//! `TEST_ROUNDS` is how often each kind of change is cut short; `cargo xtask soak` does it more often.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    binary::Latchkey, cluster::Cluster, load::Connection, manager::Manager, postgres::Postgres,
    server::Server, sql, until::until,
};

/// Who changes keys at once.
const CLIENTS: usize = 4;
/// Within which a server is there again.
const RESTART: Duration = Duration::from_secs(5);
/// Between two points at which it is killed.
const STEP: Duration = Duration::from_micros(373);

#[derive(Clone, Copy, Debug)]
enum Change {
    Create,
    Rotate,
    Revoke,
}

/// A key, and what was answered of it.
#[derive(Debug, Default)]
struct Known {
    id: String,
    /// Every secret that was answered, the newest last.
    secrets: Vec<String>,
    revoked: bool,
}

/// How many events of that action there are about `key`, as a part of a query.
///
/// The action is no condition: SQLite would look it up first, and go through all keys' events for each key.
fn events(action: &str) -> String {
    format!(
        "(SELECT count(CASE WHEN action LIKE '{action}' THEN 1 END) FROM audit_events AS event \
         WHERE event.tenant_id = key.tenant_id AND event.target_id = key.id)"
    )
}

struct World {
    latchkey: Latchkey,
    url: String,
    group: String,
    manager: String,
}

fn rounds() -> u32 {
    rounds_of_soak().map_or(20, |rounds| rounds.parse().unwrap())
}

fn is_soak() -> bool {
    rounds_of_soak().is_some()
}

fn rounds_of_soak() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "xtask says so by the environment"
    )]
    std::env::var("TEST_ROUNDS").ok()
}

impl World {
    fn on(url: &str) -> Self {
        let latchkey = Latchkey::new().with("DATABASE_URL", url);
        let Manager { group, secret } = Manager::new(&latchkey);
        Self {
            group,
            manager: secret,
            url: url.to_owned(),
            latchkey,
        }
    }

    fn post(&self, connection: &mut Connection, path: &str, body: &str) -> Option<(u16, Value)> {
        let content_type = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        let (status, body) = connection.send(&format!(
            "POST /api/v1/api-keys{path} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n{content_type}content-length: {}\r\n\r\n{body}",
            self.manager,
            body.len()
        ))?;
        Some((status, serde_json::from_str(&body).ok()?))
    }

    fn create(&self, connection: &mut Connection) -> Option<Known> {
        let body = format!(
            r#"{{"name":"Target","authorization_group_id":"{}"}}"#,
            self.group
        );
        let (status, key) = self.post(connection, "", &body)?;
        (status == 201).then(|| Known {
            id: key["id"].as_str().unwrap().to_owned(),
            secrets: vec![key["secret"].as_str().unwrap().to_owned()],
            revoked: false,
        })
    }

    /// Changes keys until the server is gone, and counts what was answered.
    fn change_on(
        &self,
        address: &str,
        change: Change,
        known: &mut Vec<Known>,
        answered: &AtomicUsize,
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
                        .map(|(_, answer)| {
                            key.secrets
                                .push(answer["secret"].as_str().unwrap().to_owned());
                        })
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
            answered.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Kills `victim` in the middle of changes, somewhere else in each round; returns what was answered.
    fn cut_short(
        &self,
        server: &Server,
        change: Change,
        round: u32,
        kill: impl FnOnce(),
    ) -> Vec<Known> {
        let keys_before = match change {
            Change::Create => 0,
            Change::Rotate => 2,
            Change::Revoke => 30,
        };
        let mut connection = Connection::open(&server.address);
        let mut known: Vec<Vec<Known>> = (0..CLIENTS)
            .map(|_| {
                (0..keys_before)
                    .map(|_| self.create(&mut connection).unwrap())
                    .collect()
            })
            .collect();
        let answered = AtomicUsize::new(0);
        thread::scope(|scope| {
            for known in &mut known {
                let answered = &answered;
                scope.spawn(move || self.change_on(&server.address, change, known, answered));
            }
            until(|| answered.load(Ordering::SeqCst) >= 2 * CLIENTS);
            let killed = Instant::now() + STEP * round;
            while Instant::now() < killed {
                std::hint::spin_loop();
            }
            kill();
        });
        known.into_iter().flatten().collect()
    }

    /// What was answered is true, and the trail says the same as the keys.
    fn assert_true(&self, server: &Server, known: &[Known]) {
        let mut connection = Connection::open(&server.address);
        let mut status = |secret: &str| {
            let (status, _) = connection
                .send(&format!(
                    "GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\n\r\n"
                ))
                .unwrap();
            status
        };
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
            // Allowed: one more that was committed and not answered.
            let answered = key.secrets.len() - 1;
            assert!(
                (answered..=answered + 1).contains(&rotations),
                "{}: {answered} rotations were answered, {rotations} are in the trail",
                key.id
            );
            let works = rotations == answered && revocations == 0;
            assert_eq!(status(newest), if works { 200 } else { 401 }, "{}", key.id);
        }
        // In no statement is anything looked up that somebody could have answered wrongly.
        for (question, wrong) in [
            (
                "a key and its making",
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
            let sql = format!("SELECT count(*) FROM api_keys AS key WHERE {wrong}");
            assert_eq!(self.number(&sql), 0, "{question}");
        }
        let without_key = "SELECT count(*) FROM audit_events AS event WHERE action LIKE 'api_key.%' \
             AND NOT EXISTS (SELECT 1 FROM api_keys AS key WHERE key.id = event.target_id)";
        assert_eq!(self.number(without_key), 0, "an event and its key");
    }

    /// An identifier as the engine keeps it.
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
        // On a busy machine, this test's clock measures the machine: only the soak asserts the limit.
        assert!(!is_soak() || took <= RESTART, "{took:?}");
        server
    }

    /// `between` is done whenever no server runs.
    fn survive_killed_servers(&self, between: impl Fn()) {
        for change in [Change::Create, Change::Rotate, Change::Revoke] {
            for round in 0..rounds() {
                let server = self.restart();
                let known = self.cut_short(&server, change, round, || server.signal("KILL"));
                drop(server);
                between();
                self.assert_true(&self.restart(), &known);
                between();
            }
        }
    }
}

#[test]
fn p49_a_killed_server_on_sqlite_has_answered_nothing_that_is_not_so() {
    let latchkey = Latchkey::new();
    let file = latchkey.folder().join("latchkey.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let world = World::on(&url);
    world.survive_killed_servers(|| {
        let sound = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'";
        assert_eq!(world.number(sound), 1);
    });
}

#[test]
fn p49_a_killed_server_on_postgresql_has_answered_nothing_that_is_not_so() {
    let Some(database) = Postgres::fresh() else {
        return;
    };
    // A dead replica is on the list for some seconds, and every change would wait for it.
    World::on(&database.url()).survive_killed_servers(|| database.execute("DELETE FROM replicas"));
}

#[test]
fn p49_a_killed_postmaster_has_let_nothing_be_answered_that_is_not_so() {
    let Some(mut cluster) = Cluster::alone() else {
        return;
    };
    let database = Postgres::fresh_on_doomed(&cluster.primary.url("postgres"));
    let world = World::on(&database.url());
    let server = world.restart();
    for change in [Change::Create, Change::Rotate, Change::Revoke] {
        for round in 0..rounds() {
            let primary = &mut cluster.primary;
            let known = world.cut_short(&server, change, round, || primary.kill());
            cluster.restart_primary();
            until(|| server.get("/readyz", "").starts_with("HTTP/1.1 200"));
            world.assert_true(&server, &known);
        }
    }
}
