//! Three replicas on one PostgreSQL database, each behind a proxy that can fail, and a key that changes keys.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    binary::Latchkey,
    client::{Connection, request},
    fault_proxy::FaultProxy,
    load::{Failures, Load, Target},
    postgres::PostgresDatabase,
    server::Server,
    setup::Key,
    wait::wait_until,
};

/// The pause between two requests of a connection. It leaves processor time for three replicas and PostgreSQL.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until no other test with replicas runs: three servers and PostgreSQL need the machine's cores.
pub(crate) fn lock_machine() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The replicas and their database.
pub(crate) struct ReplicaCluster {
    /// Declared before the servers, so that it is dropped first.
    load: Option<Load>,
    pub(crate) replicas: Vec<Replica>,
    /// Declared after the servers, so that it is dropped when they have ended.
    pub(crate) database: PostgresDatabase,
    /// The group of the keys that are changed.
    pub(crate) group: String,
    /// The secret of the key that changes keys.
    manager: String,
    _machine: MutexGuard<'static, ()>,
}

/// One replica.
pub(crate) struct Replica {
    pub(crate) server: Server,
    pub(crate) latchkey: Latchkey,
    pub(crate) proxy: FaultProxy,
}

/// The propagation of a change, by its response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Propagation {
    pub(crate) replicas: u64,
    pub(crate) refused_on: u64,
    /// The time from the commit to the last confirmation, by the server's clock.
    pub(crate) after: Duration,
    /// The time from request to response, by the client's clock.
    pub(crate) took: Duration,
}

impl Replica {
    /// Starts a replica with further environment variables.
    pub(crate) fn start(database: &PostgresDatabase, environment: &[(&'static str, &str)]) -> Self {
        let proxy = FaultProxy::in_front_of(&database.address());
        // Without TLS, so that the proxy can parse messages.
        let url = format!("{}?sslmode=disable", database.url_at(&proxy.address()));
        let mut latchkey = Latchkey::new()
            .with("DATABASE_URL", &url)
            .with("LATCHKEY_METRICS_LISTEN", "127.0.0.1:0");
        for (variable, value) in environment {
            latchkey = latchkey.with(variable, value);
        }
        Self {
            server: Server::start(&latchkey, &[]),
            latchkey,
            proxy,
        }
    }

    /// Restarts the replica at another address.
    pub(crate) fn restart(&mut self) {
        self.server = Server::start(&self.latchkey, &[]);
    }

    /// Waits until the replica has a lease and uses its cache.
    pub(crate) fn wait_for_lease(&self) {
        wait_until(|| self.metric("latchkey_lease_held") == 1);
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        self.server.metric(name)
    }

    /// The status of a verification on a new connection; `None` if the connection fails.
    pub(crate) fn verify(&self, secret: &str) -> Option<u16> {
        Connection::try_open(&self.server.address)?.verify(secret)
    }
}

impl ReplicaCluster {
    /// Starts three replicas, each with further environment variables; `None` without a PostgreSQL server for tests.
    pub(crate) fn start(environments: [&[(&'static str, &str)]; 3]) -> Option<Self> {
        PostgresDatabase::create().map(|database| Self::start_on(database, environments))
    }

    /// [`Self::start`] on a given database.
    pub(crate) fn start_on(
        database: PostgresDatabase,
        environments: [&[(&'static str, &str)]; 3],
    ) -> Self {
        let machine = lock_machine();
        let operator = Latchkey::new().with("DATABASE_URL", &database.url());
        operator.create_tenant("Acme", 100_000);
        let targets = operator.create_group("acme", "Targets", &["orders:read"]);
        operator.create_group("acme", "Managers", &["orders:read", "api-keys:write"]);
        let manager = operator.create_key("acme", "Managers", "Manager");
        let replicas: Vec<_> = environments
            .iter()
            .map(|environment| Replica::start(&database, environment))
            .collect();
        for replica in &replicas {
            replica.wait_for_lease();
        }
        Self {
            load: None,
            replicas,
            database,
            group: targets,
            manager: manager.secret,
            _machine: machine,
        }
    }

    /// Starts the load, which verifies keys on all replicas while they change.
    pub(crate) fn start_load(&mut self, failures: Failures) {
        let addresses: Vec<_> = self
            .replicas
            .iter()
            .map(|replica| replica.server.address.as_str())
            .collect();
        self.load = Some(Load::start(&addresses, failures, PAUSE));
    }

    /// Ends the load.
    pub(crate) fn stop_load(&mut self) {
        self.load = None;
    }

    /// The number of responses to the load.
    pub(crate) fn requests(&self) -> u64 {
        self.load.as_ref().map_or(0, Load::requests)
    }

    /// Creates a key of the group on the replica `at`.
    pub(crate) fn new_key(&self, at: usize) -> Key {
        let body = format!(
            r#"{{"name":"Target","authorization_group_id":"{}","expires_on":null}}"#,
            self.group
        );
        let (status, key) = self.api(at, "POST", "/api-keys", &body).unwrap();
        assert_eq!(status, 201, "{key}");
        Key::from_json(&key)
    }

    /// Revokes a key on the replica `at`.
    pub(crate) fn revoke(&self, at: usize, key: &Key) -> Propagation {
        let mut propagation = None;
        let mut change = || propagation = Some(self.change(at, "revoke", &key.id).1);
        match &self.load {
            Some(load) => load.during(Target::new(&key.secret, 200, 401), change),
            None => change(),
        }
        propagation.unwrap()
    }

    /// Rotates a key on the replica `at`, and stores its new secret.
    pub(crate) fn rotate(&self, at: usize, key: &mut Key) -> Propagation {
        let mut done = None;
        let mut change = || done = Some(self.change(at, "rotate", &key.id));
        match &self.load {
            Some(load) => load.during(Target::new(&key.secret, 200, 401), change),
            None => change(),
        }
        let (response, propagation) = done.unwrap();
        response["secret"]
            .as_str()
            .unwrap()
            .clone_into(&mut key.secret);
        propagation
    }

    /// Rotates the first key, revokes the second, and so on, concurrently and in turn on the replicas `at`, under load.
    pub(crate) fn change_all(&self, at: &[usize], keys: &[Key]) -> Vec<Propagation> {
        let propagations = Mutex::new(Vec::new());
        let change = |number: usize| {
            let what = ["rotate", "revoke"][number % 2];
            let (_, propagation) = self.change(at[number % at.len()], what, &keys[number].id);
            propagations.lock().unwrap().push(propagation);
        };
        let load = self.load.as_ref().unwrap();
        let targets = keys
            .iter()
            .map(|key| Target::new(&key.secret, 200, 401))
            .collect();
        load.during_all(targets, change);
        propagations.into_inner().unwrap()
    }

    /// Runs `event` while the load verifies valid and revoked keys.
    pub(crate) fn meanwhile<T>(
        &self,
        valid: &[Key],
        revoked: &[Key],
        event: impl FnOnce() -> T,
    ) -> T {
        let valid = valid.iter().map(|key| Target::new(&key.secret, 200, 200));
        let revoked = revoked.iter().map(|key| Target::new(&key.secret, 401, 401));
        let load = self.load.as_ref().unwrap();
        load.meanwhile(valid.chain(revoked).collect(), |_| event())
    }

    fn change(&self, at: usize, what: &str, id: &str) -> (Value, Propagation) {
        let sent = Instant::now();
        let (status, response) = self
            .api(at, "POST", &format!("/api-keys/{id}/{what}"), "")
            .unwrap();
        let took = sent.elapsed();
        assert_eq!(status, 200, "{response}");
        let number = |name: &str| response["receipt"][name].as_u64().unwrap();
        let propagation = Propagation {
            replicas: number("replicas"),
            refused_on: number("refused_on"),
            after: Duration::from_millis(number("after_ms")),
            took,
        };
        (response, propagation)
    }

    /// Calls the JSON API of the replica `at` with the key that changes keys; `path` without `/api/v1`. `None` if the connection ends.
    pub(crate) fn api(
        &self,
        at: usize,
        method: &str,
        path: &str,
        body: &str,
    ) -> Option<(u16, Value)> {
        self.api_with(at, method, path, "", body)
    }

    /// [`Self::api`] with further headers, each with its line break.
    pub(crate) fn api_with(
        &self,
        at: usize,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Option<(u16, Value)> {
        let headers = format!("x-api-key: {}\r\n{headers}", self.manager);
        self.send(at, method, &format!("/api/v1{path}"), &headers, body)
    }

    /// Sends a request to the replica `at`; each of `headers` ends with a line break.
    pub(crate) fn send(
        &self,
        at: usize,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Option<(u16, Value)> {
        let address = &self.replicas[at].server.address;
        let request = request(method, path, headers, body);
        let (status, body) = Connection::try_open(address)?.send(&request)?;
        Some((status, serde_json::from_str(&body).ok()?))
    }
}
