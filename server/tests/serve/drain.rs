//! The drain: a server that stops reports it before it closes its listener.

use std::io::{Read as _, Write as _};

use crate::support::{binary::Latchkey, server::Server, setup::Key};

/// A database with a key, for a server that drains for `seconds` seconds.
fn draining(seconds: &str) -> (Latchkey, Key) {
    let (latchkey, key) = Latchkey::with_key();
    (latchkey.with("LATCHKEY_DRAIN_SECONDS", seconds), key)
}

#[test]
fn p70_a_stopping_server_is_not_ready_before_it_closes_its_listener() {
    for signal in ["TERM", "HUP"] {
        let (latchkey, key) = draining("3");
        let mut server = Server::start(&latchkey, &[]);
        let header = format!("x-api-key: {}\r\n", key.secret);
        assert!(server.get("/readyz", "").starts_with("HTTP/1.1 200"));
        server.signal(signal);
        server.wait_for_line("draining");
        // The server continues and closes each connection after its response.
        let mut stream = server.connect();
        write!(
            stream,
            "GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\n{header}\r\n"
        )
        .expect("sent");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("it is closed");
        assert!(response.starts_with("HTTP/1.1 200"), "{signal}: {response}");
        assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
        assert!(server.get("/healthz", "").starts_with("HTTP/1.1 200"));
        let not_ready = server.get("/readyz", "");
        assert!(not_ready.starts_with("HTTP/1.1 503"), "{not_ready}");
        assert!(not_ready.contains("\r\nretry-after: "), "{not_ready}");
        assert_eq!(server.wait_for_exit(), Some(0), "{signal}");
        let key = &latchkey.run_json(&["key", "list", "--tenant", "acme"])[0];
        assert_eq!(key["last_used_ip"], "127.0.0.1", "{signal}");
    }
}

#[test]
fn p70_a_second_signal_ends_the_drain() {
    let (latchkey, _) = draining("300");
    let mut server = Server::start(&latchkey, &[]);
    server.signal("TERM");
    server.wait_for_line("draining");
    server.signal("TERM");
    assert_eq!(server.wait_for_exit(), Some(0));
    // SIGINT, as sent by a terminal, skips the drain.
    let mut server = Server::start(&latchkey, &[]);
    server.signal("INT");
    assert_eq!(server.wait_for_exit(), Some(0));
}
