//! `latchkey backup` beside a server that is written to, and `latchkey restore`: what an operator does on a bad day. PostgreSQL's way is in
//! `backup/runbook.rs`.

mod runbook;

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    binary::Latchkey,
    manager::Manager,
    server::{Server, connect},
};

/// More than a loaded machine needs for anything here.
const PATIENCE: Duration = Duration::from_secs(120);

struct Scene {
    latchkey: Latchkey,
    /// An integration that may make and revoke keys.
    manager: Manager,
}

/// A key as it was handed out.
#[derive(Clone)]
struct Key {
    id: String,
    secret: String,
}

impl Key {
    fn of(answer: &Value) -> Self {
        let text = |field: &str| answer[field].as_str().unwrap().to_owned();
        Self {
            id: text("id"),
            secret: text("secret"),
        }
    }
}

impl Scene {
    fn new() -> Self {
        Self::on(Latchkey::new())
    }

    fn on(latchkey: Latchkey) -> Self {
        let manager = Manager::new(&latchkey);
        Self { latchkey, manager }
    }

    fn new_key(&self, name: &str) -> Key {
        Key::of(&self.latchkey.answer(&[
            "key",
            "create",
            "--tenant",
            "acme",
            "--name",
            name,
            "--group",
            &self.manager.group,
        ]))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.latchkey.folder().join(name)
    }

    fn key_names(&self) -> Vec<String> {
        let keys = self.latchkey.answer(&["key", "list", "--tenant", "acme"]);
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

/// What the API answers: its status and body.
fn ask(address: &str, method: &str, path: &str, secret: &str, body: &str) -> (u16, Value) {
    let mut stream = connect(address);
    write!(
        stream,
        "{method} /api/v1{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-api-key: {secret}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap_or_default())
}

fn whoami(server: &Server, secret: &str) -> u16 {
    ask(&server.address, "GET", "/whoami", secret, "").0
}

fn stop(mut server: Server) {
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));
}

/// Waits until `condition` holds.
fn wait_until(condition: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "too slow");
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// Makes and revokes keys at a server, for as long as it is told to.
#[derive(Default)]
struct Writers {
    /// Those that are live, each made before the count was raised.
    live: Mutex<Vec<Key>>,
    revoked: Mutex<Vec<Key>>,
    written: AtomicUsize,
    stopped: AtomicBool,
}

impl Writers {
    fn write(&self, scene: &Scene, address: &str) {
        while !self.stopped.load(Ordering::Relaxed) {
            let body = format!(
                r#"{{"name":"Written","authorization_group_id":"{}","expires_on":null}}"#,
                scene.manager.group
            );
            let mut made = Vec::new();
            for _ in 0..2 {
                let (status, key) = ask(address, "POST", "/api-keys", &scene.manager.secret, &body);
                assert_eq!(status, 201, "{key}");
                made.push(Key::of(&key));
            }
            let revoked = made.pop().unwrap();
            let path = format!("/api-keys/{}/revoke", revoked.id);
            assert_eq!(
                ask(address, "POST", &path, &scene.manager.secret, "").0,
                200
            );
            self.live.lock().unwrap().extend(made);
            self.revoked.lock().unwrap().push(revoked);
            self.written.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn p55_a_backup_under_write_load_is_restored_without_what_was_revoked_since() {
    let scene = Scene::new();
    let old = scene.new_key("Old");
    let (revoked, rotated) = (scene.new_key("Revoked"), scene.new_key("Rotated"));
    let server = Server::start(&scene.latchkey, &[]);
    let writers = Writers::default();
    let file = scene.path("backup.db");
    // Those that were live before the backup began, and those that were revoked by then.
    let (live, dead, backup) = thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| writers.write(&scene, &server.address));
        }
        let written = || writers.written.load(Ordering::SeqCst);
        wait_until(|| written() >= 20);
        let live = writers.live.lock().unwrap().clone();
        let dead = writers.revoked.lock().unwrap().clone();
        let backup = scene.latchkey.answer(&["backup", file.to_str().unwrap()]);
        // The server has been written to meanwhile, and goes on.
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

    // Since the backup.
    let also_revoked = &live[0];
    for key in [&revoked, also_revoked] {
        let path = format!("/api-keys/{}/revoke", key.id);
        assert_eq!(
            ask(&server.address, "POST", &path, &scene.manager.secret, "").0,
            200
        );
    }
    let path = format!("/api-keys/{}/rotate", rotated.id);
    let (status, new) = ask(&server.address, "POST", &path, &scene.manager.secret, "");
    assert_eq!(status, 200);
    let new = Key::of(&new);

    let restore = ["restore", file.to_str().unwrap()];
    scene
        .latchkey
        .run(&restore)
        .failed_with(&["the database is not available: another latchkey serves this database: "]);
    assert_eq!(whoami(&server, &old.secret), 200);
    stop(server);

    let restored = scene.latchkey.answer(&restore);
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
    assert!(replaced.starts_with(scene.latchkey.folder()) && replaced.exists());

    let server = Server::start(&scene.latchkey, &[]);
    for key in [&old].into_iter().chain(&live[1..]) {
        assert_eq!(whoami(&server, &key.secret), 200);
    }
    assert_eq!(whoami(&server, &scene.manager.secret), 200);
    for key in [&revoked, &rotated, &new, also_revoked]
        .into_iter()
        .chain(&dead)
    {
        assert_eq!(whoami(&server, &key.secret), 401);
    }
    // It goes on from there, and once more.
    let path = format!("/api-keys/{}/revoke", old.id);
    assert_eq!(
        ask(&server.address, "POST", &path, &scene.manager.secret, "").0,
        200
    );
    assert_eq!(whoami(&server, &old.secret), 401);
    stop(server);
    scene.latchkey.answer(&restore);
    let server = Server::start(&scene.latchkey, &[]);
    assert_eq!(whoami(&server, &old.secret), 401);
}

#[test]
fn p55_without_a_database_nothing_is_restored_before_the_operator_says_what_was_revoked() {
    let scene = Scene::new();
    let (revoked, kept) = (scene.new_key("Revoked"), scene.new_key("Kept"));
    let file = scene.path("backup.db");
    let run = scene.latchkey.run(&["backup", "backup.db"]);
    assert_eq!(run.ended_well().stdout, format!("{}\n", file.display()));
    scene
        .latchkey
        .run(&["backup", "backup.db"])
        .failed_with(&["file '"]);

    // The disk is lost.
    for name in [
        "latchkey.db",
        "latchkey.db-wal",
        "latchkey.db-shm",
        "latchkey.db.lock",
    ] {
        let _ = fs::remove_file(scene.path(name));
    }
    // A plain copy is refused by every command, in one line.
    fs::copy(&file, scene.path("latchkey.db")).unwrap();
    for command in [
        &["serve"][..],
        &["key", "list", "--tenant", "acme"],
        &["backup", "more.db"],
    ] {
        let run = scene.latchkey.run(command);
        run.failed_with(&[""]);
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
    fs::remove_file(scene.path("latchkey.db")).unwrap();

    scene
        .latchkey
        .run(&["restore", "backup.db"])
        .failed_with(&["there is no database, so nobody knows which keys were revoked"]);
    assert!(!scene.path("latchkey.db").exists());
    let unknown = "019a0000-0000-7000-8000-000000000000";
    scene
        .latchkey
        .run(&["restore", "backup.db", "--revoke", unknown])
        .failed_with(&["--revoke: there is no API key '019a0000-0000-7000-8000-000000000000'"]);
    let both = [
        "restore",
        "backup.db",
        "--revoke",
        unknown,
        "--nothing-was-revoked-since",
    ];
    assert_eq!(scene.latchkey.run(&both).code, Some(2));

    let run = scene
        .latchkey
        .run(&["restore", "backup.db", "--revoke", &revoked.id]);
    let answer = &run.ended_well().stdout;
    assert!(
        answer.contains(&revoked.id) && answer.contains("the operator says so"),
        "{answer}"
    );
    let server = Server::start(&scene.latchkey, &[]);
    assert_eq!(whoami(&server, &kept.secret), 200);
    assert_eq!(whoami(&server, &revoked.secret), 401);
}

#[test]
fn p55_a_restore_that_is_killed_leaves_the_old_database_or_the_new_one() {
    let scene = Scene::new();
    let revoked = scene.new_key("Revoked");
    scene.latchkey.answer(&["backup", "backup.db"]);
    scene.latchkey.answer(&["key", "revoke", &revoked.id]);
    scene.new_key("Made since");
    let old = ["Made since active", "Manager active", "Revoked revoked"];
    let new = ["Manager active", "Revoked revoked"];
    assert_eq!(scene.key_names(), old);

    let size = |name: &str| fs::metadata(scene.path(name)).map_or(0, |file| file.len());
    let is_kept = || {
        let mut files = fs::read_dir(scene.latchkey.folder()).unwrap();
        files.any(|file| {
            file.unwrap()
                .file_name()
                .to_string_lossy()
                .contains(".before-restore-")
        })
    };
    // The copy is there; what is replaced is being kept; the transaction is being written.
    let points: [&dyn Fn() -> bool; 3] = [&|| size("latchkey.db.restoring") > 0, &is_kept, &|| {
        size("latchkey.db-wal") > 0
    }];
    let mut stopped = 0;
    for point in points {
        let mut child = scene
            .latchkey
            .command(&["restore", "backup.db"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + PATIENCE;
        let mut has_ended = false;
        while !point() && !has_ended {
            assert!(Instant::now() < until, "too slow");
            has_ended = child.try_wait().unwrap().is_some();
        }
        let _ = child.kill();
        stopped += usize::from(!child.wait().unwrap().success());
        let names = scene.key_names();
        assert!(names == old || names == new, "{names:?}");
    }
    eprintln!("{stopped} of 3 were killed before their end");
    assert!(stopped > 0);
    scene.latchkey.answer(&["restore", "backup.db"]);
    assert_eq!(scene.key_names(), new);
    assert!(!scene.path("latchkey.db.restoring").exists());
}
