//! Changes of keys and their responses, compared with the database through another process.

use std::{
    cell::{Cell, RefCell},
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::support::{
    binary::Latchkey,
    client::{Connection, Response, request},
    setup::{ManagerKey, text},
    wait::PATIENCE,
};

/// The expected content of the database.
#[derive(Clone, Debug)]
enum Expected {
    /// Whether a key of that name exists.
    Exists { name: String, exists: bool },
    /// The key has a member with this value.
    Has {
        id: String,
        member: &'static str,
        value: String,
    },
}

/// The outcome of a change, according to its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The change was refused, without effect.
    Refused,
    /// The response is missing or `outcome_unknown`.
    Unknown,
}

/// A key that is changed once.
pub(crate) struct Target {
    pub(crate) id: String,
    pub(crate) secret: String,
    hint: String,
}

/// Makes changes on a server and records their responses, to compare them with the database.
pub(crate) struct Ledger {
    pub(crate) address: String,
    group: String,
    manager: String,
    number: Cell<u32>,
    expected: RefCell<Vec<Expected>>,
    outcomes: RefCell<Vec<Outcome>>,
}

impl Ledger {
    /// A ledger for the server at `address`.
    pub(crate) fn new(address: &str, manager: &ManagerKey) -> Self {
        Self {
            address: address.to_owned(),
            group: manager.group.clone(),
            manager: manager.secret.clone(),
            number: Cell::new(0),
            expected: RefCell::default(),
            outcomes: RefCell::default(),
        }
    }

    /// Calls the JSON API; returns the status and the body. Each of `headers` ends with a line break.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Option<(u16, Value)> {
        let request = self.request(method, path, headers, body);
        let (status, body) = Connection::try_open(&self.address)?.send(&request)?;
        Some((status, serde_json::from_str(&body).unwrap_or_default()))
    }

    /// [`Self::send`], and whether the response repeats that of an earlier request.
    pub(crate) fn send_with_replay(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Option<(u16, bool, Value)> {
        let headers = format!("connection: close\r\n{headers}");
        let request = self.request(method, path, &headers, body);
        let stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let response = Response::of(stream, request.as_bytes())?;
        let is_replay = response.header("idempotency-replayed") == Some("true");
        Some((
            response.status,
            is_replay,
            serde_json::from_str(&response.body).ok()?,
        ))
    }

    fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let headers = format!("x-api-key: {}\r\n{headers}", self.manager);
        request(method, &format!("/api/v1{path}"), &headers, body)
    }

    /// The status of a verification with this secret.
    pub(crate) fn whoami(&self, secret: &str) -> u16 {
        Connection::open(&self.address).whoami(secret).unwrap()
    }

    /// The status of `/readyz`.
    pub(crate) fn readiness(&self) -> u16 {
        let request = "GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n";
        Connection::open(&self.address).send(request).unwrap().0
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.readiness() == 200
    }

    /// Creates a key, which must succeed.
    pub(crate) fn target(&self) -> Target {
        self.try_target().expect("a key")
    }

    /// Creates a key; `None` if that fails.
    pub(crate) fn try_target(&self) -> Option<Target> {
        let name = self.next_name();
        let response = self.create_named(&name, "");
        let expected = |exists, _: &Value| Expected::Exists { name, exists };
        if self.record(response.as_ref(), 201, expected) != Outcome::Done {
            return None;
        }
        let (_, key) = response?;
        Some(Target {
            id: text(&key, "id"),
            secret: text(&key, "secret"),
            hint: text(&key, "hint"),
        })
    }

    fn next_name(&self) -> String {
        self.number.set(self.number.get() + 1);
        format!("Key {}", self.number.get())
    }

    /// The body of a request that creates a key.
    pub(crate) fn body(&self, name: &str) -> String {
        json!({
            "name": name,
            "description": "x".repeat(400),
            "authorization_group_id": self.group,
        })
        .to_string()
    }

    pub(crate) fn create_named(&self, name: &str, headers: &str) -> Option<(u16, Value)> {
        self.send("POST", "/api-keys", headers, &self.body(name))
    }

    /// Creates a key.
    pub(crate) fn create(&self) -> Outcome {
        let name = self.next_name();
        let response = self.create_named(&name, "");
        self.record(response.as_ref(), 201, |exists, _| Expected::Exists {
            name,
            exists,
        })
    }

    /// Revokes a key.
    pub(crate) fn revoke(&self, target: &Target) -> Outcome {
        let path = format!("/api-keys/{}/revoke", target.id);
        let response = self.send("POST", &path, "", "");
        self.record(response.as_ref(), 200, |is_done, _| Expected::Has {
            id: target.id.clone(),
            member: "status",
            value: if is_done { "revoked" } else { "active" }.to_owned(),
        })
    }

    /// Rotates a key.
    pub(crate) fn rotate(&self, target: &Target) -> Outcome {
        let path = format!("/api-keys/{}/rotate", target.id);
        let response = self.send("POST", &path, "", "");
        self.record(response.as_ref(), 200, |is_done, key| Expected::Has {
            id: target.id.clone(),
            member: "hint",
            value: if is_done {
                text(key, "hint")
            } else {
                target.hint.clone()
            },
        })
    }

    /// Changes the description of a key.
    pub(crate) fn edit(&self, target: &Target) -> Outcome {
        let path = format!("/api-keys/{}", target.id);
        let response = self.send("PATCH", &path, "", r#"{"description":"edited"}"#);
        self.record(response.as_ref(), 200, |is_done, _| Expected::Has {
            id: target.id.clone(),
            member: "description",
            value: if is_done {
                "edited".to_owned()
            } else {
                "x".repeat(400)
            },
        })
    }

    /// Makes one change of each kind.
    pub(crate) fn change(&self, targets: &[Target; 3]) -> [Outcome; 4] {
        [
            self.create(),
            self.revoke(&targets[0]),
            self.rotate(&targets[1]),
            self.edit(&targets[2]),
        ]
    }

    /// Creates a key for each change of [`Self::change`] except the first.
    pub(crate) fn targets(&self) -> [Target; 3] {
        std::array::from_fn(|_| self.target())
    }

    /// Derives the outcome from a response and records it.
    fn record(
        &self,
        response: Option<&(u16, Value)>,
        done: u16,
        expected: impl FnOnce(bool, &Value) -> Expected,
    ) -> Outcome {
        let outcome = match response {
            None => Outcome::Unknown,
            Some((status, body)) if *status == done => {
                self.expected.borrow_mut().push(expected(true, body));
                Outcome::Done
            }
            Some((503, body)) if body["code"] == "outcome_unknown" => Outcome::Unknown,
            Some((status, body)) => {
                assert_eq!((*status, &body["code"]), (503, &json!("unavailable")));
                self.expected.borrow_mut().push(expected(false, body));
                Outcome::Refused
            }
        };
        self.outcomes.borrow_mut().push(outcome);
        outcome
    }

    /// Asserts through another process that the database contains every confirmed change and no refused one.
    #[track_caller]
    pub(crate) fn assert_database_agrees(&self, latchkey: &Latchkey) {
        let keys = latchkey.run_json(&["key", "list", "--tenant", "acme"]);
        let keys = keys.as_array().unwrap();
        let contradictions: Vec<_> = self
            .expected
            .borrow()
            .iter()
            .filter(|expected| match expected {
                Expected::Exists { name, exists } => {
                    keys.iter().any(|key| key["name"] == **name) != *exists
                }
                Expected::Has { id, member, value } => {
                    let key = keys.iter().find(|key| key["id"] == **id);
                    key.is_none_or(|key| key[*member] != **value)
                }
            })
            .cloned()
            .collect();
        let count = self.expected.borrow().len();
        assert!(
            contradictions.is_empty(),
            "{} of {count} responses contradict the database: {contradictions:?}",
            contradictions.len()
        );
    }

    /// The number of changes with this outcome.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        let outcomes = self.outcomes.borrow();
        outcomes.iter().filter(|other| **other == outcome).count()
    }
}
