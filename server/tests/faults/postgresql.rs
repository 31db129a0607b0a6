//! The way to PostgreSQL fails around COMMIT: what was answered is so, what nobody knows is called unknown, and a repeat says what
//! happened.

use serde_json::Value;

use super::ledger::{Answer, Ledger, Target};
use crate::support::{
    binary::Latchkey,
    load::Connection,
    manager::Manager,
    postgres::Postgres,
    proxy::{Commit, Proxy},
    server::Server,
    until::until,
};

struct World {
    // Before the database, which is dropped when it has ended.
    _server: Server,
    ledger: Ledger,
    proxy: Proxy,
    /// Beside the server, and not through the proxy.
    beside: Latchkey,
    database: Postgres,
}

impl World {
    /// `None` where there is no PostgreSQL for tests.
    fn start() -> Option<Self> {
        let database = Postgres::fresh()?;
        let beside = Latchkey::new().with("DATABASE_URL", &database.url());
        let manager = Manager::new(&beside);
        let proxy = Proxy::before(&database.address());
        // The proxy reads what it carries.
        let url = format!("{}?sslmode=disable", database.url_at(&proxy.address()));
        let server = Server::start(&Latchkey::new().with("DATABASE_URL", &url), &[]);
        Some(Self {
            ledger: Ledger::new(&server.address, &manager),
            _server: server,
            proxy,
            beside,
            database,
        })
    }

    /// Whether the targets were changed, by what the database has; the same of all.
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
        until(|| self.ledger.create() == Answer::Done);
        let targets = self.ledger.targets();
        assert_eq!(self.ledger.change(&targets), [Answer::Done; 4]);
        until(|| self.ledger.is_ready());
        self.ledger.assert_holds(&self.beside);
        // Nobody has left a session in a transaction.
        until(|| {
            let left = "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
            self.database.number(left) == 0
        });
    }
}

#[test]
fn p65_connections_that_end_around_a_commit_leave_its_outcome_unknown() {
    let Some(world) = World::start() else {
        return;
    };
    for (commit, is_changed) in [
        (Commit::IsLost, Some(false)),
        (Commit::IsCutOff, None),
        (Commit::AnswerIsLost, Some(true)),
    ] {
        let targets = world.ledger.targets();
        world.proxy.on_commit(commit);
        let answers = world.ledger.change(&targets);
        assert_eq!(answers, [Answer::Unknown; 4], "{commit:?}");
        if let Some(is_changed) = is_changed {
            assert_eq!(world.are_changed(&targets), is_changed, "{commit:?}");
        }
        until(|| world.ledger.readiness() == 503);
        world.assert_recovers();
    }
}

/// What a request was answered with that is made with an `Idempotency-Key`.
fn once(world: &World, number: usize, targets: &[Target; 3]) -> (u16, bool, Value) {
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
            let name = format!("Made beside {id}");
            ("POST", "/api-keys".to_owned(), world.ledger.body(&name))
        }
    };
    let (status, replayed, answer) = world
        .ledger
        .send_and_see_replay(method, &path, &headers, &body)
        .unwrap();
    (status, replayed, answer)
}

#[test]
fn p67_a_repeat_with_the_same_token_says_what_became_of_a_change_of_unknown_outcome() {
    let Some(world) = World::start() else {
        return;
    };
    for (commit, is_changed) in [
        (Commit::AnswerIsHeld, true),
        (Commit::AnswerIsLost, true),
        (Commit::IsLost, false),
    ] {
        let targets = world.ledger.targets();
        world.proxy.on_commit(commit);
        for number in 0..4 {
            let (status, _, problem) = once(&world, number, &targets);
            let told = (status, problem["code"].as_str());
            assert_eq!(told, (503, Some("outcome_unknown")), "{commit:?} {number}");
            assert!(problem["detail"].is_string(), "{problem}");
        }
        assert_eq!(world.are_changed(&targets), is_changed, "{commit:?}");
        world.proxy.heal();
        until(|| world.ledger.is_ready());
        for number in 0..4 {
            let (status, replayed, answer) = once(&world, number, &targets);
            let done = if number == 3 { 201 } else { 200 };
            assert_eq!((status, replayed), (done, is_changed), "{number}: {answer}");
            let has_secret = answer.get("secret").is_some();
            assert_eq!(has_secret, !is_changed && number % 2 == 1, "{answer}");
            // Once more it is the same, and nothing was done twice.
            let (status, replayed, _) = once(&world, number, &targets);
            assert_eq!((status, replayed), (done, true), "{number}");
        }
        assert!(world.are_changed(&targets), "once");
        world.assert_recovers();
    }
}

#[test]
fn p67_a_key_that_rotated_itself_and_heard_nothing_is_refused() {
    let Some(world) = World::start() else {
        return;
    };
    let group = ["group", "create", "--tenant", "acme", "--name", "Selves"];
    let kind = [
        "--type",
        "tenant_api_key",
        "--permission",
        "api-keys:rotate-self",
    ];
    world.beside.answer(&[&group[..], &kind].concat());
    let key = world.beside.answer(&[
        "key", "create", "--tenant", "acme", "--name", "Job", "--group", "Selves",
    ]);
    let secret = key["secret"].as_str().unwrap();
    let rotate = || {
        let request = format!(
            "POST /api/v1/whoami/rotate HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\ncontent-length: 0\r\n\r\n"
        );
        let (status, body) = Connection::open(&world.ledger.address)
            .send(&request)
            .unwrap();
        let problem: Value = serde_json::from_str(&body).unwrap();
        (status, problem["code"].as_str().unwrap().to_owned())
    };
    world.proxy.on_commit(Commit::AnswerIsLost);
    assert_eq!(rotate(), (503, "outcome_unknown".to_owned()));
    world.proxy.heal();
    until(|| world.ledger.is_ready());
    assert_eq!(rotate(), (401, "invalid_api_key".to_owned()));
    world.assert_recovers();
}

#[test]
fn a_database_of_another_encoding_than_utf8_is_refused_in_one_line() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one setting of the tests: which PostgreSQL to run on"
    )]
    let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
        return;
    };
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let options =
            format!("TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
        let database = Postgres::fresh_with(&server, &options);
        let latchkey = Latchkey::new().with("DATABASE_URL", &database.url());
        for command in [&["serve"][..], &["tenant", "list"]] {
            let run = latchkey.run(command);
            run.failed_with(&["DATABASE_URL: cannot open"]);
            let why = format!("encoding is {encoding}: it has to be UTF8");
            assert!(run.stderr.contains(&why), "{}", run.stderr);
        }
    }
}
