//! Backup and restore of PostgreSQL: runs the runbook of `docs/deploy.md` step by step, with the files that it lists.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{BackupFixture, call, whoami};
use crate::support::{
    binary::Latchkey,
    client::get,
    cluster::postgres_binaries,
    postgres::PostgresDatabase,
    server::Server,
    setup::{ADMIN, Key, PASSWORD, sign_in},
};

/// PostgreSQL's programs, which write their files into a folder.
struct Programs {
    binaries: PathBuf,
    folder: PathBuf,
}

impl Programs {
    /// `None` if `TEST_POSTGRES_BINARIES` is not set.
    fn find(folder: &Path) -> Option<Self> {
        Some(Self {
            binaries: postgres_binaries()?,
            folder: folder.to_path_buf(),
        })
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = Command::new(self.binaries.join(program))
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {errors}");
    }

    /// Runs a file of `docs/deploy/`.
    fn psql(&self, database: &PostgresDatabase, file: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../docs/deploy")
            .join(file);
        let (url, file) = (database.url(), file.to_str().unwrap().to_owned());
        let stop = ["--no-psqlrc", "--set", "ON_ERROR_STOP=1"];
        self.run(
            "psql",
            &[&stop[..], &["--dbname", &url, "--file", &file]].concat(),
        );
    }

    /// The keys that the scripts list for revocation.
    fn to_revoke(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.folder.join("revoke.txt")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn p55_the_runbook_lists_every_key_that_must_stay_revoked() {
    let (Some(old), Some(restored)) = (PostgresDatabase::create(), PostgresDatabase::create())
    else {
        return;
    };
    let fixture = BackupFixture::on(Latchkey::new().with("DATABASE_URL", &old.url()));
    let Some(programs) = Programs::find(fixture.latchkey.folder()) else {
        return;
    };
    let kept = fixture.new_key("Kept");
    let dead = fixture.new_key("Dead before");
    fixture.latchkey.run_json(&["key", "revoke", &dead.id]);
    let since = ["Revoked", "Rotated", "Revoked by hand"].map(|name| fixture.new_key(name));
    let [revoked, rotated, by_hand] = &since;
    fixture.latchkey.create_administrator("acme", ADMIN);
    let server = Server::start(&fixture.latchkey, &[]);
    let (_, session) = sign_in(&server.address, ADMIN, PASSWORD);
    let cookie = format!("cookie: {}\r\n", session.unwrap());

    let old_url = format!("--dbname={}", old.url());
    programs.run(
        "pg_dump",
        &[
            &old_url,
            "--format=custom",
            "--file=latchkey.dump",
            "--exclude-table-data=sessions",
            "--exclude-table-data=replicas",
            "--exclude-table-data=key_state_changes",
        ],
    );

    // Changes after the backup.
    let path = format!("/api-keys/{}/revoke", revoked.id);
    let manager = &fixture.manager;
    assert_eq!(
        call(&server.address, "POST", &path, &manager.secret, "").0,
        200
    );
    let path = format!("/api-keys/{}/rotate", rotated.id);
    let (status, new) = call(&server.address, "POST", &path, &manager.secret, "");
    assert_eq!(status, 200);
    let new = Key::from_json(&new);
    old.execute(&format!(
        "UPDATE api_keys SET revoked_at = now() WHERE id = '{}'",
        by_hand.id
    ));
    let made_since = fixture.new_key("Made since");
    let narrowed = ["--group", "Managers", "--permission", "api-keys:read"];
    fixture.latchkey.run_json(
        &[
            &["group", "set-permissions", "--tenant", "acme"],
            &narrowed[..],
        ]
        .concat(),
    );

    // Steps 1 to 5 of the runbook.
    server.stop();
    programs.psql(&old, "postgres-before-restore.sql");
    let restored_url = format!("--dbname={}", restored.url());
    programs.run(
        "pg_restore",
        &[
            &restored_url,
            "--no-owner",
            "--exit-on-error",
            "--single-transaction",
            "latchkey.dump",
        ],
    );
    let latchkey = Latchkey::new().with("DATABASE_URL", &restored.url());
    latchkey.run(&["tenant", "list"]).expect_success();
    programs.psql(&restored, "postgres-after-restore.sql");
    let named = programs.to_revoke();
    assert_eq!(named, since.iter().map(|key| key.id.clone()).collect());
    for id in &named {
        latchkey.run(&["key", "revoke", id]).expect_success();
    }
    let redo = fs::read_to_string(fixture.latchkey.folder().join("redo.csv")).unwrap();
    assert!(redo.contains(&manager.group), "{redo}");
    assert!(redo.contains(&made_since.id), "{redo}");
    programs.psql(&restored, "postgres-after-restore.sql");
    assert_eq!(programs.to_revoke(), BTreeSet::new());

    let server = Server::start(&latchkey, &[]);
    assert_eq!(whoami(&server, &kept.secret), 200);
    for key in since.iter().chain([&dead, &new, &made_since]) {
        assert_eq!(whoami(&server, &key.secret), 401);
    }
    let page = get(&server.address, "/tenant-api-keys", &cookie);
    assert!(page.starts_with("HTTP/1.1 303"), "{page}");
}
