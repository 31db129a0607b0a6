//! What is answered is on the disk; and a disk that is full stops changes, and nothing else.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    binary::Latchkey, disk::SmallDisk, load::Connection, manager::Manager, server::Server,
    skip::skip, until::until,
};

fn create(address: &str, group: &str, secret: &str, description: &str) -> (u16, String) {
    let body = format!(
        r#"{{"name":"Another","description":"{description}","authorization_group_id":"{group}"}}"#
    );
    let request = format!(
        "POST /api/v1/api-keys HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    Connection::open(address).send(&request).unwrap()
}

fn whoami(address: &str, secret: &str) -> u16 {
    let request = format!("GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\n\r\n");
    Connection::open(address).send(&request).unwrap().0
}

#[test]
fn p50_a_change_is_flushed_to_the_disk_before_it_is_answered() {
    let has_strace = Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status();
    if !has_strace.is_ok_and(|status| status.success()) {
        skip("strace");
        return;
    }
    let latchkey = Latchkey::new();
    let Manager { group, secret } = Manager::new(&latchkey);
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
    // Attached when it sees anything.
    until(|| {
        assert_eq!(tracing.try_wait().unwrap(), None, "strace ended");
        whoami(&server.address, &secret);
        fs::read_to_string(&trace).is_ok_and(|trace| trace.contains("GET /api/v1/whoami"))
    });
    let (status, answer) = create(&server.address, &group, &secret, "");
    assert_eq!(status, 201, "{answer}");
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));
    tracing.wait().unwrap();
    let trace = fs::read_to_string(&trace).unwrap();
    let line = |text: &str| trace.lines().position(|line| line.contains(text));
    let asked = line("POST /api/v1/api-keys").expect("the request");
    let answered = line("HTTP/1.1 201").expect("the answer");
    // Each line begins with the number of its thread. Where another one comes between, the end of a call has a line of its own.
    let between: Vec<_> = trace.lines().take(answered).skip(asked).collect();
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
        "between line {asked} and line {answered} of the trace"
    );
}

#[test]
fn p52_a_full_disk_refuses_changes_and_the_check_of_keys_goes_on() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = SmallDisk::at(&folder.path().join("disk"), 4) else {
        eprintln!("left out: only root may mount a small file system");
        return;
    };
    let url = format!("sqlite://{}?mode=rwc", disk.0.join("latchkey.db").display());
    let latchkey = Latchkey::new().with("DATABASE_URL", &url);
    let Manager { group, secret } = Manager::new(&latchkey);
    let uncached = another(&latchkey);
    // So that there is something to take away again.
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![1; 1024 * 1024]).unwrap();
    let mut server = Server::start(&latchkey, &[]);
    assert_eq!(whoami(&server.address, &secret), 200);
    let description = "x".repeat(400);
    let mut made = Vec::new();
    let refused = loop {
        let (status, answer) = create(&server.address, &group, &secret, &description);
        if status != 201 {
            break (status, answer);
        }
        let answer: Value = serde_json::from_str(&answer).unwrap();
        made.push(answer["secret"].as_str().unwrap().to_owned());
        assert!(made.len() < 20_000, "the disk is never full");
    };
    assert_eq!(refused.0, 503, "{}", refused.1);
    // In memory, and not in memory.
    for secret in [&secret, &uncached, &made[0], made.last().unwrap()] {
        assert_eq!(whoami(&server.address, secret), 200);
    }
    assert!(server.get("/healthz", "").starts_with("HTTP/1.1 200"));
    fs::remove_file(&ballast).unwrap();
    until(|| create(&server.address, &group, &secret, "").0 == 201);
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0), "and what was used is written");
}

/// The secret of a further key.
fn another(latchkey: &Latchkey) -> String {
    let key = latchkey.answer(&[
        "key", "create", "--tenant", "acme", "--name", "Uncached", "--group", "Managers",
    ]);
    key["secret"].as_str().unwrap().to_owned()
}
