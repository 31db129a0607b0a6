//! Making and checking backups of SQLite. PostgreSQL is backed up by its own tools. `restore.rs` tests the restore.

use chrono::TimeDelta;
use domain::{
    Error,
    key::IssuedKey,
    store::{
        Store, StoreOptions,
        backup::back_up,
        restore::{Restoration, Word, restore},
    },
};
use sea_orm::{ConnectionTrait, Database};
use std::{
    error::Error as _,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    keys::issue,
    restore::restored,
    test_store::{TestStore, on_every_database},
};

pub(crate) const NOTHING: Word = Word {
    revoke: Vec::new(),
    nothing_was_revoked: true,
    person: None,
};

pub(crate) fn backup_file(fixture: &TestStore) -> PathBuf {
    fixture
        .sqlite_file()
        .expect("SQLite")
        .with_file_name("backup.db")
}

pub(crate) async fn backup_of(fixture: &TestStore) -> PathBuf {
    let file = backup_file(fixture);
    let made = back_up(&fixture.options().database_url, &file, fixture.now).await;
    assert_eq!(made.expect("a backup").path, file);
    file
}

pub(crate) async fn try_restore(
    fixture: &TestStore,
    file: &Path,
    word: &Word,
) -> Result<Restoration, Error> {
    let later = fixture.now + TimeDelta::hours(2);
    restore(&fixture.options().database_url, file, word, later).await
}

/// The message of the only error.
pub(crate) fn message(refused: &Error) -> String {
    match refused {
        Error::Invalid(errors) => errors[0].message.clone(),
        Error::Unavailable(source) => source.to_string(),
        error => panic!("{error:?}"),
    }
}

/// Runs a statement on the file, bypassing the store.
async fn execute_in(file: &Path, sql: &str) {
    let url = format!("sqlite://{}", file.display());
    let connection = Database::connect(url).await.expect("a connection");
    connection.execute_unprepared(sql).await.expect("executed");
    connection.close().await.expect("closed");
}

/// The names of all files in the folder of the database.
pub(crate) fn files(fixture: &TestStore) -> Vec<String> {
    let folder = fixture.sqlite_file().expect("SQLite");
    let folder = folder.parent().expect("a folder").read_dir();
    let mut names: Vec<_> = folder
        .expect("a folder")
        .map(|entry| entry.expect("a file").file_name().into_string())
        .map(|name| name.expect("UTF-8"))
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn p31_p55_a_backup_is_complete_private_and_without_secrets() {
    let fixture = TestStore::on_sqlite().await;
    let scope = fixture.tenant("acme").await;
    let group = fixture.group(&scope, "Ordering", &[]).await;
    let IssuedKey { key, secret } = issue(&fixture, &scope, &group, "A name to find").await;
    let file = backup_file(&fixture);
    let backup = back_up(&fixture.options().database_url, &file, fixture.now)
        .await
        .unwrap();
    let metadata = fs::metadata(&file).unwrap();
    assert_eq!(
        (backup.bytes, backup.tenants, backup.keys),
        (metadata.len(), 1, 1)
    );
    assert_eq!(backup.taken_at, fixture.now);
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777,
        0o600
    );
    // The backup is one file without a write-ahead log beside it.
    let expected = [
        "backup.db",
        "latchkey.db",
        "latchkey.db-shm",
        "latchkey.db-wal",
    ];
    assert_eq!(files(&fixture), expected);

    let bytes = fs::read(&file).unwrap();
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds("A name to find") && holds(&key.hint));
    assert!(!holds(secret.expose()) && !holds(&secret.expose()[3..19]));

    // A second backup does not overwrite the first.
    let refused = back_up(&fixture.options().database_url, &file, fixture.now)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, Error::AlreadyExists { what: "file", .. }),
        "{refused:?}"
    );
    assert_eq!(fs::read(&file).unwrap(), bytes);
    let nowhere = file.with_file_name("nowhere").join("backup.db");
    let refused = back_up(&fixture.options().database_url, &nowhere, fixture.now)
        .await
        .unwrap_err();
    assert!(
        message(&refused).starts_with("cannot write "),
        "{refused:?}"
    );
    assert_eq!(files(&fixture), expected);
}

#[tokio::test]
async fn a_failed_backup_leaves_no_file() {
    let fixture = TestStore::on_sqlite().await;
    // The table's root page is an index page: the error appears when rows are copied.
    execute_in(
        &fixture.sqlite_file().unwrap(),
        "PRAGMA writable_schema = on; UPDATE sqlite_schema SET rootpage = \
         (SELECT rootpage FROM sqlite_schema WHERE name = 'tenants_slug') WHERE name = 'refusals'",
    )
    .await;
    let before = files(&fixture);
    let url = fixture.options().database_url;
    let refused = back_up(&url, &backup_file(&fixture), fixture.now).await;
    let reason = refused.unwrap_err().source().unwrap().to_string();
    assert!(reason.contains("malformed"), "{reason}");
    assert_eq!(files(&fixture), before);
}

#[tokio::test]
async fn p55_a_backup_used_as_the_database_is_refused() {
    let fixture = TestStore::on_sqlite().await;
    fixture.tenant("acme").await;
    let file = backup_of(&fixture).await;
    let bytes = fs::read(&file).unwrap();
    for serves in [true, false] {
        let refused = Store::open(StoreOptions {
            database_url: format!("sqlite://{}?mode=rwc", file.display()),
            serves,
            ..fixture.options()
        });
        let refused = refused.await.unwrap_err();
        assert_eq!(
            refused.source().unwrap().to_string(),
            "this is a backup of 2026-03-02T12:00:00Z: `latchkey restore FILE` makes it a database"
        );
    }
    assert_eq!(fs::read(&file).unwrap(), bytes, "unchanged");
    // A copied backup can become a database, but only by an explicit restore.
    let url = format!("sqlite://{}", file.display());
    let refused = restore(&url, &file, &Word::default(), fixture.now)
        .await
        .unwrap();
    assert!(
        matches!(refused, Restoration::WordNeeded { .. }),
        "{refused:?}"
    );
    restore(&url, &file, &NOTHING, fixture.now).await.unwrap();
    let options = StoreOptions {
        database_url: url,
        ..fixture.options()
    };
    let store = Store::open(options).await.unwrap();
    store.tenants(&store.as_cli()).find("acme").await.unwrap();
}

#[tokio::test]
async fn an_invalid_backup_is_refused_and_changes_nothing() {
    let fixture = TestStore::on_sqlite().await;
    fixture.tenant("acme").await;
    let file = backup_of(&fixture).await;
    fixture.tenant("globex").await;
    let try_it =
        async |file: &Path| message(&try_restore(&fixture, file, &NOTHING).await.unwrap_err());

    let copy = |name: &str| {
        let copy = file.with_file_name(name);
        fs::copy(&file, &copy).unwrap();
        copy
    };
    let newer = copy("newer.db");
    execute_in(
        &newer,
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)",
    )
    .await;
    assert!(try_it(&newer).await.contains("newer version"));
    let unmarked = copy("unmarked.db");
    execute_in(&unmarked, "DROP TABLE backup_mark").await;
    assert!(
        try_it(&unmarked)
            .await
            .contains("is no backup that `latchkey backup` made")
    );
    let text = copy("text.db");
    fs::write(&text, "not a database, but long enough to be looked at").unwrap();
    assert!(try_it(&text).await.contains("file is not a database"));
    assert!(
        try_it(Path::new("/nowhere/backup.db"))
            .await
            .contains("is not there")
    );
    let damaged = copy("damaged.db");
    execute_in(&damaged, "PRAGMA writable_schema = on; \
         UPDATE sqlite_schema SET sql = 'CREATE INDEX tenants_slug ON tenants (key_limit)' WHERE name = 'tenants_slug'").await;
    assert!(try_it(&damaged).await.contains("is damaged"));

    // An unrelated file at the database's path is not replaced.
    let theirs = copy("theirs.db");
    fs::remove_file(&theirs).unwrap();
    fs::write(&theirs, "").unwrap();
    execute_in(&theirs, "CREATE TABLE songs (title text)").await;
    let url = format!("sqlite://{}", theirs.display());
    let refused = restore(&url, &file, &NOTHING, fixture.now)
        .await
        .unwrap_err();
    assert!(
        message(&refused).contains("is not latchkey's"),
        "{refused:?}"
    );
    let operator = fixture.store.as_cli();
    fixture
        .store
        .tenants(&operator)
        .find("globex")
        .await
        .unwrap();

    let copy = file.with_file_name("more.db");
    let refused = back_up(&url, &copy, fixture.now).await.unwrap_err();
    assert!(
        message(&refused).contains("is not latchkey's"),
        "{refused:?}"
    );
    let nothing = format!(
        "sqlite://{}?mode=rwc",
        file.with_file_name("none.db").display()
    );
    let refused = back_up(&nothing, &copy, fixture.now).await.unwrap_err();
    assert!(
        message(&refused).starts_with("there is no database: "),
        "{refused:?}"
    );
    assert!(!copy.exists() && !file.with_file_name("none.db").exists());

    let server = StoreOptions {
        serves: true,
        ..fixture.options()
    };
    let server = Store::open(server).await.unwrap();
    assert!(
        try_it(&file)
            .await
            .starts_with("another latchkey serves this database")
    );
    drop(server);
    restored(&fixture, &file, &Word::default()).await;
    fixture
        .store
        .tenants(&operator)
        .find("globex")
        .await
        .unwrap_err();
}

#[tokio::test]
async fn backup_and_restore_of_postgresql_are_refused_with_a_hint_at_pg_dump() {
    on_every_database(async |fixture| {
        if fixture.sqlite_file().is_some() {
            return;
        }
        let file = Path::new("backup.db");
        let refused = back_up(&fixture.options().database_url, file, fixture.now)
            .await
            .unwrap_err();
        assert!(message(&refused).contains("pg_dump"), "{refused:?}");
        let refused = try_restore(fixture, file, &NOTHING).await.unwrap_err();
        assert!(message(&refused).contains("pg_dump"), "{refused:?}");
    })
    .await;
}
