//! One server under load, with a session, a key that may change keys, and commands.

use std::time::Duration;

use serde_json::Value;

use crate::support::{
    binary::Latchkey,
    client::{Connection, api_request, request},
    load::{Failures, Load, Target},
    server::Server,
    setup::{ADMIN, Key, PASSWORD, sign_in},
    wait::wait_until,
};

/// An allowlist that no client of the tests matches.
pub(crate) const OUTSIDE: &str = "203.0.113.0/24";
/// The pause between two requests of a connection.
const PAUSE: Duration = Duration::from_millis(4);

/// The server and its load.
pub(crate) struct LoadedServer {
    latchkey: Latchkey,
    /// Declared before the server, so that it is dropped first.
    load: Load,
    server: Server,
    /// The group of the keys that are changed.
    pub(crate) group: String,
    /// The secret of the key that changes keys.
    manager: String,
    /// The session cookie of an administrator.
    session: String,
}

impl LoadedServer {
    pub(crate) fn start() -> Self {
        let latchkey = Latchkey::new().with("LATCHKEY_METRICS_LISTEN", "127.0.0.1:0");
        latchkey.create_tenant("Acme", 10_000);
        latchkey.create_administrator("acme", ADMIN);
        let targets = latchkey.create_group("acme", "Targets", &["orders:read"]);
        let permissions = ["orders:read", "orders:write", "api-keys:write"];
        latchkey.create_group("acme", "Managers", &permissions);
        let manager = latchkey.create_key("acme", "Managers", "Manager");
        let server = Server::start(&latchkey, &[]);
        let (_, session) = sign_in(&server.address, ADMIN, PASSWORD);
        Self {
            load: Load::start(&[&server.address], Failures::Forbidden, PAUSE),
            group: targets,
            manager: manager.secret,
            latchkey,
            server,
            session: session.unwrap(),
        }
    }

    /// Creates a key of the group.
    pub(crate) fn new_key(&self) -> Key {
        let body = format!(
            r#"{{"name":"Target","authorization_group_id":"{}","expires_on":null}}"#,
            self.group
        );
        let key = self.api("POST", "/api-keys", &body);
        Key::from_json(&key)
    }

    /// Makes a change while the load verifies its key.
    pub(crate) fn change(&self, target: Target, change: impl FnOnce()) {
        self.load.during(target, change);
    }

    /// Waits until the server refuses unknown secrets without a query.
    pub(crate) fn wait_until_loaded(&self) {
        wait_until(|| self.server.metric("latchkey_known_secrets") > 0);
    }

    /// Number of verifications that read the database.
    pub(crate) fn database_reads(&self) -> u64 {
        self.server.metric("latchkey_database_reads_total")
    }

    /// The status of a verification with this secret.
    pub(crate) fn verify(&self, secret: &str) -> u16 {
        let mut connection = Connection::open(&self.server.address);
        connection.verify(secret).unwrap()
    }

    /// Calls the JSON API with the key that changes keys; `path` without `/api/v1`.
    pub(crate) fn api(&self, method: &str, path: &str, body: &str) -> Value {
        self.send(&api_request(&self.manager, method, path, body))
    }

    /// Calls a server function of the pages.
    pub(crate) fn page(&self, function: &str, body: &Value) {
        self.page_json(function, body);
    }

    /// [`Self::page`], with the response.
    pub(crate) fn page_json(&self, function: &str, body: &Value) -> Value {
        let headers = format!(
            "cookie: {}\r\nsec-fetch-site: same-origin\r\n",
            self.session
        );
        let path = format!("/api/pages/{function}");
        self.send(&request("POST", &path, &headers, &body.to_string()))
    }

    /// Runs a command. It must succeed, which means that the server confirmed the change.
    pub(crate) fn command(&self, arguments: &[&str]) {
        self.latchkey.run(arguments).expect_success();
    }

    /// [`Self::command`], with its output.
    pub(crate) fn command_json(&self, arguments: &[&str]) -> Value {
        self.latchkey.run_json(arguments)
    }

    /// Asserts that the cache served the load, except for the requests directly after each change. (A secret that a rotation replaced is not
    /// cached and is looked up in the database each time.)
    pub(crate) fn assert_cached(&self) {
        let reads = self.server.metric("latchkey_database_reads_total");
        let requests = self.load.requests();
        eprintln!("{requests} requests, of which {reads} read the database");
        assert!(requests > 1_000);
        // Each connection reads at most once after each change.
        assert!(reads < requests / 2, "{reads} of {requests}");
    }

    fn send(&self, request: &str) -> Value {
        let mut connection = Connection::open(&self.server.address);
        let (status, body) = connection.send(request).unwrap();
        assert!(
            (200..300).contains(&status),
            "{}: {status} {body}",
            request.lines().next().unwrap()
        );
        serde_json::from_str(&body).unwrap()
    }
}
