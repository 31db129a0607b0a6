//! The log of a server.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::Command,
};

use crate::support::{
    binary::Latchkey,
    client::{connect, get},
    server::Server,
    wait::wait_until,
};

#[test]
fn p71_an_unread_log_blocks_no_request() {
    // More lines than the pipe (64 KiB) and the server's queue (8,192 lines) hold.
    const REQUESTS: u32 = 12_000;
    // A request of a health check has a line at level debug, which no limit suppresses.
    let latchkey = Latchkey::new()
        .with("LATCHKEY_METRICS_LISTEN", "127.0.0.1:0")
        .with("LATCHKEY_DRAIN_SECONDS", "0")
        .with("RUST_LOG", "info,server=debug");
    let mut child = latchkey
        .command(&["serve"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("latchkey runs");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut addresses = Vec::new();
    while addresses.len() < 2 {
        let mut line = String::new();
        assert_ne!(stderr.read_line(&mut line).expect("a log"), 0);
        if let Some((_, rest)) = line.split_once(" on http://") {
            let address = rest.split(['"', '/']).next().expect("an address");
            addresses.push(address.to_owned());
        }
    }
    // From here on the log is not read, and the pipe stays open.
    let [metrics, address] = &addresses[..] else {
        panic!("{addresses:?}");
    };
    let mut stream = connect(address);
    let mut responses = BufReader::new(stream.try_clone().expect("a second handle"));
    for _ in 0..REQUESTS {
        write!(stream, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(responses.read_line(&mut line).expect("answered"), 0);
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        responses
            .read_exact(&mut vec![0; length])
            .expect("the whole response");
    }
    assert!(get(address, "/healthz", "").starts_with("HTTP/1.1 200"));
    let metrics = get(metrics, "/metrics", "");
    let dropped: u32 = metrics
        .lines()
        .find_map(|line| line.strip_prefix("latchkey_log_lines_dropped_total "))
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{metrics}"));
    assert!(dropped > 0 && dropped < REQUESTS, "{dropped}");
    let sent = Command::new("kill").arg(child.id().to_string()).status();
    assert!(sent.is_ok_and(|status| status.success()));
    let mut status = None;
    wait_until(|| {
        status = child.try_wait().expect("a child");
        status.is_some()
    });
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}

#[test]
fn a_refusal_is_logged_with_key_and_reason() {
    let (latchkey, key) = Latchkey::with_key();
    let id = latchkey.run_json(&["key", "list", "--tenant", "acme"])[0]["id"].clone();
    let id = id.as_str().expect("an id");
    let mut server = Server::start(&latchkey, &[]);
    latchkey.run_json(&["tenant", "suspend", "acme"]);
    assert!(server.get("/readyz", "").starts_with("HTTP/1.1 200"));
    let refused = server.get("/api/v1/whoami", &format!("x-api-key: {}\r\n", key.secret));
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let mut stream = server.connect();
    write!(
        stream,
        "POST /sign-in HTTP/1.1\r\nhost: latchkey\r\norigin: http://keys.lan:8643\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 0\r\n\r\n"
    )
    .expect("sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("answered");
    assert!(response.starts_with("HTTP/1.1 403"), "{response}");
    assert!(
        response.contains("address may be set wrongly"),
        "{response}"
    );
    let lines = server.wait_for_line("from another origin");
    let of_request = |line: &&String| line.contains("/api/v1/whoami");
    let line: Vec<_> = lines.iter().filter(of_request).collect();
    assert_eq!(line.len(), 1, "{lines:#?}");
    for part in [
        r#""code":"tenant_suspended""#,
        &format!(r#""key_id":"{id}""#),
        r#""tenant":"acme""#,
        r#""request_id":"#,
    ] {
        assert!(line[0].contains(part), "{part}: {}", line[0]);
    }
    let origin = lines.last().expect("a line");
    for part in [
        "http://keys.lan:8643",
        r#""host":"latchkey""#,
        "LATCHKEY_PUBLIC_URL",
    ] {
        assert!(origin.contains(part), "{part}: {origin}");
    }
    assert!(
        !lines
            .iter()
            .any(|line| line.contains(&key.secret) || line.contains("/readyz"))
    );
}

#[test]
fn p71_a_flood_of_refusals_is_logged_in_part() {
    // `REQUEST_LINES` and `FAULT_LINES` of `domain/src/log_limit.rs`.
    const LIMITS: [(&str, &str, usize); 3] = [
        (
            r#""code":"missing_api_key""#,
            "refused requests without a known key",
            600,
        ),
        (r#""status":404"#, "requests without a session or key", 600),
        ("from another origin", "requests from another origin", 60),
    ];
    const REQUESTS: usize = 700;
    let (latchkey, key) = Latchkey::with_key();
    let mut server = Server::start(&latchkey, &[]);
    latchkey.run_json(&["tenant", "suspend", "acme"]);
    let requests = [
        "GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\n",
        "POST /nothing HTTP/1.1\r\nhost: x\r\nsec-fetch-site: none\r\ncontent-length: 0\r\n",
        "POST /sign-in HTTP/1.1\r\nhost: x\r\norigin: http://other.example\r\ncontent-length: 0\r\n",
    ];
    for request in requests {
        let mut stream = server.connect();
        let mut responses = stream.try_clone().expect("a second handle");
        let reader = std::thread::spawn(move || {
            let mut all = String::new();
            responses.read_to_string(&mut all).map(|_| all)
        });
        for _ in 1..REQUESTS {
            write!(stream, "{request}\r\n").expect("sent");
        }
        write!(stream, "{request}connection: close\r\n\r\n").expect("sent");
        let all = reader.join().expect("no panic").expect("read");
        assert_eq!(all.matches("HTTP/1.1 4").count(), REQUESTS);
    }
    // The refusal of a known key has a limit of its own.
    let refused = server.get("/api/v1/whoami", &format!("x-api-key: {}\r\n", key.secret));
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let lines = server.wait_for_line(r#""code":"tenant_suspended""#);
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    for (text, kind, limit) in LIMITS {
        let reports = format!(r#""kind":"{kind}","per_minute":{limit}"#);
        assert!(count(&reports) > 0, "{kind}");
        let logged = count(text);
        assert!((1..REQUESTS).contains(&logged), "{kind}: {logged} lines");
    }
}
