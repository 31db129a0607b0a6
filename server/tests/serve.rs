//! `latchkey serve`, as an operator runs it: it listens, it ends when it is told to, and nothing of what was used is lost.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    binary::{Latchkey, Run},
    server::{Server, connect, get},
};

/// A database with one key, and the key's secret.
fn with_a_key() -> (Latchkey, String) {
    let latchkey = Latchkey::new();
    latchkey.answer(&["tenant", "create", "--name", "Acme", "--slug", "acme"]);
    latchkey.answer(&[
        "group",
        "create",
        "--tenant",
        "acme",
        "--name",
        "Orders",
        "--type",
        "tenant_api_key",
    ]);
    let key = latchkey.answer(&[
        "key", "create", "--tenant", "acme", "--name", "ERP", "--group", "Orders",
    ]);
    let secret = key["secret"].as_str().expect("secret").to_owned();
    (latchkey, secret)
}

#[test]
fn sigterm_ends_it_with_0_and_loses_no_use() {
    let (latchkey, secret) = with_a_key();
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(&latchkey, &[]);
        let before =
            latchkey.answer(&["key", "list", "--tenant", "acme"])[0]["last_used_at"].clone();
        let answer = server.get("/api/v1/whoami", &format!("x-api-key: {secret}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        // A connection that a browser opened ahead of need must not hold the end up.
        let _idle = server.connect();
        server.signal(signal);
        assert_eq!(server.ended(), Some(0), "{signal}");
        let key = &latchkey.answer(&["key", "list", "--tenant", "acme"])[0];
        assert_ne!(key["last_used_at"], before, "{signal}");
        assert_eq!(key["last_used_ip"], "127.0.0.1");
    }
}

#[test]
fn p54_a_use_is_written_within_five_seconds_and_survives_a_kill() {
    let (latchkey, secret) = with_a_key();
    let server = Server::start(&latchkey, &[]);
    let last_used =
        || latchkey.answer(&["key", "list", "--tenant", "acme"])[0]["last_used_at"].clone();
    assert_eq!(last_used(), Value::Null);
    let answer = server.get("/api/v1/whoami", &format!("x-api-key: {secret}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let used = Instant::now();
    while last_used() == Value::Null {
        // The specification's five seconds, and what a loaded machine needs to say so.
        assert!(used.elapsed() < Duration::from_secs(10));
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let written = last_used();
    server.signal("KILL");
    assert_eq!(last_used(), written);
}

#[test]
fn a_request_that_runs_is_finished_and_no_further_one_begun() {
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
    // It says so when it begins to read the body: the request runs.
    let mut answer = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut line = String::new();
    answer.read_line(&mut line).expect("an answer");
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    server.signal("TERM");
    server.wait_for_line("stopping");
    write!(stream, "{body}").expect("sent");
    let mut rest = String::new();
    answer.read_to_string(&mut rest).expect("answered");
    let status = rest.trim_start().split(' ').nth(1).expect("a status");
    assert!(status.starts_with('2') || status.starts_with('4'), "{rest}");
    assert!(rest.contains("</html>"), "the whole page: {rest}");
    assert_eq!(server.ended(), Some(0));
    assert!(TcpStream::connect(&server.address).is_err());
}

#[test]
fn a_second_server_on_one_sqlite_file_is_refused_and_commands_are_not() {
    let latchkey = Latchkey::new();
    let _server = Server::start(&latchkey, &[]);
    let second = latchkey.run(&["serve"]);
    assert_eq!((second.code, second.stdout.as_str()), (Some(1), ""));
    assert!(
        second
            .stderr
            .contains("another latchkey serves this database"),
        "{}",
        second.stderr
    );
    latchkey.answer(&["tenant", "create", "--name", "Acme"]);
}

#[test]
fn a_command_waits_for_the_server_and_says_where_it_does_not_answer() {
    let (latchkey, secret) = with_a_key();
    let mut server = Server::start(&latchkey, &[]);
    let socket = latchkey.folder().join("latchkey.db.sock");
    let metadata = std::fs::metadata(&socket).expect("a socket beside the database");
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    assert_eq!(mode & 0o777, 0o600);
    let id = &latchkey.answer(&["key", "list", "--tenant", "acme"])[0]["id"];
    let id = id.as_str().expect("an id");
    let whoami = |server: &Server| {
        let answer = server.get("/api/v1/whoami", &format!("x-api-key: {secret}\r\n"));
        answer[9..12].to_owned()
    };
    assert_eq!(whoami(&server), "200");

    // It has the key in memory, and cannot be told.
    server.signal("STOP");
    let suspended = latchkey.run(&["tenant", "suspend", "acme", "--json"]);
    assert_eq!(suspended.code, Some(3), "{}", suspended.stderr);
    assert!(suspended.stdout.contains("acme"), "the answer is there");
    assert!(
        suspended.stderr.contains("written, not confirmed"),
        "{}",
        suspended.stderr
    );
    // What writes nothing waits for nobody.
    latchkey.answer(&["tenant", "list"]);
    server.signal("CONT");
    latchkey.answer(&["key", "revoke", id]);
    assert_eq!(whoami(&server), "401");

    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));
    assert!(!socket.exists());
    latchkey.answer(&["tenant", "resume", "acme"]);
}

#[test]
fn a_command_that_comes_by_a_link_finds_the_server_too() {
    let (latchkey, secret) = with_a_key();
    let server = Server::start(&latchkey, &[]);
    let link = latchkey.folder().join("current.db");
    std::os::unix::fs::symlink("latchkey.db", &link).expect("a link");
    let url = format!("sqlite://{}?mode=rwc", link.display());
    let run = |arguments: &[&str]| {
        let output = latchkey
            .command(arguments)
            .env("DATABASE_URL", &url)
            .output();
        Run::from(output.expect("latchkey runs"))
    };
    let whoami = || {
        let answer = server.get("/api/v1/whoami", &format!("x-api-key: {secret}\r\n"));
        answer[9..12].to_owned()
    };
    assert_eq!(whoami(), "200");
    run(&["tenant", "suspend", "acme"]).ended_well();
    assert_eq!(whoami(), "403");
    run(&["serve"]).failed_with(&["DATABASE_URL: cannot open"]);
    server.signal("STOP");
    assert_eq!(run(&["tenant", "resume", "acme"]).code, Some(3));
    server.signal("CONT");
}

#[test]
fn a_socket_that_a_crash_has_left_is_in_nobodys_way() {
    let (latchkey, _) = with_a_key();
    let mut server = Server::start(&latchkey, &[]);
    server.signal("KILL");
    server.ended();
    assert!(latchkey.folder().join("latchkey.db.sock").exists());
    latchkey.answer(&["tenant", "suspend", "acme"]);
    let _server = Server::start(&latchkey, &[]);
    latchkey.answer(&["tenant", "resume", "acme"]);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let first = Latchkey::new();
    let server = Server::start(&first, &[]);
    let address = server.address.clone();
    let second = Latchkey::new().with("LATCHKEY_LISTEN", &address);
    second
        .run(&["serve"])
        .failed_with(&[&format!("LATCHKEY_LISTEN: cannot listen on {address}: ")]);
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let latchkey = Latchkey::new();
    let server = Server::start(&latchkey, &[]);
    let answer = server.get(
        "/healthz",
        // Far more than the system takes in: the client still sends when it is refused, and hears why.
        &format!("x-long: {}\r\n", "a".repeat(8 * 1024 * 1024)),
    );
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(server.get("/healthz", "").starts_with("HTTP/1.1 200"));
}

#[test]
fn the_demo_starts_with_eight_keys_of_ten_in_every_state() {
    let latchkey = Latchkey::new();
    let mut server = Server::start(&latchkey, &["--demo", "--json"]);
    let mut line = String::new();
    BufReader::new(server.child.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("an answer");
    let answer: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(answer["url"], format!("http://{}", server.address));
    let emails: Vec<_> = answer["users"]
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

    let secret = answer["secret"].as_str().expect("secret");
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
    assert_eq!(server.ended(), Some(0));
    // Its folder went with it; the database of the environment was not touched.
    let left = std::fs::read_dir(latchkey.folder()).expect("readable");
    assert_eq!(left.count(), 0);
}

#[test]
fn metrics_are_on_a_listener_of_their_own() {
    let latchkey = Latchkey::new().with("LATCHKEY_METRICS_LISTEN", "127.0.0.1:0");
    let mut server = Server::start(&latchkey, &[]);
    let metrics = server.metrics.clone().expect("its address");
    let answer = get(&metrics, "/metrics", "");
    assert!(answer.contains("latchkey_build_info{version="), "{answer}");
    assert!(
        answer.contains("\nlatchkey_database_reads_total 0\n"),
        "{answer}"
    );
    assert!(server.get("/metrics", "").starts_with("HTTP/1.1 404"));
    assert!(get(&metrics, "/healthz", "").starts_with("HTTP/1.1 404"));
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));
}

#[test]
fn p22_a_head_that_trickles_is_cut_off() {
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
    // One byte a second, until it is closed.
    let closed = loop {
        assert!(started.elapsed() < Duration::from_secs(30), "still open");
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
fn a_client_that_goes_on_sending_after_its_refusal_is_cut_off() {
    let latchkey = Latchkey::new();
    let server = Server::start(&latchkey, &[]);
    let mut stream = server.connect();
    stream
        .write_all(
            b"POST /api/v1/whoami/rotate HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n",
        )
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let refused = Instant::now();
    while stream.write_all(b"a").is_ok() {
        assert!(
            refused.elapsed() < Duration::from_secs(20),
            "still read from"
        );
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// The resident memory of a process, in kB.
fn memory_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .expect("a number")
}

#[test]
fn p22_large_bodies_cost_no_memory() {
    let (latchkey, secret) = with_a_key();
    let server = Server::start(&latchkey, &[]);
    // Once before measuring, so that what is made at the first use is there.
    let send = |(method, path, status): (&str, &str, &str), length: usize, is_chunked: bool| {
        let mut stream = server.connect();
        let form = if is_chunked {
            "transfer-encoding: chunked".to_owned()
        } else {
            format!("content-length: {length}")
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\nsec-fetch-site: same-origin\r\n\
             content-type: application/json\r\n{form}\r\n\r\n"
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
        let mut answer = Vec::new();
        // A client that sends everything before it reads gets the answer as well, and no reset.
        stream.read_to_end(&mut answer).expect("answered");
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            sent && answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{path}: {answer}"
        );
    };
    let round = || {
        for request in [
            ("GET", "/api/v1/whoami", "413"),
            ("POST", "/sign-in", "413"),
            ("POST", "/sign-out", "413"),
            // Whose credential is not good is not asked for the body.
            ("POST", "/api/v1/whoami/rotate", "403"),
            ("POST", "/api/pages/open_key_form", "401"),
        ] {
            for is_chunked in [false, true] {
                send(request, 8 * 1024 * 1024, is_chunked);
            }
        }
    };
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

/// `latchkey serve` that drains for so many seconds.
fn draining(seconds: &str) -> (Latchkey, String) {
    let (latchkey, secret) = with_a_key();
    (latchkey.with("LATCHKEY_DRAIN_SECONDS", seconds), secret)
}

#[test]
fn p70_a_server_that_is_to_stop_says_so_before_it_closes_its_listener() {
    for signal in ["TERM", "HUP"] {
        let (latchkey, secret) = draining("3");
        let mut server = Server::start(&latchkey, &[]);
        let key = format!("x-api-key: {secret}\r\n");
        assert!(server.get("/readyz", "").starts_with("HTTP/1.1 200"));
        server.signal(signal);
        server.wait_for_line("draining");
        // It serves on, and closes each connection after its answer.
        let mut stream = server.connect();
        write!(
            stream,
            "GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\n{key}\r\n"
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it is closed");
        assert!(answer.starts_with("HTTP/1.1 200"), "{signal}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(server.get("/healthz", "").starts_with("HTTP/1.1 200"));
        let not_ready = server.get("/readyz", "");
        assert!(not_ready.starts_with("HTTP/1.1 503"), "{not_ready}");
        assert!(not_ready.contains("\r\nretry-after: "), "{not_ready}");
        assert_eq!(server.ended(), Some(0), "{signal}");
        let key = &latchkey.answer(&["key", "list", "--tenant", "acme"])[0];
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
    assert_eq!(server.ended(), Some(0));
    // Somebody at a terminal does not wait.
    let mut server = Server::start(&latchkey, &[]);
    server.signal("INT");
    assert_eq!(server.ended(), Some(0));
}

#[test]
fn p71_a_log_that_nobody_reads_stops_nothing() {
    // Full pipes hold 64 KiB, the server's own queue 8,192 lines: far more than both.
    const REFUSALS: u32 = 12_000;
    let latchkey = Latchkey::new()
        .with("LATCHKEY_METRICS_LISTEN", "127.0.0.1:0")
        .with("LATCHKEY_DRAIN_SECONDS", "0");
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
    // From here on nobody reads, and the pipe stays open.
    let [metrics, address] = &addresses[..] else {
        panic!("{addresses:?}");
    };
    let mut stream = connect(address);
    let mut answers = BufReader::new(stream.try_clone().expect("a second handle"));
    for _ in 0..REFUSALS {
        write!(stream, "GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(answers.read_line(&mut line).expect("answered"), 0);
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        answers
            .read_exact(&mut vec![0; length])
            .expect("the whole answer");
    }
    assert!(get(address, "/healthz", "").starts_with("HTTP/1.1 200"));
    let told = get(metrics, "/metrics", "");
    let dropped: u32 = told
        .lines()
        .find_map(|line| line.strip_prefix("latchkey_log_lines_dropped_total "))
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{told}"));
    assert!(dropped > 0 && dropped < REFUSALS, "{dropped}");
    let asked = Command::new("kill").arg(child.id().to_string()).status();
    assert!(asked.is_ok_and(|status| status.success()));
    let until = Instant::now() + Duration::from_secs(30);
    let code = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status.code();
        }
        assert!(Instant::now() < until, "SIGTERM does not end it");
        std::thread::park_timeout(Duration::from_millis(20));
    };
    assert_eq!(code, Some(0));
}

/// Runs a command on the database by another name of its file.
fn by_name(latchkey: &Latchkey, file: &std::path::Path, arguments: &[&str]) -> Run {
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let mut command = latchkey.command(arguments);
    Run::from(
        command
            .env("DATABASE_URL", url)
            .output()
            .expect("latchkey runs"),
    )
}

#[test]
fn p68_a_second_server_is_refused_by_whatever_name_it_comes() {
    let (latchkey, secret) = with_a_key();
    let original = latchkey.folder().join("latchkey.db");
    let other = latchkey.folder().join("other");
    std::fs::create_dir(&other).expect("a folder");
    let hard = other.join("latchkey.db");
    std::fs::hard_link(&original, &hard).expect("a hard link");
    let symbolic = latchkey.folder().join("symbolic.db");
    std::os::unix::fs::symlink(&original, &symbolic).expect("a symbolic link");
    let mut server = Server::start(&latchkey, &[]);
    for name in [&original, &hard, &symbolic] {
        let second = by_name(&latchkey, name, &["serve"]);
        assert_eq!(second.code, Some(1), "{}", name.display());
        assert!(
            second.stderr.contains("another latchkey serves this"),
            "{}",
            second.stderr
        );
    }
    // A command would write into a log beside that name, which the server never sees.
    for arguments in [
        &["tenant", "suspend", "acme"][..],
        &["tenant", "list"],
        &["backup", "copy.db"],
    ] {
        let refused = by_name(&latchkey, &hard, arguments);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
        assert!(
            refused.stderr.contains("under another name"),
            "{}",
            refused.stderr
        );
    }
    by_name(&latchkey, &symbolic, &["tenant", "suspend", "acme"]).ended_well();
    let whoami = server.get("/api/v1/whoami", &format!("x-api-key: {secret}\r\n"));
    assert!(whoami.starts_with("HTTP/1.1 403"), "{whoami}");
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));
    // Without a server, each name is as good as another.
    by_name(&latchkey, &hard, &["tenant", "resume", "acme"]).ended_well();
}

#[test]
fn p68_a_second_server_is_refused_behind_a_mount_and_in_another_mount_namespace() {
    // In a mount namespace of its own, so that nothing is left mounted: only root may, or where users may make namespaces.
    let may = Command::new("unshare")
        .args(["--mount", "--map-root-user", "true"])
        .output();
    if !may.is_ok_and(|tried| tried.status.success()) {
        eprintln!("left out: this user may not make mount namespaces");
        return;
    }
    let (latchkey, _) = with_a_key();
    let folder = latchkey.folder().display().to_string();
    let _server = Server::start(&latchkey, &[]);
    let binary = env!("CARGO_BIN_EXE_latchkey");
    for (script, url) in [
        // The same name in another namespace.
        (
            format!("exec {binary} serve"),
            format!("sqlite://{folder}/latchkey.db?mode=rwc"),
        ),
        // The file alone.
        (
            format!(
                "mkdir -p {folder}/m && touch {folder}/m/x.db && mount --bind {folder}/latchkey.db {folder}/m/x.db && exec {binary} serve"
            ),
            format!("sqlite://{folder}/m/x.db?mode=rwc"),
        ),
        // The folder.
        (
            format!(
                "mkdir -p {folder}/n && mount --bind {folder} {folder}/n && exec {binary} serve"
            ),
            format!("sqlite://{folder}/n/latchkey.db?mode=rwc"),
        ),
    ] {
        let output = Command::new("unshare")
            .args(["--mount", "--map-root-user", "sh", "-c", &script])
            .current_dir(latchkey.folder())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DATABASE_URL", url)
            .env("LATCHKEY_LISTEN", "127.0.0.1:0")
            .output()
            .expect("unshare runs");
        let second = Run::from(output);
        assert_eq!(second.code, Some(1), "{script}: {}", second.stderr);
        assert!(
            second.stderr.contains("another latchkey serves this"),
            "{script}: {}",
            second.stderr
        );
    }
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
    latchkey.run(&["tenant", "list"]).ended_well();
    let run = Latchkey::new()
        .with("DATABASE_URL", "")
        .run(&["tenant", "list"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.starts_with("DATABASE_URL: "), "{}", run.stderr);
}

#[test]
fn a_line_of_the_log_says_which_key_was_refused_and_why() {
    let (latchkey, secret) = with_a_key();
    let id = latchkey.answer(&["key", "list", "--tenant", "acme"])[0]["id"].clone();
    let id = id.as_str().expect("an id");
    let mut server = Server::start(&latchkey, &[]);
    latchkey.answer(&["tenant", "suspend", "acme"]);
    assert!(server.get("/readyz", "").starts_with("HTTP/1.1 200"));
    let refused = server.get("/api/v1/whoami", &format!("x-api-key: {secret}\r\n"));
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let mut stream = server.connect();
    write!(
        stream,
        "POST /sign-in HTTP/1.1\r\nhost: latchkey\r\norigin: http://keys.lan:8643\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 0\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.contains("address may be set wrongly"), "{answer}");
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
            .any(|line| line.contains(&secret) || line.contains("/readyz"))
    );
}
