//! The connection to PostgreSQL fails around COMMIT: confirmed changes hold, an unknown outcome is reported as unknown, and a repeat
//! with the same idempotency key returns the outcome.

use serde_json::Value;

use super::ledger::{Ledger, Outcome, Target};
use crate::support::{
    binary::Latchkey,
    client::{Connection, api_request},
    environment::setting,
    fault_proxy::{CommitFault, FaultProxy},
    postgres::PostgresDatabase,
    server::Server,
    setup::ManagerKey,
    skip::skip,
    wait::wait_until,
};

/// A server behind a proxy that fails around COMMIT.
struct CommitFaultFixture {
    // Declared before the database, so that the server ends first.
    _server: Server,
    ledger: Ledger,
    proxy: FaultProxy,
    /// Runs commands without the proxy.
    operator: Latchkey,
    database: PostgresDatabase,
}

impl CommitFaultFixture {
    /// `None` without a PostgreSQL server for tests.
    fn start() -> Option<Self> {
        let database = PostgresDatabase::create()?;
        let operator = Latchkey::new().with("DATABASE_URL", &database.url());
        let manager = ManagerKey::create(&operator);
        let proxy = FaultProxy::in_front_of(&database.address());
        // Without TLS, so that the proxy can parse messages.
        let url = format!("{}?sslmode=disable", database.url_at(&proxy.address()));
        let server = Server::start(&Latchkey::new().with("DATABASE_URL", &url), &[]);
        Some(Self {
            ledger: Ledger::new(&server.address, &manager),
            _server: server,
            proxy,
            operator,
            database,
        })
    }

    /// Whether the targets were changed in the database: all of them or none.
    fn are_changed(&self, targets: &[Target; 3]) -> bool {
        let ids = targets.each_ref().map(|target| format!("'{}'", target.id));
        let changed = format!(
            "SELECT count(*) FROM api_keys WHERE version = 2 AND id IN ({})",
            ids.join(", ")
        );
        match self.database.number(&changed) {
            0 => false,
            3 => true,
            some => panic!("{some} of 3"),
        }
    }

    #[track_caller]
    fn assert_recovers(&self) {
        self.proxy.heal();
        wait_until(|| self.ledger.create() == Outcome::Done);
        let targets = self.ledger.targets();
        assert_eq!(self.ledger.change(&targets), [Outcome::Done; 4]);
        wait_until(|| self.ledger.is_ready());
        self.ledger.assert_database_agrees(&self.operator);
        // No connection remains in a transaction.
        wait_until(|| {
            let left = "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
            self.database.number(left) == 0
        });
    }
}

#[test]
fn p65_connections_that_end_around_a_commit_are_reported_as_unknown_outcomes() {
    let Some(fixture) = CommitFaultFixture::start() else {
        return;
    };
    for (commit, is_changed) in [
        (CommitFault::RequestLost, Some(false)),
        (CommitFault::ConnectionCut, None),
        (CommitFault::ResponseLost, Some(true)),
    ] {
        let targets = fixture.ledger.targets();
        fixture.proxy.on_commit(commit);
        let outcomes = fixture.ledger.change(&targets);
        assert_eq!(outcomes, [Outcome::Unknown; 4], "{commit:?}");
        if let Some(is_changed) = is_changed {
            assert_eq!(fixture.are_changed(&targets), is_changed, "{commit:?}");
        }
        wait_until(|| fixture.ledger.readiness() == 503);
        fixture.assert_recovers();
    }
}

/// Makes the change with this number and an `Idempotency-Key`. Returns the status, whether the response is a replay, and the body.
fn send_with_idempotency_key(
    fixture: &CommitFaultFixture,
    number: usize,
    targets: &[Target; 3],
) -> (u16, bool, Value) {
    let headers = format!("idempotency-key: change {number} of {}\r\n", targets[0].id);
    let id = &targets[number % 3].id;
    let (method, path, body) = match number {
        0 => ("POST", format!("/api-keys/{id}/revoke"), String::new()),
        1 => ("POST", format!("/api-keys/{id}/rotate"), String::new()),
        2 => (
            "PATCH",
            format!("/api-keys/{id}"),
            r#"{"description":"edited"}"#.to_owned(),
        ),
        _ => {
            let name = format!("Made operator {id}");
            ("POST", "/api-keys".to_owned(), fixture.ledger.body(&name))
        }
    };
    let (status, replayed, response) = fixture
        .ledger
        .send_with_replay(method, &path, &headers, &body)
        .unwrap();
    (status, replayed, response)
}

#[test]
fn p67_a_repeat_with_the_same_idempotency_key_returns_the_outcome_of_an_unknown_change() {
    let Some(fixture) = CommitFaultFixture::start() else {
        return;
    };
    for (commit, is_changed) in [
        (CommitFault::ResponseHeld, true),
        (CommitFault::ResponseLost, true),
        (CommitFault::RequestLost, false),
    ] {
        let targets = fixture.ledger.targets();
        fixture.proxy.on_commit(commit);
        for number in 0..4 {
            let (status, _, problem) = send_with_idempotency_key(&fixture, number, &targets);
            let reported = (status, problem["code"].as_str());
            assert_eq!(
                reported,
                (503, Some("outcome_unknown")),
                "{commit:?} {number}"
            );
            assert!(problem["detail"].is_string(), "{problem}");
        }
        assert_eq!(fixture.are_changed(&targets), is_changed, "{commit:?}");
        fixture.proxy.heal();
        wait_until(|| fixture.ledger.is_ready());
        for number in 0..4 {
            let (status, replayed, response) =
                send_with_idempotency_key(&fixture, number, &targets);
            let done = if number == 3 { 201 } else { 200 };
            assert_eq!(
                (status, replayed),
                (done, is_changed),
                "{number}: {response}"
            );
            let has_secret = response.get("secret").is_some();
            assert_eq!(has_secret, !is_changed && number % 2 == 1, "{response}");
            // A further repeat returns the same response and changes nothing.
            let (status, replayed, _) = send_with_idempotency_key(&fixture, number, &targets);
            assert_eq!((status, replayed), (done, true), "{number}");
        }
        assert!(fixture.are_changed(&targets), "changed exactly once");
        fixture.assert_recovers();
    }
}

#[test]
fn p67_a_key_that_rotated_itself_without_a_response_is_refused() {
    let Some(fixture) = CommitFaultFixture::start() else {
        return;
    };
    fixture
        .operator
        .create_group("acme", "Selves", &["api-keys:rotate-self"]);
    let secret = fixture.operator.create_key("acme", "Selves", "Job").secret;
    let rotate = || {
        let request = api_request(&secret, "POST", "/whoami/rotate", "");
        let (status, body) = Connection::open(&fixture.ledger.address)
            .send(&request)
            .unwrap();
        let problem: Value = serde_json::from_str(&body).unwrap();
        (status, problem["code"].as_str().unwrap().to_owned())
    };
    fixture.proxy.on_commit(CommitFault::ResponseLost);
    assert_eq!(rotate(), (503, "outcome_unknown".to_owned()));
    fixture.proxy.heal();
    wait_until(|| fixture.ledger.is_ready());
    assert_eq!(rotate(), (401, "invalid_api_key".to_owned()));
    fixture.assert_recovers();
}

#[test]
fn a_database_of_another_encoding_than_utf8_is_refused_in_one_line() {
    let Some(server) = setting("TEST_DATABASE_URL") else {
        skip("a PostgreSQL server (TEST_DATABASE_URL)");
        return;
    };
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let options =
            format!("TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
        let database = PostgresDatabase::create_with(&server, &options);
        let latchkey = Latchkey::new().with("DATABASE_URL", &database.url());
        for command in [&["serve"][..], &["tenant", "list"]] {
            let run = latchkey.run(command);
            run.expect_failure(&["DATABASE_URL: cannot open"]);
            let reason = format!("encoding is {encoding}: it has to be UTF8");
            assert!(run.stderr.contains(&reason), "{}", run.stderr);
        }
    }
}
