//! Limits of heads and bodies.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    time::{Duration, Instant},
};

use crate::support::{
    binary::Latchkey,
    server::Server,
    wait::{PATIENCE, wait_until},
};

#[test]
fn a_head_that_is_too_long_is_refused() {
    let latchkey = Latchkey::new();
    let server = Server::start(&latchkey, &[]);
    let response = server.get(
        "/healthz",
        // More than the buffers of the system hold, so that the client is still sending when the response arrives.
        &format!("x-long: {}\r\n", "a".repeat(8 * 1024 * 1024)),
    );
    assert!(response.starts_with("HTTP/1.1 431"), "{response}");
    assert!(server.get("/healthz", "").starts_with("HTTP/1.1 200"));
}

#[test]
fn p22_a_slow_head_is_disconnected() {
    let latchkey = Latchkey::new();
    let server = Server::start(&latchkey, &[]);
    let mut stream = server.connect();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ")
        .expect("sent");
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .expect("a time");
    let started = Instant::now();
    let mut byte = [0];
    // Sends one byte per second until the connection is closed.
    let closed = loop {
        assert!(started.elapsed() < PATIENCE, "still open");
        match stream.read(&mut byte) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break true,
        }
        if stream.write_all(b"a").is_err() {
            break true;
        }
    };
    assert!(closed);
    assert!(server.get("/healthz", "").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_client_that_keeps_sending_after_a_refusal_is_disconnected() {
    let latchkey = Latchkey::new();
    let server = Server::start(&latchkey, &[]);
    let mut stream = server.connect();
    stream
        .write_all(
            b"POST /api/v1/whoami/rotate HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n",
        )
        .expect("sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("answered");
    assert!(response.starts_with("HTTP/1.1 401"), "{response}");
    wait_until(|| stream.write_all(b"a").is_err());
}

/// The resident memory of a process, in kB.
fn memory_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .expect("a number")
}

#[test]
fn p22_large_bodies_take_no_memory() {
    let (latchkey, key) = Latchkey::with_key();
    let server = Server::start(&latchkey, &[]);
    let send = |(method, path, status): (&str, &str, &str), length: usize, is_chunked: bool| {
        let mut stream = server.connect();
        let form = if is_chunked {
            "transfer-encoding: chunked".to_owned()
        } else {
            format!("content-length: {length}")
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nsec-fetch-site: same-origin\r\n\
             content-type: application/json\r\n{form}\r\n\r\n",
            key.secret
        );
        let mut sent = stream.write_all(head.as_bytes()).is_ok();
        let piece = vec![b'x'; 64 * 1024];
        let mut left = length;
        while sent && left > 0 {
            let size = left.min(piece.len());
            if is_chunked {
                sent = write!(stream, "{size:x}\r\n").is_ok();
            }
            sent = sent && stream.write_all(&piece[..size]).is_ok();
            if is_chunked {
                sent = sent && stream.write_all(b"\r\n").is_ok();
            }
            left -= size;
        }
        let mut response = Vec::new();
        // A client that sends everything before it reads receives the response without a reset.
        stream.read_to_end(&mut response).expect("answered");
        let response = String::from_utf8_lossy(&response);
        assert!(
            sent && response.starts_with(&format!("HTTP/1.1 {status}")),
            "{path}: {response}"
        );
    };
    let round = || {
        for request in [
            ("GET", "/api/v1/whoami", "413"),
            ("POST", "/sign-in", "413"),
            ("POST", "/sign-out", "413"),
            // The body of a request without a valid credential is not read.
            ("POST", "/api/v1/whoami/rotate", "403"),
            ("POST", "/api/pages/open_key_form", "401"),
        ] {
            for is_chunked in [false, true] {
                send(request, 8 * 1024 * 1024, is_chunked);
            }
        }
    };
    // One round before the measurement, for memory that is allocated at the first use.
    round();
    let before = memory_of(server.child.id());
    for _ in 0..4 {
        round();
    }
    let after = memory_of(server.child.id());
    assert!(
        after < before + 8 * 1024,
        "from {before} kB to {after} kB with 320 MiB of bodies"
    );
}
