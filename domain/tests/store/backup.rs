//! Backups of SQLite, and what comes back when one is restored: never what was taken away since. (On SQLite alone: PostgreSQL has its
//! own tools.)

use chrono::TimeDelta;
use domain::{
    Error,
    audit::AuditAction,
    client_address::ClientAddress,
    id::KeyId,
    key::{
        IssuedKey, KeyChanges, KeyStatus, RotatedExpiry, format::Secret, query::KeyQuery,
        verdict::Refusal,
    },
    store::{
        Store, StoreOptions, TenantScope,
        backup::back_up,
        restore::{NoWitness, Restoration, Restored, Word, restore},
    },
    user::Role,
    verify::Verifier,
};
use sea_orm::{ConnectionTrait, Database};
use serde_json::json;
use std::{
    error::Error as _,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    keys::{ParseAllowlist, issue, new_key},
    sign_in::{HOME, MIRA, try_password},
    users::{OTHER_PASSWORD, PASSWORD, add_user, email, number},
    world::{World, on_every_database, permission_set},
};

const NOTHING: Word = Word {
    revoke: Vec::new(),
    nothing_was_revoked: true,
};

fn backup_file(world: &World) -> PathBuf {
    world
        .sqlite_file()
        .expect("SQLite")
        .with_file_name("backup.db")
}

async fn backup_of(world: &World) -> PathBuf {
    let file = backup_file(world);
    let made = back_up(&world.options().database_url, &file, world.now).await;
    assert_eq!(made.expect("a backup").path, file);
    file
}

async fn try_restore(world: &World, file: &Path, word: &Word) -> Result<Restoration, Error> {
    let later = world.now + TimeDelta::hours(2);
    restore(&world.options().database_url, file, word, later).await
}

async fn restored(world: &World, file: &Path, word: &Word) -> Restored {
    match try_restore(world, file, word).await.expect("restored") {
        Restoration::Done(restored) => restored,
        Restoration::WordNeeded { reason, .. } => panic!("{reason}"),
    }
}

/// What the one thing is that is wrong.
fn message(refused: &Error) -> String {
    match refused {
        Error::Invalid(errors) => errors[0].message.clone(),
        Error::Unavailable(source) => source.to_string(),
        error => panic!("{error:?}"),
    }
}

async fn judge(store: &Store, world: &World, secret: &Secret) -> Result<(), Refusal> {
    let client = ClientAddress::known("192.0.2.7".parse().expect("an address"));
    let verifier = Verifier::new(store.clone());
    let verdict = verifier.verify(secret.expose(), client, None, world.now);
    verdict.await.expect("a verdict").map(|_| ())
}

/// What stands in that file, by a connection of the test's own.
async fn execute_in(file: &Path, sql: &str) {
    let url = format!("sqlite://{}", file.display());
    let connection = Database::connect(url).await.expect("a connection");
    connection.execute_unprepared(sql).await.expect("executed");
    connection.close().await.expect("closed");
}

/// Every file beside the database.
fn files(world: &World) -> Vec<String> {
    let folder = world.sqlite_file().expect("SQLite");
    let folder = folder.parent().expect("a folder").read_dir();
    let mut names: Vec<_> = folder
        .expect("a folder")
        .map(|entry| entry.expect("a file").file_name().into_string())
        .map(|name| name.expect("UTF-8"))
        .collect();
    names.sort();
    names
}

async fn statuses(world: &World, scope: &TenantScope) -> Vec<(String, KeyStatus)> {
    let keys = world.store.keys(scope);
    let page = keys.list(&KeyQuery::default(), world.now).await;
    let mut keys: Vec<_> = page
        .expect("a page")
        .items
        .into_iter()
        .map(|key| (key.name.to_string(), key.status))
        .collect();
    keys.sort_by(|one, other| one.0.cmp(&other.0));
    keys
}

#[tokio::test]
async fn p55_what_was_revoked_or_rotated_since_is_revoked_and_the_rest_is_as_it_was() {
    let world = World::on_sqlite().await;
    let scope = world.tenant("acme").await;
    let group = world.group(&scope, "Ordering", &["orders:read"]).await;
    let kept = issue(&world, &scope, &group, "kept").await;
    let revoked = issue(&world, &scope, &group, "revoked").await;
    let rotated = issue(&world, &scope, &group, "rotated").await;
    let before = issue(&world, &scope, &group, "revoked before").await;
    let keys = world.store.keys(&scope);
    keys.revoke(before.key.id, world.now).await.unwrap();
    let file = backup_of(&world).await;

    let later = world.now + TimeDelta::hours(1);
    keys.revoke(revoked.key.id, later).await.unwrap();
    let new = keys.rotate(rotated.key.id, RotatedExpiry::Keep, later);
    let new = new.await.unwrap();
    keys.create(new_key("made since", &group), later)
        .await
        .unwrap();
    let restored = restored(&world, &file, &Word::default()).await;

    let changes: Vec<_> = restored
        .changes
        .iter()
        .map(|change| {
            (
                change.action,
                change.target.name.as_str(),
                change.reason.as_str(),
            )
        })
        .collect();
    assert_eq!(
        changes,
        [
            (
                AuditAction::ApiKeyRevoked,
                "revoked",
                "the key was revoked since"
            ),
            (
                AuditAction::ApiKeyRevoked,
                "rotated",
                "the key got a new secret since"
            ),
        ]
    );
    assert_eq!(
        statuses(&world, &scope).await,
        [
            ("kept".to_owned(), KeyStatus::Active),
            ("revoked".to_owned(), KeyStatus::Revoked),
            ("revoked before".to_owned(), KeyStatus::Revoked),
            ("rotated".to_owned(), KeyStatus::Revoked),
        ]
    );
    assert_eq!(judge(&world.store, &world, &kept.secret).await, Ok(()));
    for secret in [&revoked.secret, &before.secret, &rotated.secret] {
        assert_eq!(
            judge(&world.store, &world, secret).await,
            Err(Refusal::RevokedApiKey)
        );
    }
    assert!(judge(&world.store, &world, &new.secret).await.is_err());
    let key = keys.get(revoked.key.id, later).await.unwrap();
    assert_eq!((key.revoked_at, key.version), (Some(later), 2));

    let events = world.store.audit(&scope).newest(2).await.unwrap();
    for event in &events {
        assert_eq!(event.action, AuditAction::ApiKeyRevoked);
        assert_eq!(
            event.changes["status"],
            json!({ "before": "active", "after": "revoked" })
        );
        let reason = event.changes["reason"]["after"].as_str().unwrap();
        assert!(
            reason.ends_with(": restored from the backup of 2026-03-02T12:00:00Z"),
            "{reason}"
        );
    }
    // Counted as everything that the store itself does.
    let summary = keys.summary(&KeyQuery::default(), later).await.unwrap();
    assert_eq!((summary.total, summary.usage.used), (4, 1));
    issue(&world, &scope, &group, "made afterwards").await;

    // The other way round: what was replaced is a backup as any other.
    let replaced = restored.replaced.unwrap();
    assert_eq!(
        replaced.file_name().unwrap().to_str().unwrap(),
        "latchkey.db.before-restore-20260302T140000.000Z"
    );
    let refused = try_restore(&world, &replaced, &Word::default())
        .await
        .unwrap();
    assert!(
        matches!(
            refused,
            Restoration::WordNeeded {
                reason: NoWitness::AnotherPast,
                ..
            }
        ),
        "{refused:?}"
    );
    fs::rename(&replaced, backup_file(&world).with_file_name("other.db")).unwrap();
    let other = backup_file(&world).with_file_name("other.db");
    self::restored(&world, &other, &NOTHING).await;
    assert_eq!(statuses(&world, &scope).await.len(), 5);
    // Whatever was said: the database that was there knew that this key is revoked.
    assert_eq!(
        judge(&world.store, &world, &new.secret).await,
        Err(Refusal::RevokedApiKey)
    );
}

#[tokio::test]
async fn p55_a_revocation_that_another_past_knows_of_counts_whatever_is_said() {
    let world = World::on_sqlite().await;
    let scope = world.tenant("acme").await;
    let group = world.group(&scope, "Ordering", &[]).await;
    let revoked = issue(&world, &scope, &group, "revoked").await;
    let kept = issue(&world, &scope, &group, "kept").await;
    let first = backup_file(&world).with_file_name("first.db");
    fs::rename(backup_of(&world).await, &first).unwrap();
    // So that the second backup has an event that the first has not.
    issue(&world, &scope, &group, "between").await;
    let second = backup_of(&world).await;
    let replaced = restored(&world, &first, &NOTHING).await.replaced;
    // The clock of these tests stands still, and so would its name.
    fs::remove_file(replaced.unwrap()).unwrap();
    let keys = world.store.keys(&scope);
    let later = world.now + TimeDelta::hours(3);
    keys.revoke(revoked.key.id, later).await.unwrap();
    restored(&world, &second, &NOTHING).await;
    assert_eq!(
        judge(&world.store, &world, &revoked.secret).await,
        Err(Refusal::RevokedApiKey)
    );
    assert_eq!(judge(&world.store, &world, &kept.secret).await, Ok(()));
}

#[tokio::test]
async fn p55_who_may_do_what_is_as_it_is_now() {
    let world = World::on_sqlite().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let group = world
        .group(&acme, "Ordering", &["orders:read", "orders:write"])
        .await;
    let other = world.group(&acme, "Billing", &[]).await;
    let limited = issue(&world, &acme, &group, "limited").await.key;
    let moved = issue(&world, &acme, &group, "moved").await.key;
    let lost = issue(&world, &acme, &group, "lost").await.key;
    add_user(&world, MIRA, Role::TenantAdmin, Some("acme")).await;
    add_user(&world, "joe@acme.example", Role::Member, Some("acme")).await;
    try_password(&world, MIRA, PASSWORD, HOME, world.now)
        .await
        .tokens();
    let file = backup_of(&world).await;

    let later = world.now + TimeDelta::hours(1);
    let keys = world.store.keys(&acme);
    let edit = async |id: KeyId, changes: KeyChanges| {
        keys.update(id, changes, None, later).await.unwrap();
    };
    let allowlist = KeyChanges {
        allowlist: Some("10.0.0.0/8\n192.0.2.0/24".parse_allowlist()),
        ..KeyChanges::default()
    };
    edit(limited.id, allowlist).await;
    let into = |group_id| KeyChanges {
        group_id: Some(group_id),
        ..KeyChanges::default()
    };
    edit(moved.id, into(other.id)).await;
    let made_since = world.group(&acme, "Made since", &[]).await;
    edit(lost.id, into(made_since.id)).await;
    let groups = world.store.groups(&acme);
    let fewer = permission_set(&["orders:read"]);
    groups
        .set_permissions("Ordering", fewer.clone(), later)
        .await
        .unwrap();
    let operator = world.store.as_cli();
    let (tenants, users) = (world.store.tenants(&operator), world.store.users(&operator));
    tenants.suspend("globex", later).await.unwrap();
    users
        .disable(&email("joe@acme.example"), later)
        .await
        .unwrap();
    users
        .set_password(&email(MIRA), OTHER_PASSWORD, later)
        .await
        .unwrap();
    let restored = restored(&world, &file, &Word::default()).await;

    let mut done: Vec<_> = restored
        .changes
        .iter()
        .map(|change| (change.action.as_str(), change.target.name.as_str()))
        .collect();
    done.sort_unstable();
    assert_eq!(
        done,
        [
            ("api_key.revoked", "lost"),
            ("api_key.updated", "limited"),
            ("api_key.updated", "moved"),
            ("authorization_group.permissions_changed", "Ordering"),
            ("tenant.suspended", "globex"),
            ("user.disabled", "joe@acme.example"),
            ("user.password_changed", MIRA),
        ]
    );
    let key = keys.get(limited.id, later).await.unwrap();
    assert_eq!(key.ip_allowlist.to_lines(), "10.0.0.0/8\n192.0.2.0/24");
    let key = keys.get(moved.id, later).await.unwrap();
    assert_eq!(key.authorization_group.id, other.id);
    assert_eq!(
        keys.get(lost.id, later).await.unwrap().status,
        KeyStatus::Revoked
    );
    assert_eq!(groups.find("Ordering").await.unwrap().permissions, fewer);
    assert!(groups.find("Made since").await.is_err());
    let tenant = tenants.find("globex").await.unwrap();
    assert_eq!(tenant.suspended_at, Some(later));
    let events = world.store.audit(&globex).newest(1).await.unwrap();
    assert_eq!(events[0].action, AuditAction::TenantSuspended);

    // A session that the backup had, and that the new password had ended.
    assert_eq!(number(&world, "SELECT count(*) FROM sessions").await, 0);
    let day = world.now + TimeDelta::days(1);
    assert!(
        try_password(&world, MIRA, PASSWORD, HOME, day)
            .await
            .refused()
    );
    assert!(
        try_password(&world, MIRA, OTHER_PASSWORD, HOME, day)
            .await
            .signed_in()
    );
    let joe = try_password(&world, "joe@acme.example", PASSWORD, HOME, day).await;
    assert!(joe.refused());
}

#[tokio::test]
async fn p55_where_no_database_knows_the_operator_has_to_say_what_was_revoked() {
    let world = World::on_sqlite().await;
    let scope = world.tenant("acme").await;
    let group = world.group(&scope, "Ordering", &[]).await;
    let first = issue(&world, &scope, &group, "first").await;
    let second = issue(&world, &scope, &group, "second").await;
    let file = backup_of(&world).await;
    let elsewhere = tempfile::TempDir::new().unwrap();
    let place = elsewhere.path().join("latchkey.db");
    let options = StoreOptions {
        database_url: format!("sqlite://{}", place.display()),
        ..world.options()
    };
    let try_there =
        async |word: &Word| restore(&options.database_url, &file, word, world.now).await;

    let refused = try_there(&Word::default()).await.unwrap();
    assert_eq!(
        refused,
        Restoration::WordNeeded {
            taken_at: world.now,
            reason: NoWitness::NoDatabase
        }
    );
    assert!(!place.exists());
    let unknown = Word {
        revoke: vec![
            first.key.id,
            "019a0000-0000-7000-8000-000000000000".parse().unwrap(),
        ],
        ..Word::default()
    };
    let refused = try_there(&unknown).await.unwrap_err();
    assert_eq!(
        message(&refused),
        "there is no API key '019a0000-0000-7000-8000-000000000000' in the backup"
    );
    assert!(!place.exists());

    let named = Word {
        revoke: vec![first.key.id],
        ..Word::default()
    };
    let Restoration::Done(done) = try_there(&named).await.unwrap() else {
        panic!("not restored");
    };
    assert_eq!((done.replaced, done.changes.len()), (None, 1));
    let store = Store::open(options.clone()).await.unwrap();
    assert_eq!(
        judge(&store, &world, &first.secret).await,
        Err(Refusal::RevokedApiKey)
    );
    assert_eq!(judge(&store, &world, &second.secret).await, Ok(()));

    // It has every event of the backup, and so the backup may come again: what the operator has said, stays.
    let Restoration::Done(again) = try_there(&Word::default()).await.unwrap() else {
        panic!("not restored");
    };
    assert_eq!(
        again.changes,
        done.changes
            .iter()
            .cloned()
            .map(|mut change| {
                change.reason = "the key was revoked since".to_owned();
                change
            })
            .collect::<Vec<_>>()
    );

    // A database of another past, such as an empty one that a server has made in place of the lost one, knows nothing.
    let stranger = World::on_sqlite().await;
    let refused = try_restore(&stranger, &file, &Word::default())
        .await
        .unwrap();
    assert!(
        matches!(
            refused,
            Restoration::WordNeeded {
                reason: NoWitness::AnotherPast,
                ..
            }
        ),
        "{refused:?}"
    );
    let before = files(&stranger);
    assert_eq!(
        before,
        [
            "latchkey.db",
            "latchkey.db-shm",
            "latchkey.db-wal",
            "latchkey.db.lock"
        ]
    );
    let done = restored(&stranger, &file, &NOTHING).await;
    assert!(done.changes.is_empty() && done.replaced.is_some_and(|file| file.exists()));
    for secret in [&first.secret, &second.secret] {
        assert_eq!(judge(&stranger.store, &world, secret).await, Ok(()));
    }
}

#[tokio::test]
async fn p31_p55_a_backup_is_whole_its_owners_alone_and_holds_no_secret() {
    let world = World::on_sqlite().await;
    let scope = world.tenant("acme").await;
    let group = world.group(&scope, "Ordering", &[]).await;
    let IssuedKey { key, secret } = issue(&world, &scope, &group, "A name to find").await;
    let file = backup_file(&world);
    let backup = back_up(&world.options().database_url, &file, world.now)
        .await
        .unwrap();
    let metadata = fs::metadata(&file).unwrap();
    assert_eq!(
        (backup.bytes, backup.tenants, backup.keys),
        (metadata.len(), 1, 1)
    );
    assert_eq!(backup.taken_at, world.now);
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777,
        0o600
    );
    // One file, with nothing beside it that it would need.
    let expected = [
        "backup.db",
        "latchkey.db",
        "latchkey.db-shm",
        "latchkey.db-wal",
    ];
    assert_eq!(files(&world), expected);

    let bytes = fs::read(&file).unwrap();
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds("A name to find") && holds(&key.hint));
    assert!(!holds(secret.expose()) && !holds(&secret.expose()[3..19]));

    // A second one does not take its place.
    let refused = back_up(&world.options().database_url, &file, world.now)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, Error::AlreadyExists { what: "file", .. }),
        "{refused:?}"
    );
    assert_eq!(fs::read(&file).unwrap(), bytes);
    let nowhere = file.with_file_name("nowhere").join("backup.db");
    let refused = back_up(&world.options().database_url, &nowhere, world.now)
        .await
        .unwrap_err();
    assert!(
        message(&refused).starts_with("cannot write "),
        "{refused:?}"
    );
    assert_eq!(files(&world), expected);
}

#[tokio::test]
async fn a_backup_that_fails_leaves_nothing_behind() {
    let world = World::on_sqlite().await;
    // A table whose first page is one of an index: found out when its rows are copied.
    execute_in(
        &world.sqlite_file().unwrap(),
        "PRAGMA writable_schema = on; UPDATE sqlite_schema SET rootpage = \
         (SELECT rootpage FROM sqlite_schema WHERE name = 'tenants_slug') WHERE name = 'refusals'",
    )
    .await;
    let before = files(&world);
    let url = world.options().database_url;
    let refused = back_up(&url, &backup_file(&world), world.now).await;
    let reason = refused.unwrap_err().source().unwrap().to_string();
    assert!(reason.contains("malformed"), "{reason}");
    assert_eq!(files(&world), before);
}

#[tokio::test]
async fn p55_a_backup_in_the_place_of_the_database_is_refused() {
    let world = World::on_sqlite().await;
    world.tenant("acme").await;
    let file = backup_of(&world).await;
    let bytes = fs::read(&file).unwrap();
    for serves in [true, false] {
        let refused = Store::open(StoreOptions {
            database_url: format!("sqlite://{}?mode=rwc", file.display()),
            serves,
            ..world.options()
        });
        let refused = refused.await.unwrap_err();
        assert_eq!(
            refused.source().unwrap().to_string(),
            "this is a backup of 2026-03-02T12:00:00Z: `latchkey restore FILE` makes it a database"
        );
    }
    assert_eq!(fs::read(&file).unwrap(), bytes, "not touched");
    // Where it was copied to, it can be made a database as well, but not without a word.
    let url = format!("sqlite://{}", file.display());
    let refused = restore(&url, &file, &Word::default(), world.now)
        .await
        .unwrap();
    assert!(
        matches!(refused, Restoration::WordNeeded { .. }),
        "{refused:?}"
    );
    restore(&url, &file, &NOTHING, world.now).await.unwrap();
    let options = StoreOptions {
        database_url: url,
        ..world.options()
    };
    let store = Store::open(options).await.unwrap();
    store.tenants(&store.as_cli()).find("acme").await.unwrap();
}

#[tokio::test]
async fn what_is_no_good_backup_is_refused_and_nothing_is_changed() {
    let world = World::on_sqlite().await;
    world.tenant("acme").await;
    let file = backup_of(&world).await;
    world.tenant("globex").await;
    let try_it =
        async |file: &Path| message(&try_restore(&world, file, &NOTHING).await.unwrap_err());

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

    // Nor is everything replaced that there is.
    let theirs = copy("theirs.db");
    fs::remove_file(&theirs).unwrap();
    fs::write(&theirs, "").unwrap();
    execute_in(&theirs, "CREATE TABLE songs (title text)").await;
    let url = format!("sqlite://{}", theirs.display());
    let refused = restore(&url, &file, &NOTHING, world.now).await.unwrap_err();
    assert!(
        message(&refused).contains("is not latchkey's"),
        "{refused:?}"
    );
    let operator = world.store.as_cli();
    world.store.tenants(&operator).find("globex").await.unwrap();

    let copy = file.with_file_name("more.db");
    let refused = back_up(&url, &copy, world.now).await.unwrap_err();
    assert!(
        message(&refused).contains("is not latchkey's"),
        "{refused:?}"
    );
    let nothing = format!(
        "sqlite://{}?mode=rwc",
        file.with_file_name("none.db").display()
    );
    let refused = back_up(&nothing, &copy, world.now).await.unwrap_err();
    assert!(
        message(&refused).starts_with("there is no database: "),
        "{refused:?}"
    );
    assert!(!copy.exists() && !file.with_file_name("none.db").exists());

    let server = StoreOptions {
        serves: true,
        ..world.options()
    };
    let server = Store::open(server).await.unwrap();
    assert!(
        try_it(&file)
            .await
            .starts_with("another latchkey serves this database")
    );
    drop(server);
    restored(&world, &file, &Word::default()).await;
    world
        .store
        .tenants(&operator)
        .find("globex")
        .await
        .unwrap_err();
}

#[tokio::test]
async fn postgres_has_its_own_tools() {
    on_every_database(async |world| {
        if world.sqlite_file().is_some() {
            return;
        }
        let file = Path::new("backup.db");
        let refused = back_up(&world.options().database_url, file, world.now)
            .await
            .unwrap_err();
        assert!(message(&refused).contains("pg_dump"), "{refused:?}");
        let refused = try_restore(world, file, &NOTHING).await.unwrap_err();
        assert!(message(&refused).contains("pg_dump"), "{refused:?}");
    })
    .await;
}
