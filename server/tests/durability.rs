//! A confirmed change is on the disk; a full disk causes only changes to be refused.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    binary::Latchkey,
    client::{Connection, api_request},
    disk::SmallDisk,
    server::Server,
    setup::{ManagerKey, text},
    skip::has_program,
    wait::wait_until,
};

fn create(address: &str, group: &str, secret: &str, description: &str) -> (u16, String) {
    let body = format!(
        r#"{{"name":"Another","description":"{description}","authorization_group_id":"{group}"}}"#
    );
    let request = api_request(secret, "POST", "/api-keys", &body);
    Connection::open(address).send(&request).unwrap()
}

fn whoami(address: &str, secret: &str) -> u16 {
    Connection::open(address).whoami(secret).unwrap()
}

#[test]
fn p50_a_change_is_flushed_to_disk_before_the_response() {
    if !has_program("strace", "-V") {
        return;
    }
    let latchkey = Latchkey::new();
    let ManagerKey { group, secret } = ManagerKey::create(&latchkey);
    let mut server = Server::start(&latchkey, &[]);
    let trace = latchkey.folder().join("trace");
    let mut tracing = Command::new("strace")
        .args(["--follow-forks", "--decode-fds=path", "--string-limit=64"])
        .args(["--trace=fdatasync,fsync,sendto,write,writev,recvfrom,read"])
        .arg("--output")
        .arg(&trace)
        .arg("--attach")
        .arg(server.child.id().to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // strace is attached once it records a request.
    wait_until(|| {
        assert_eq!(tracing.try_wait().unwrap(), None, "strace ended");
        whoami(&server.address, &secret);
        fs::read_to_string(&trace).is_ok_and(|trace| trace.contains("GET /api/v1/whoami"))
    });
    let (status, response) = create(&server.address, &group, &secret, "");
    assert_eq!(status, 201, "{response}");
    server.signal("TERM");
    assert_eq!(server.wait_for_exit(), Some(0));
    tracing.wait().unwrap();
    let trace = fs::read_to_string(&trace).unwrap();
    let line = |text: &str| trace.lines().position(|line| line.contains(text));
    let requested = line("POST /api/v1/api-keys").expect("the request");
    let responded = line("HTTP/1.1 201").expect("the response");
    // Each line begins with a thread id. A call that another thread interrupts has a second line for its end.
    let between: Vec<_> = trace.lines().take(responded).skip(requested).collect();
    let flushed = between.iter().enumerate().any(|(number, begun)| {
        let thread = begun.split(' ').next().unwrap();
        let has_ended = |line: &&str| {
            line.starts_with(thread) && line.contains("sync resumed") && line.ends_with("= 0")
        };
        begun.contains("sync(")
            && begun.contains("latchkey.db-wal>")
            && (begun.ends_with("= 0") || between[number..].iter().any(has_ended))
    });
    assert!(
        flushed,
        "between line {requested} and line {responded} of the trace"
    );
}

#[test]
fn p52_a_full_disk_refuses_changes_and_verification_continues() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = SmallDisk::at(&folder.path().join("disk"), 4) else {
        eprintln!("skipped: only root may mount a small file system");
        return;
    };
    let url = format!("sqlite://{}?mode=rwc", disk.0.join("latchkey.db").display());
    let latchkey = Latchkey::new().with("DATABASE_URL", &url);
    let ManagerKey { group, secret } = ManagerKey::create(&latchkey);
    let uncached = latchkey.create_key("acme", "Managers", "Uncached").secret;
    // Removed later, to free space.
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![1; 1024 * 1024]).unwrap();
    let mut server = Server::start(&latchkey, &[]);
    assert_eq!(whoami(&server.address, &secret), 200);
    let description = "x".repeat(400);
    let mut made = Vec::new();
    let refused = loop {
        let (status, response) = create(&server.address, &group, &secret, &description);
        if status != 201 {
            break (status, response);
        }
        let response: Value = serde_json::from_str(&response).unwrap();
        made.push(text(&response, "secret"));
        assert!(made.len() < 20_000, "the disk is never full");
    };
    assert_eq!(refused.0, 503, "{}", refused.1);
    // Cached and uncached keys.
    for secret in [&secret, &uncached, &made[0], made.last().unwrap()] {
        assert_eq!(whoami(&server.address, secret), 200);
    }
    assert!(server.get("/healthz", "").starts_with("HTTP/1.1 200"));
    fs::remove_file(&ballast).unwrap();
    wait_until(|| create(&server.address, &group, &secret, "").0 == 201);
    server.signal("TERM");
    assert_eq!(server.wait_for_exit(), Some(0), "pending uses are written");
}
