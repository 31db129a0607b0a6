//! Three replicas on one PostgreSQL database, each behind a proxy that can fail, under load, with an integration that changes keys.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    binary::Latchkey,
    load::{Connection, Load, Servers, Target},
    postgres::Postgres,
    proxy::Proxy,
    server::{Server, get},
    until::until,
};

/// Between two requests of a connection: three replicas share the machine with PostgreSQL, which some of them ask about every key.
const PAUSE: Duration = Duration::from_millis(20);

/// Three servers and PostgreSQL have the machine to themselves: some of what is asserted here is how long something takes.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Scene {
    /// Before the servers, so that it ends first.
    load: Option<Load>,
    pub(crate) replicas: Vec<Replica>,
    /// After the servers, so that it is dropped when they have ended.
    pub(crate) database: Postgres,
    pub(crate) group: String,
    /// The integration's secret.
    manager: String,
    _alone: MutexGuard<'static, ()>,
}

/// One replica.
pub(crate) struct Replica {
    pub(crate) server: Server,
    pub(crate) latchkey: Latchkey,
    pub(crate) proxy: Proxy,
}

/// A key that is to be changed.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// What a change was answered with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    pub(crate) replicas: u64,
    pub(crate) refused_on: u64,
    pub(crate) after: Duration,
    /// How long who asked for it waited for the answer.
    pub(crate) took: Duration,
}

impl Replica {
    /// Starts one; with further variables of the environment.
    pub(crate) fn start(database: &Postgres, environment: &[(&'static str, &str)]) -> Self {
        let proxy = Proxy::before(&database.address());
        // The proxy reads what it carries.
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

    /// Starts it anew, at another address.
    pub(crate) fn restart(&mut self) {
        self.server = Server::start(&self.latchkey, &[]);
    }

    /// Waits until it uses what it has in memory.
    pub(crate) fn wait_for_lease(&self) {
        until(|| self.metric("latchkey_lease_held") == 1);
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        let metrics = get(self.server.metrics.as_ref().unwrap(), "/metrics", "");
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap().trim().parse().unwrap()
    }

    /// The status for a request with that key, on a connection of its own; `None` where there is none.
    pub(crate) fn ask(&self, secret: &str) -> Option<u16> {
        Connection::try_open(&self.server.address)?.ask(secret)
    }
}

impl Scene {
    /// `None` where there is no PostgreSQL for tests. `environments` are those of the three.
    pub(crate) fn start(environments: [&[(&'static str, &str)]; 3]) -> Option<Self> {
        Postgres::fresh().map(|database| Self::start_on(database, environments))
    }

    pub(crate) fn start_on(database: Postgres, environments: [&[(&'static str, &str)]; 3]) -> Self {
        let alone = alone();
        let operator = Latchkey::new().with("DATABASE_URL", &database.url());
        operator.answer(&[
            "tenant",
            "create",
            "--name",
            "Acme",
            "--key-limit",
            "100000",
        ]);
        let group = |name: &str, permissions: &[&str]| {
            let mut arguments = vec!["group", "create", "--tenant", "acme", "--name", name];
            arguments.extend(["--type", "tenant_api_key"]);
            for permission in permissions {
                arguments.extend(["--permission", permission]);
            }
            operator.answer(&arguments)["id"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let targets = group("Targets", &["orders:read"]);
        let managers = group("Managers", &["orders:read", "api-keys:write"]);
        let manager = operator.answer(&[
            "key", "create", "--tenant", "acme", "--name", "Manager", "--group", &managers,
        ]);
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
            manager: manager["secret"].as_str().unwrap().to_owned(),
            _alone: alone,
        }
    }

    /// From now on every change is made while all replicas are asked about its key.
    pub(crate) fn under_load(&mut self, servers: Servers) {
        let addresses: Vec<_> = self
            .replicas
            .iter()
            .map(|replica| replica.server.address.as_str())
            .collect();
        self.load = Some(Load::start(&addresses, servers, PAUSE));
    }

    pub(crate) fn without_load(&mut self) {
        self.load = None;
    }

    pub(crate) fn requests(&self) -> u64 {
        self.load.as_ref().map_or(0, Load::requests)
    }

    /// A new key of the group, made at the replica of that number.
    pub(crate) fn new_key(&self, at: usize) -> Key {
        let body = format!(
            r#"{{"name":"Target","authorization_group_id":"{}","expires_on":null}}"#,
            self.group
        );
        let (status, key) = self.api(at, "POST", "/api-keys", &body).unwrap();
        assert_eq!(status, 201, "{key}");
        Key {
            id: key["id"].as_str().unwrap().to_owned(),
            secret: key["secret"].as_str().unwrap().to_owned(),
        }
    }

    /// Revokes a key at the replica of that number, under load where there is one.
    pub(crate) fn revoke(&self, at: usize, key: &Key) -> Receipt {
        let mut receipt = None;
        let mut change = || receipt = Some(self.change(at, "revoke", &key.id).1);
        match &self.load {
            Some(load) => load.during(Target::new(&key.secret, 200, 401), change),
            None => change(),
        }
        receipt.unwrap()
    }

    /// Gives a key a new secret, as [`Self::revoke`] revokes one; with that secret.
    pub(crate) fn rotate(&self, at: usize, key: &mut Key) -> Receipt {
        let mut done = None;
        let mut change = || done = Some(self.change(at, "rotate", &key.id));
        match &self.load {
            Some(load) => load.during(Target::new(&key.secret, 200, 401), change),
            None => change(),
        }
        let (answer, receipt) = done.unwrap();
        answer["secret"]
            .as_str()
            .unwrap()
            .clone_into(&mut key.secret);
        receipt
    }

    /// Gives the first of the keys a new secret, revokes the second, and so on, all at once, by turns at the replicas `at`. Under load.
    pub(crate) fn change_all(&self, at: &[usize], keys: &[Key]) -> Vec<Receipt> {
        let receipts = Mutex::new(Vec::new());
        let change = |number: usize| {
            let what = ["rotate", "revoke"][number % 2];
            let (_, receipt) = self.change(at[number % at.len()], what, &keys[number].id);
            receipts.lock().unwrap().push(receipt);
        };
        let load = self.load.as_ref().unwrap();
        let targets = keys
            .iter()
            .map(|key| Target::new(&key.secret, 200, 401))
            .collect();
        load.during_all(targets, change);
        receipts.into_inner().unwrap()
    }

    /// Has something done while all replicas are asked about keys that work, and about keys that are dead already.
    pub(crate) fn meanwhile<T>(&self, good: &[Key], dead: &[Key], event: impl FnOnce() -> T) -> T {
        let good = good.iter().map(|key| Target::new(&key.secret, 200, 200));
        let dead = dead.iter().map(|key| Target::new(&key.secret, 401, 401));
        let load = self.load.as_ref().unwrap();
        load.meanwhile(good.chain(dead).collect(), |_| event())
    }

    fn change(&self, at: usize, what: &str, id: &str) -> (Value, Receipt) {
        let asked = Instant::now();
        let (status, answer) = self
            .api(at, "POST", &format!("/api-keys/{id}/{what}"), "")
            .unwrap();
        let took = asked.elapsed();
        assert_eq!(status, 200, "{answer}");
        let number = |name: &str| answer["receipt"][name].as_u64().unwrap();
        let receipt = Receipt {
            replicas: number("replicas"),
            refused_on: number("refused_on"),
            after: Duration::from_millis(number("after_ms")),
            took,
        };
        (answer, receipt)
    }

    /// What the API of the replica of that number answers to the integration.
    pub(crate) fn api(
        &self,
        at: usize,
        method: &str,
        path: &str,
        body: &str,
    ) -> Option<(u16, Value)> {
        self.api_with(at, method, path, "", body)
    }

    /// [`Self::api`] with further headers, each with its line end.
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

    /// What the replica of that number answers.
    pub(crate) fn send(
        &self,
        at: usize,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Option<(u16, Value)> {
        let address = &self.replicas[at].server.address;
        let content_type = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}{content_type}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (status, body) = Connection::try_open(address)?.send(&request)?;
        Some((status, serde_json::from_str(&body).ok()?))
    }
}
