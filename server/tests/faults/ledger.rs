//! Changes of keys, what was answered to each, and whether that is so: by the word of another process.

use std::{
    cell::{Cell, RefCell},
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::support::{binary::Latchkey, load::Connection, manager::Manager};

/// What another process has to see.
#[derive(Clone, Debug)]
enum Expected {
    /// A key of that name, or none.
    Made { name: String, is_made: bool },
    /// That a member of the key of that identifier has this value.
    Has {
        id: String,
        member: &'static str,
        value: String,
    },
}

/// What a change was answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is done.
    Done,
    /// Nothing was changed.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// A key that is changed once, of each kind of change one.
pub(crate) struct Target {
    pub(crate) id: String,
    pub(crate) secret: String,
    hint: String,
}

/// A server's changes, and what was answered to them.
pub(crate) struct Ledger {
    pub(crate) address: String,
    group: String,
    manager: String,
    number: Cell<u32>,
    expected: RefCell<Vec<Expected>>,
    answers: RefCell<Vec<Answer>>,
}

impl Ledger {
    /// For the server at `address`.
    pub(crate) fn new(address: &str, manager: &Manager) -> Self {
        Self {
            address: address.to_owned(),
            group: manager.group.clone(),
            manager: manager.secret.clone(),
            number: Cell::new(0),
            expected: RefCell::default(),
            answers: RefCell::default(),
        }
    }

    /// What the API answers: its status and its body. `headers` each with its line end.
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

    /// [`Self::send`], and whether the answer is that of an earlier request.
    pub(crate) fn send_and_see_replay(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Option<(u16, bool, Value)> {
        let headers = format!("connection: close\r\n{headers}");
        let request = self.request(method, path, &headers, body);
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let replayed = head.contains("idempotency-replayed: true");
        Some((status, replayed, serde_json::from_str(body).ok()?))
    }

    fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let content_type = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        format!(
            "{method} /api/v1{path} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n{headers}{content_type}content-length: {}\r\n\r\n{body}",
            self.manager,
            body.len()
        )
    }

    /// The status for a request with that secret.
    pub(crate) fn whoami(&self, secret: &str) -> u16 {
        let request =
            format!("GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\n\r\n");
        Connection::open(&self.address).send(&request).unwrap().0
    }

    /// Those of `/readyz`.
    pub(crate) fn readiness(&self) -> u16 {
        let request = "GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n";
        Connection::open(&self.address).send(request).unwrap().0
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.readiness() == 200
    }

    /// A new key, which has to be made.
    pub(crate) fn target(&self) -> Target {
        self.try_target().expect("a key")
    }

    /// A new key, where one is made.
    pub(crate) fn try_target(&self) -> Option<Target> {
        let name = self.next_name();
        let answer = self.create_named(&name, "");
        let made = |is_made, _: &Value| Expected::Made { name, is_made };
        if self.note(answer.as_ref(), 201, made) != Answer::Done {
            return None;
        }
        let (_, key) = answer?;
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        Some(Target {
            id: text("id"),
            secret: text("secret"),
            hint: text("hint"),
        })
    }

    fn next_name(&self) -> String {
        self.number.set(self.number.get() + 1);
        format!("Key {}", self.number.get())
    }

    /// The body of a request that makes a key.
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

    /// Makes a key.
    pub(crate) fn create(&self) -> Answer {
        let name = self.next_name();
        let answer = self.create_named(&name, "");
        self.note(answer.as_ref(), 201, |is_made, _| Expected::Made {
            name,
            is_made,
        })
    }

    /// Revokes a key.
    pub(crate) fn revoke(&self, target: &Target) -> Answer {
        let path = format!("/api-keys/{}/revoke", target.id);
        let answer = self.send("POST", &path, "", "");
        self.note(answer.as_ref(), 200, |is_done, _| Expected::Has {
            id: target.id.clone(),
            member: "status",
            value: if is_done { "revoked" } else { "active" }.to_owned(),
        })
    }

    /// Gives a key a new secret.
    pub(crate) fn rotate(&self, target: &Target) -> Answer {
        let path = format!("/api-keys/{}/rotate", target.id);
        let answer = self.send("POST", &path, "", "");
        self.note(answer.as_ref(), 200, |is_done, key| Expected::Has {
            id: target.id.clone(),
            member: "hint",
            value: if is_done {
                key["hint"].as_str().unwrap().to_owned()
            } else {
                target.hint.clone()
            },
        })
    }

    /// Gives a key another description.
    pub(crate) fn edit(&self, target: &Target) -> Answer {
        let path = format!("/api-keys/{}", target.id);
        let answer = self.send("PATCH", &path, "", r#"{"description":"edited"}"#);
        self.note(answer.as_ref(), 200, |is_done, _| Expected::Has {
            id: target.id.clone(),
            member: "description",
            value: if is_done {
                "edited".to_owned()
            } else {
                "x".repeat(400)
            },
        })
    }

    /// One change of each kind.
    pub(crate) fn change(&self, targets: &[Target; 3]) -> [Answer; 4] {
        [
            self.create(),
            self.revoke(&targets[0]),
            self.rotate(&targets[1]),
            self.edit(&targets[2]),
        ]
    }

    pub(crate) fn targets(&self) -> [Target; 3] {
        std::array::from_fn(|_| self.target())
    }

    fn note(
        &self,
        answer: Option<&(u16, Value)>,
        done: u16,
        expected: impl FnOnce(bool, &Value) -> Expected,
    ) -> Answer {
        let answer = match answer {
            None => Answer::Unknown,
            Some((status, body)) if *status == done => {
                self.expected.borrow_mut().push(expected(true, body));
                Answer::Done
            }
            Some((503, body)) if body["code"] == "outcome_unknown" => Answer::Unknown,
            Some((status, body)) => {
                assert_eq!((*status, &body["code"]), (503, &json!("unavailable")));
                self.expected.borrow_mut().push(expected(false, body));
                Answer::Refused
            }
        };
        self.answers.borrow_mut().push(answer);
        answer
    }

    /// Everything that was answered is so, as a process of its own sees it.
    #[track_caller]
    pub(crate) fn assert_holds(&self, latchkey: &Latchkey) {
        let keys = latchkey.answer(&["key", "list", "--tenant", "acme"]);
        let keys = keys.as_array().unwrap();
        let wrong: Vec<_> = self
            .expected
            .borrow()
            .iter()
            .filter(|expected| match expected {
                Expected::Made { name, is_made } => {
                    keys.iter().any(|key| key["name"] == **name) != *is_made
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
            wrong.is_empty(),
            "{} of {count} answers do not hold: {wrong:?}",
            wrong.len()
        );
    }

    /// How many changes were answered so.
    pub(crate) fn count(&self, answer: Answer) -> usize {
        let answers = self.answers.borrow();
        answers.iter().filter(|given| **given == answer).count()
    }
}
