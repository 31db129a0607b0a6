//! `latchkey backup` during writes, and `latchkey restore`. The runbook for PostgreSQL is tested in `backup/runbook.rs`.

mod runbook;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use serde_json::Value;

use crate::support::{
    binary::Latchkey,
    client,
    server::Server,
    setup::{Key, ManagerKey},
    wait::{PATIENCE, wait_until},
};

/// A database to back up and restore.
struct BackupFixture {
    latchkey: Latchkey,
    manager: ManagerKey,
}

impl BackupFixture {
    fn new() -> Self {
        Self::on(Latchkey::new())
    }

    fn on(latchkey: Latchkey) -> Self {
        let manager = ManagerKey::create(&latchkey);
        Self { latchkey, manager }
    }

    fn new_key(&self, name: &str) -> Key {
        self.latchkey.create_key("acme", &self.manager.group, name)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.latchkey.folder().join(name)
    }

    fn key_names(&self) -> Vec<String> {
        let keys = self.latchkey.run_json(&["key", "list", "--tenant", "acme"]);
        let keys = keys.as_array().unwrap();
        let mut names: Vec<_> = keys
            .iter()
            .map(|key| {
                format!(
                    "{} {}",
                    key["name"].as_str().unwrap(),
                    key["status"].as_str().unwrap()
                )
            })
            .collect();
        names.sort();
        names
    }
}

/// Calls the JSON API; returns the status and the body.
fn call(address: &str, method: &str, path: &str, secret: &str, body: &str) -> (u16, Value) {
    let headers = [("x-api-key", secret), ("content-type", "application/json")];
    let response = client::send(address, method, &format!("/api/v1{path}"), &headers, body);
    (response.status, response.json())
}

fn whoami(server: &Server, secret: &str) -> u16 {
    call(&server.address, "GET", "/whoami", secret, "").0
}

/// Creates and revokes keys on a server until it is stopped.
#[derive(Default)]
struct Writers {
    /// Valid keys. Each is created before the counter is raised.
    live: Mutex<Vec<Key>>,
    revoked: Mutex<Vec<Key>>,
    written: AtomicUsize,
    stopped: AtomicBool,
}

impl Writers {
    fn write(&self, fixture: &BackupFixture, address: &str) {
        while !self.stopped.load(Ordering::Relaxed) {
            let body = format!(
                r#"{{"name":"Written","authorization_group_id":"{}","expires_on":null}}"#,
                fixture.manager.group
            );
            let mut made = Vec::new();
            for _ in 0..2 {
                let (status, key) =
                    call(address, "POST", "/api-keys", &fixture.manager.secret, &body);
                assert_eq!(status, 201, "{key}");
                made.push(Key::from_json(&key));
            }
            let revoked = made.pop().unwrap();
            let path = format!("/api-keys/{}/revoke", revoked.id);
            assert_eq!(
                call(address, "POST", &path, &fixture.manager.secret, "").0,
                200
            );
            self.live.lock().unwrap().extend(made);
            self.revoked.lock().unwrap().push(revoked);
            self.written.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn p55_a_backup_during_writes_is_restored_and_later_revocations_stay() {
    let fixture = BackupFixture::new();
    let old = fixture.new_key("Old");
    let (revoked, rotated) = (fixture.new_key("Revoked"), fixture.new_key("Rotated"));
    let server = Server::start(&fixture.latchkey, &[]);
    let writers = Writers::default();
    let file = fixture.path("backup.db");
    // The keys that were valid, and those that were revoked, before the backup began.
    let (live, dead, backup) = thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| writers.write(&fixture, &server.address));
        }
        let written = || writers.written.load(Ordering::SeqCst);
        wait_until(|| written() >= 20);
        let live = writers.live.lock().unwrap().clone();
        let dead = writers.revoked.lock().unwrap().clone();
        let backup = fixture
            .latchkey
            .run_json(&["backup", file.to_str().unwrap()]);
        // The server received writes during the backup, and still does.
        let after = written();
        wait_until(|| written() > after + 4);
        writers.stopped.store(true, Ordering::Relaxed);
        (live, dead, backup)
    });
    assert_eq!(backup["path"].as_str(), file.to_str());
    assert_eq!(
        backup["bytes"].as_u64(),
        Some(fs::metadata(&file).unwrap().len())
    );
    assert!(backup["keys"].as_u64().unwrap() >= 44, "{backup}");

    let bytes = fs::read(&file).unwrap();
    for key in [&old, &revoked, &rotated]
        .into_iter()
        .chain(&live)
        .chain(&dead)
    {
        let secret = key.secret.as_bytes();
        assert!(
            !bytes.windows(secret.len()).any(|window| window == secret),
            "p31"
        );
    }

    // Changes after the backup.
    let also_revoked = &live[0];
    for key in [&revoked, also_revoked] {
        let path = format!("/api-keys/{}/revoke", key.id);
        assert_eq!(
            call(&server.address, "POST", &path, &fixture.manager.secret, "").0,
            200
        );
    }
    let path = format!("/api-keys/{}/rotate", rotated.id);
    let (status, new) = call(&server.address, "POST", &path, &fixture.manager.secret, "");
    assert_eq!(status, 200);
    let new = Key::from_json(&new);

    let restore = ["restore", file.to_str().unwrap()];
    fixture.latchkey.run(&restore).expect_failure(&[
        "the database is not available: another latchkey serves this database: ",
    ]);
    assert_eq!(whoami(&server, &old.secret), 200);
    server.stop();

    let restored = fixture.latchkey.run_json(&restore);
    let changes = restored["changes"].as_array().unwrap();
    for key in [&revoked, &rotated, also_revoked] {
        assert!(
            changes
                .iter()
                .any(|change| change["target"]["id"] == key.id
                    && change["action"] == "api_key.revoked"),
            "{restored}"
        );
    }
    let replaced = Path::new(restored["replaced"].as_str().unwrap());
    assert!(replaced.starts_with(fixture.latchkey.folder()) && replaced.exists());

    let server = Server::start(&fixture.latchkey, &[]);
    for key in [&old].into_iter().chain(&live[1..]) {
        assert_eq!(whoami(&server, &key.secret), 200);
    }
    assert_eq!(whoami(&server, &fixture.manager.secret), 200);
    for key in [&revoked, &rotated, &new, also_revoked]
        .into_iter()
        .chain(&dead)
    {
        assert_eq!(whoami(&server, &key.secret), 401);
    }
    // Changes after the restore survive a second restore.
    let path = format!("/api-keys/{}/revoke", old.id);
    assert_eq!(
        call(&server.address, "POST", &path, &fixture.manager.secret, "").0,
        200
    );
    assert_eq!(whoami(&server, &old.secret), 401);
    server.stop();
    fixture.latchkey.run_json(&restore);
    let server = Server::start(&fixture.latchkey, &[]);
    assert_eq!(whoami(&server, &old.secret), 401);
}

#[test]
fn p55_without_a_database_a_restore_requires_the_revoked_keys() {
    let fixture = BackupFixture::new();
    let (revoked, kept) = (fixture.new_key("Revoked"), fixture.new_key("Kept"));
    let file = fixture.path("backup.db");
    let run = fixture.latchkey.run(&["backup", "backup.db"]);
    assert_eq!(run.expect_success().stdout, format!("{}\n", file.display()));
    fixture
        .latchkey
        .run(&["backup", "backup.db"])
        .expect_failure(&["file '"]);

    // The disk with the database has failed.
    for name in [
        "latchkey.db",
        "latchkey.db-wal",
        "latchkey.db-shm",
        "latchkey.db.lock",
    ] {
        let _ = fs::remove_file(fixture.path(name));
    }
    // Every command refuses a plain copy of a backup, with one line.
    fs::copy(&file, fixture.path("latchkey.db")).unwrap();
    for command in [
        &["serve"][..],
        &["key", "list", "--tenant", "acme"],
        &["backup", "more.db"],
    ] {
        let run = fixture.latchkey.run(command);
        run.expect_failure(&[""]);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        assert!(
            run.stderr.contains("this is a backup of 2"),
            "{}",
            run.stderr
        );
        assert!(
            run.stderr.contains("`latchkey restore FILE`"),
            "{}",
            run.stderr
        );
    }
    fs::remove_file(fixture.path("latchkey.db")).unwrap();

    fixture
        .latchkey
        .run(&["restore", "backup.db"])
        .expect_failure(&["there is no database, so it is unknown which keys were revoked"]);
    assert!(!fixture.path("latchkey.db").exists());
    let unknown = "019a0000-0000-7000-8000-000000000000";
    fixture
        .latchkey
        .run(&["restore", "backup.db", "--revoke", unknown])
        .expect_failure(&["--revoke: there is no API key '019a0000-0000-7000-8000-000000000000'"]);
    let both = [
        "restore",
        "backup.db",
        "--revoke",
        unknown,
        "--nothing-was-revoked-since",
    ];
    assert_eq!(fixture.latchkey.run(&both).code, Some(2));

    let run = fixture
        .latchkey
        .run(&["restore", "backup.db", "--revoke", &revoked.id]);
    let response = &run.expect_success().stdout;
    assert!(
        response.contains(&revoked.id) && response.contains("the operator says so"),
        "{response}"
    );
    let server = Server::start(&fixture.latchkey, &[]);
    assert_eq!(whoami(&server, &kept.secret), 200);
    assert_eq!(whoami(&server, &revoked.secret), 401);
}

#[test]
fn p55_a_killed_restore_leaves_the_old_database_or_the_new_one() {
    let fixture = BackupFixture::new();
    let revoked = fixture.new_key("Revoked");
    fixture.latchkey.run_json(&["backup", "backup.db"]);
    fixture.latchkey.run_json(&["key", "revoke", &revoked.id]);
    fixture.new_key("Made since");
    let old = ["Made since active", "Manager active", "Revoked revoked"];
    let new = ["Manager active", "Revoked revoked"];
    assert_eq!(fixture.key_names(), old);

    let size = |name: &str| fs::metadata(fixture.path(name)).map_or(0, |file| file.len());
    let is_kept = || {
        let mut files = fs::read_dir(fixture.latchkey.folder()).unwrap();
        files.any(|file| {
            file.unwrap()
                .file_name()
                .to_string_lossy()
                .contains(".before-restore-")
        })
    };
    // Kill points: the copy exists; the replaced database is being saved; the transaction is being written.
    let points: [&dyn Fn() -> bool; 3] = [&|| size("latchkey.db.restoring") > 0, &is_kept, &|| {
        size("latchkey.db-wal") > 0
    }];
    let mut stopped = 0;
    for point in points {
        let mut child = fixture
            .latchkey
            .command(&["restore", "backup.db"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        let mut has_ended = false;
        while !point() && !has_ended {
            assert!(
                Instant::now() < deadline,
                "the restore does not reach the point"
            );
            has_ended = child.try_wait().unwrap().is_some();
        }
        let _ = child.kill();
        stopped += usize::from(!child.wait().unwrap().success());
        let names = fixture.key_names();
        assert!(names == old || names == new, "{names:?}");
    }
    eprintln!("{stopped} of 3 restores were killed before their end");
    assert!(stopped > 0);
    fixture.latchkey.run_json(&["restore", "backup.db"]);
    assert_eq!(fixture.key_names(), new);
    assert!(!fixture.path("latchkey.db.restoring").exists());
}
