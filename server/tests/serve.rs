//! `latchkey serve` as an operator runs it.
//!
//! | topic | file |
//! | --- | --- |
//! | starting, stopping, metrics, the demo | this file |
//! | a drain before the end | `serve/drain.rs` |
//! | limits of heads and bodies | `serve/limits.rs` |
//! | one server on one SQLite file | `serve/single_server.rs` |
//! | the log | `serve/log.rs` |

mod drain;
mod limits;
mod log;
mod single_server;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

use crate::support::{binary::Latchkey, client::get, server::Server, wait::wait_until};

#[test]
fn sigterm_ends_the_server_with_0_and_loses_no_use() {
    let (latchkey, key) = Latchkey::with_key();
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(&latchkey, &[]);
        let before =
            latchkey.run_json(&["key", "list", "--tenant", "acme"])[0]["last_used_at"].clone();
        let response = server.get("/api/v1/whoami", &format!("x-api-key: {}\r\n", key.secret));
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        // An idle connection must not delay the stop.
        let _idle = server.connect();
        server.signal(signal);
        assert_eq!(server.wait_for_exit(), Some(0), "{signal}");
        let key = &latchkey.run_json(&["key", "list", "--tenant", "acme"])[0];
        assert_ne!(key["last_used_at"], before, "{signal}");
        assert_eq!(key["last_used_ip"], "127.0.0.1");
    }
}

#[test]
fn p54_a_use_is_written_while_the_server_runs_and_survives_a_kill() {
    let (latchkey, key) = Latchkey::with_key();
    let server = Server::start(&latchkey, &[]);
    let last_used =
        || latchkey.run_json(&["key", "list", "--tenant", "acme"])[0]["last_used_at"].clone();
    assert_eq!(last_used(), Value::Null);
    let response = server.get("/api/v1/whoami", &format!("x-api-key: {}\r\n", key.secret));
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    wait_until(|| last_used() != Value::Null);
    let written = last_used();
    server.signal("KILL");
    assert_eq!(last_used(), written);
}

#[test]
fn a_request_in_progress_is_finished_and_no_new_one_is_accepted() {
    let latchkey = Latchkey::new();
    let mut server = Server::start(&latchkey, &[]);
    let body = "email=mira%40acme.example&password=wrong";
    let mut stream = server.connect();
    write!(
        stream,
        "POST /sign-in HTTP/1.1\r\nhost: {}\r\nsec-fetch-site: same-origin\r\nexpect: 100-continue\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        server.address,
        body.len()
    )
    .expect("sent");
    // The server sends 100 when it begins to read the body, so the request is in progress.
    let mut response = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut line = String::new();
    response.read_line(&mut line).expect("an response");
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    server.signal("TERM");
    server.wait_for_line("stopping");
    write!(stream, "{body}").expect("sent");
    let mut rest = String::new();
    response.read_to_string(&mut rest).expect("answered");
    let status = rest.trim_start().split(' ').nth(1).expect("a status");
    assert!(status.starts_with('2') || status.starts_with('4'), "{rest}");
    assert!(rest.contains("</html>"), "the whole page: {rest}");
    assert_eq!(server.wait_for_exit(), Some(0));
    assert!(TcpStream::connect(&server.address).is_err());
}

#[test]
fn an_address_in_use_is_named_in_the_error() {
    let first = Latchkey::new();
    let server = Server::start(&first, &[]);
    let address = server.address.clone();
    let second = Latchkey::new().with("LATCHKEY_LISTEN", &address);
    second
        .run(&["serve"])
        .expect_failure(&[&format!("LATCHKEY_LISTEN: cannot listen on {address}: ")]);
}

#[test]
fn the_demo_has_eight_keys_in_every_state() {
    let latchkey = Latchkey::new();
    let mut server = Server::start(&latchkey, &["--demo", "--json"]);
    let mut line = String::new();
    BufReader::new(server.child.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("an response");
    let response: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(response["url"], format!("http://{}", server.address));
    let emails: Vec<_> = response["users"]
        .as_array()
        .expect("users")
        .iter()
        .map(|user| user["email"].as_str().expect("email"))
        .collect();
    assert_eq!(
        emails,
        [
            "mira@acme.example",
            "jonas@acme.example",
            "operator@latchkey.example"
        ]
    );

    let secret = response["secret"].as_str().expect("secret");
    let keys = server.get("/api/v1/api-keys", &format!("x-api-key: {secret}\r\n"));
    assert!(keys.starts_with("HTTP/1.1 200"), "{keys}");
    let body = keys.split("\r\n\r\n").nth(1).expect("a body");
    let page: Value = serde_json::from_str(body).expect("JSON");
    let items = page["items"].as_array().expect("items");
    assert_eq!(
        (items.len(), &page["usage"]["used"], &page["usage"]["limit"]),
        (8, &6.into(), &10.into())
    );
    let count = |status: &str, expiration: &str| {
        let of = |key: &&Value| key["status"] == status && key["expiration"] == expiration;
        items.iter().filter(of).count()
    };
    assert_eq!(
        (
            count("active", "valid"),
            count("active", "expiring_soon"),
            count("active", "expired")
        ),
        (3, 2, 1)
    );
    assert_eq!(
        (count("revoked", "valid"), count("revoked", "expired")),
        (1, 1)
    );

    server.signal("TERM");
    assert_eq!(server.wait_for_exit(), Some(0));
    // The folder of the demo is removed, and the configured database was not created.
    let left = std::fs::read_dir(latchkey.folder()).expect("readable");
    assert_eq!(left.count(), 0);
}

#[test]
fn metrics_have_a_listener_of_their_own() {
    let latchkey = Latchkey::new().with("LATCHKEY_METRICS_LISTEN", "127.0.0.1:0");
    let mut server = Server::start(&latchkey, &[]);
    let metrics = server.metrics.clone().expect("its address");
    let response = get(&metrics, "/metrics", "");
    assert!(
        response.contains("latchkey_build_info{version="),
        "{response}"
    );
    assert!(
        response.contains("\nlatchkey_database_reads_total 0\n"),
        "{response}"
    );
    assert!(server.get("/metrics", "").starts_with("HTTP/1.1 404"));
    assert!(get(&metrics, "/healthz", "").starts_with("HTTP/1.1 404"));
    server.signal("TERM");
    assert_eq!(server.wait_for_exit(), Some(0));
}

#[test]
fn p80_an_unknown_setting_is_refused_by_every_command() {
    for arguments in [&["serve"][..], &["tenant", "list"]] {
        let latchkey = Latchkey::new().with("LATCHKEY_PUBIC_URL", "https://keys.example");
        let run = latchkey.run(arguments);
        assert_eq!(
            (run.code, run.stdout.as_str(), run.stderr.as_str()),
            (
                Some(2),
                "",
                "LATCHKEY_PUBIC_URL: there is no such setting; the nearest is LATCHKEY_PUBLIC_URL\n"
            )
        );
    }
    let latchkey = Latchkey::new()
        .with("LATCHKEY_SERVICE_HOST", "10.0.0.1")
        .with("LATCHKEY_PORT", "tcp://10.0.0.1:3000")
        .with("LATCHKEY_METRICS_LISTEN", "off");
    latchkey.run(&["tenant", "list"]).expect_success();
    let run = Latchkey::new()
        .with("DATABASE_URL", "")
        .run(&["tenant", "list"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.starts_with("DATABASE_URL: "), "{}", run.stderr);
}
