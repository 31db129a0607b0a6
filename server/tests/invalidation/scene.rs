//! A server under load, with somebody signed in, an integration that may change keys, and an operator at the command line.

use std::time::Duration;

use serde_json::Value;

use crate::support::{
    binary::Latchkey,
    load::{Connection, Load, Servers, Target},
    people::{PASSWORD, add_administrator, sign_in},
    server::{Server, get},
};

/// Where no client of the tests comes from.
pub(crate) const OUTSIDE: &str = "203.0.113.0/24";
/// Between two requests of a connection.
const PAUSE: Duration = Duration::from_millis(4);
const ADMINISTRATOR: &str = "mira@acme.example";

pub(crate) struct Scene {
    latchkey: Latchkey,
    /// Before the server, so that it ends first.
    load: Load,
    server: Server,
    /// Whose keys are changed.
    pub(crate) group: String,
    /// The integration's secret.
    manager: String,
    /// The session's cookie.
    session: String,
}

/// A key that is to be changed.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Scene {
    pub(crate) fn start() -> Self {
        let latchkey = Latchkey::new().with("LATCHKEY_METRICS_LISTEN", "127.0.0.1:0");
        latchkey.answer(&["tenant", "create", "--name", "Acme", "--key-limit", "10000"]);
        add_administrator(&latchkey, ADMINISTRATOR);
        let group = |name: &str, permissions: &[&str]| {
            let mut arguments = vec!["group", "create", "--tenant", "acme", "--name", name];
            arguments.extend(["--type", "tenant_api_key"]);
            for permission in permissions {
                arguments.extend(["--permission", permission]);
            }
            latchkey.answer(&arguments)["id"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let targets = group("Targets", &["orders:read"]);
        let managers = group(
            "Managers",
            &["orders:read", "orders:write", "api-keys:write"],
        );
        let manager = latchkey.answer(&[
            "key", "create", "--tenant", "acme", "--name", "Manager", "--group", &managers,
        ]);
        let server = Server::start(&latchkey, &[]);
        let (_, session) = sign_in(&server.address, ADMINISTRATOR, PASSWORD);
        Self {
            load: Load::start(&[&server.address], Servers::AreWell, PAUSE),
            group: targets,
            manager: manager["secret"].as_str().unwrap().to_owned(),
            latchkey,
            server,
            session: session.unwrap(),
        }
    }

    /// A new key of the group.
    pub(crate) fn new_key(&self) -> Key {
        let body = format!(
            r#"{{"name":"Target","authorization_group_id":"{}","expires_on":null}}"#,
            self.group
        );
        let key = self.api("POST", "/api-keys", &body);
        Key {
            id: key["id"].as_str().unwrap().to_owned(),
            secret: key["secret"].as_str().unwrap().to_owned(),
        }
    }

    /// Makes a change while everybody asks about its key.
    pub(crate) fn change(&self, target: Target, change: impl FnOnce()) {
        self.load.during(target, change);
    }

    /// The status for a request with that key.
    pub(crate) fn ask(&self, secret: &str) -> u16 {
        Connection::open(&self.server.address).ask(secret).unwrap()
    }

    /// What the API answers to the integration.
    pub(crate) fn api(&self, method: &str, path: &str, body: &str) -> Value {
        let headers = format!("x-api-key: {}\r\n", self.manager);
        self.send(method, &format!("/api/v1{path}"), &headers, body)
    }

    /// Calls what a page calls.
    pub(crate) fn page(&self, function: &str, body: &Value) {
        self.page_answer(function, body);
    }

    pub(crate) fn page_answer(&self, function: &str, body: &Value) -> Value {
        let headers = format!(
            "cookie: {}\r\nsec-fetch-site: same-origin\r\n",
            self.session
        );
        let path = format!("/api/pages/{function}");
        self.send("POST", &path, &headers, &body.to_string())
    }

    /// Runs a command, which has to end well: the server has noticed then.
    pub(crate) fn command(&self, arguments: &[&str]) {
        self.latchkey.run(arguments).ended_well();
    }

    pub(crate) fn command_answer(&self, arguments: &[&str]) -> Value {
        self.latchkey.answer(arguments)
    }

    /// The load was answered from memory, save for the requests just after each change. (A secret that is no key's any more is not
    /// kept, and asks the database each time.)
    pub(crate) fn assert_from_memory(&self) {
        let metrics = get(self.server.metrics.as_ref().unwrap(), "/metrics", "");
        let reads = metrics
            .lines()
            .find_map(|line| line.strip_prefix("latchkey_database_reads_total "))
            .unwrap()
            .trim()
            .parse::<u64>()
            .unwrap();
        let requests = self.load.requests();
        eprintln!("{requests} requests, of which {reads} read the database");
        assert!(requests > 1_000);
        // Each connection at most once after each change, and none but those.
        assert!(reads < requests / 2, "{reads} of {requests}");
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Value {
        let content_type = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{headers}{content_type}content-length: {}\r\n\r\n{body}",
            self.server.address,
            body.len()
        );
        let (status, body) = Connection::open(&self.server.address)
            .send(&request)
            .unwrap();
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {body}"
        );
        serde_json::from_str(&body).unwrap()
    }
}
