//! Restoring a backup of SQLite: data returns, access that was removed since the backup does not.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    audit::AuditAction,
    client_address::ClientAddress,
    id::KeyId,
    key::{
        KeyChanges, KeyStatus, RotatedExpiry,
        format::Secret,
        query::KeyQuery,
        verdict::{AllowlistOf, Refusal},
    },
    security_policy::{SecurityPolicy, SecurityPolicyChanges},
    store::{
        Store, StoreOptions, TenantScope,
        invitations::{Acceptance, AcceptedForm},
        restore::{NoWitness, Restoration, Restored, Word, restore},
        user_changes::UserChange,
    },
    user::Role,
    verify::Verifier,
};
use serde_json::json;
use std::{fs, path::Path};

use crate::{
    backup::{NOTHING, backup_file, backup_of, files, message, try_restore},
    keys::{ParseAllowlist, issue, new_key},
    sign_in::{HOME, MIRA, try_password},
    test_store::{TestStore, permission_set},
    user_changes::insert_user,
    users::{OTHER_PASSWORD, PASSWORD, add_user, email, number, one_text},
};

/// Restores and expects success.
pub(crate) async fn restored(fixture: &TestStore, file: &Path, word: &Word) -> Restored {
    match try_restore(fixture, file, word).await.expect("restored") {
        Restoration::Done(restored) => restored,
        Restoration::WordNeeded { reason, .. } => panic!("{reason}"),
    }
}

/// Asserts that the current database is unrelated to the backup, so that the operator must decide.
async fn assert_of_another_past(fixture: &TestStore, file: &Path) {
    let refused = try_restore(fixture, file, &Word::default())
        .await
        .expect("a result");
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
}

async fn judge(store: &Store, fixture: &TestStore, secret: &Secret) -> Result<(), Refusal> {
    let client = ClientAddress::known("192.0.2.7".parse().expect("an address"));
    let verifier = Verifier::new(store.clone());
    let verdict = verifier.verify(secret.expose(), client, None, fixture.now);
    verdict.await.expect("a verdict").map(|_| ())
}

async fn statuses(fixture: &TestStore, scope: &TenantScope) -> Vec<(String, KeyStatus)> {
    let keys = fixture.store.keys(scope);
    let page = keys.list(&KeyQuery::default(), fixture.now).await;
    let mut keys: Vec<_> = page
        .expect("a page")
        .items
        .into_iter()
        .map(|key| (key.name.to_string(), key.status))
        .collect();
    keys.sort_by(|one, other| one.0.cmp(&other.0));
    keys
}

/// Archives every revoked key.
async fn archive(fixture: &TestStore, now: DateTime<Utc>) {
    while fixture
        .store
        .archive_revoked_keys(0, now)
        .await
        .expect("archived")
    {}
}

#[tokio::test]
async fn p55_keys_archived_before_and_after_the_backup_stay_refused() {
    let fixture = TestStore::on_sqlite().await;
    let scope = fixture.tenant("acme").await;
    let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
    let kept = issue(&fixture, &scope, &group, "kept").await;
    let before = issue(&fixture, &scope, &group, "archived before").await;
    let since = issue(&fixture, &scope, &group, "archived since").await;
    let keys = fixture.store.keys(&scope);
    keys.revoke(before.key.id, fixture.now).await.unwrap();
    archive(&fixture, fixture.now).await;
    let file = backup_of(&fixture).await;
    let later = fixture.now + TimeDelta::hours(1);
    keys.revoke(since.key.id, later).await.unwrap();
    archive(&fixture, later).await;

    let done = restored(&fixture, &file, &Word::default()).await;
    let changes: Vec<_> = done
        .changes
        .iter()
        .map(|change| (change.target.name.as_str(), change.reason.as_str()))
        .collect();
    assert_eq!(changes, [("archived since", "the key was revoked since")]);
    let revoked = Err(Refusal::RevokedApiKey);
    for (secret, expected) in [
        (&kept.secret, Ok(())),
        (&before.secret, revoked.clone()),
        (&since.secret, revoked),
    ] {
        assert_eq!(judge(&fixture.store, &fixture, secret).await, expected);
    }
    let key = keys.get(since.key.id, later).await.unwrap();
    assert_eq!(
        key.revoked_at,
        Some(later),
        "the time of the archived revocation"
    );
}

#[tokio::test]
async fn p55_keys_revoked_or_rotated_since_the_backup_are_revoked_and_the_rest_is_restored() {
    let fixture = TestStore::on_sqlite().await;
    let scope = fixture.tenant("acme").await;
    let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
    let kept = issue(&fixture, &scope, &group, "kept").await;
    let revoked = issue(&fixture, &scope, &group, "revoked").await;
    let rotated = issue(&fixture, &scope, &group, "rotated").await;
    let before = issue(&fixture, &scope, &group, "revoked before").await;
    let keys = fixture.store.keys(&scope);
    keys.revoke(before.key.id, fixture.now).await.unwrap();
    let file = backup_of(&fixture).await;

    let later = fixture.now + TimeDelta::hours(1);
    keys.revoke(revoked.key.id, later).await.unwrap();
    let new = keys.rotate(rotated.key.id, RotatedExpiry::Keep, later);
    let new = new.await.unwrap();
    keys.create(new_key("made since", &group), later)
        .await
        .unwrap();
    let restored = restored(&fixture, &file, &Word::default()).await;

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
        statuses(&fixture, &scope).await,
        [
            ("kept".to_owned(), KeyStatus::Active),
            ("revoked".to_owned(), KeyStatus::Revoked),
            ("revoked before".to_owned(), KeyStatus::Revoked),
            ("rotated".to_owned(), KeyStatus::Revoked),
        ]
    );
    assert_eq!(judge(&fixture.store, &fixture, &kept.secret).await, Ok(()));
    for secret in [&revoked.secret, &before.secret, &rotated.secret] {
        assert_eq!(
            judge(&fixture.store, &fixture, secret).await,
            Err(Refusal::RevokedApiKey)
        );
    }
    assert!(
        judge(&fixture.store, &fixture, &new.value.secret)
            .await
            .is_err()
    );
    let key = keys.get(revoked.key.id, later).await.unwrap();
    assert_eq!((key.revoked_at, key.version), (Some(later), 2));

    let events = fixture.store.audit(&scope).newest(2).await.unwrap();
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
    // The restored rows are counted by the same triggers as all changes.
    let summary = keys.summary(&KeyQuery::default(), later).await.unwrap();
    assert_eq!((summary.total, summary.quota.used), (4, 1));
    issue(&fixture, &scope, &group, "made afterwards").await;

    // The replaced database can be restored like any backup.
    let replaced = restored.replaced.unwrap();
    assert_eq!(
        replaced.file_name().unwrap().to_str().unwrap(),
        "latchkey.db.before-restore-20260302T140000.000Z"
    );
    assert_of_another_past(&fixture, &replaced).await;
    fs::rename(&replaced, backup_file(&fixture).with_file_name("other.db")).unwrap();
    let other = backup_file(&fixture).with_file_name("other.db");
    self::restored(&fixture, &other, &NOTHING).await;
    assert_eq!(statuses(&fixture, &scope).await.len(), 5);
    // The replaced database records that this key is revoked, so the key stays revoked.
    assert_eq!(
        judge(&fixture.store, &fixture, &new.value.secret).await,
        Err(Refusal::RevokedApiKey)
    );
}

#[tokio::test]
async fn p55_a_revocation_in_an_unrelated_database_is_kept_even_if_the_operator_names_none() {
    let fixture = TestStore::on_sqlite().await;
    let scope = fixture.tenant("acme").await;
    let group = fixture.group(&scope, "Ordering", &[]).await;
    let revoked = issue(&fixture, &scope, &group, "revoked").await;
    let kept = issue(&fixture, &scope, &group, "kept").await;
    let first = backup_file(&fixture).with_file_name("first.db");
    fs::rename(backup_of(&fixture).await, &first).unwrap();
    // Gives the second backup an event that the first one lacks.
    issue(&fixture, &scope, &group, "between").await;
    let second = backup_of(&fixture).await;
    let replaced = restored(&fixture, &first, &NOTHING).await.replaced;
    // The file name contains the time, which does not advance in this test.
    fs::remove_file(replaced.unwrap()).unwrap();
    let keys = fixture.store.keys(&scope);
    let later = fixture.now + TimeDelta::hours(3);
    keys.revoke(revoked.key.id, later).await.unwrap();
    restored(&fixture, &second, &NOTHING).await;
    assert_eq!(
        judge(&fixture.store, &fixture, &revoked.secret).await,
        Err(Refusal::RevokedApiKey)
    );
    assert_eq!(judge(&fixture.store, &fixture, &kept.secret).await, Ok(()));
}

#[tokio::test]
async fn p55_permissions_roles_and_sessions_stay_as_restricted_since_the_backup() {
    let fixture = TestStore::on_sqlite().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let group = fixture
        .group(&acme, "Ordering", &["orders:read", "orders:write"])
        .await;
    let other = fixture.group(&acme, "Billing", &[]).await;
    let limited = issue(&fixture, &acme, &group, "limited").await.key;
    let moved = issue(&fixture, &acme, &group, "moved").await.key;
    let lost = issue(&fixture, &acme, &group, "lost").await.key;
    let deleted = fixture.group(&acme, "Deleted", &["customs:read"]).await;
    let old = issue(&fixture, &acme, &deleted, "of the deleted group").await;
    let deleted_before = fixture.group(&acme, "Deleted before", &[]).await;
    let groups = fixture.store.groups(&acme);
    groups
        .delete(deleted_before.id, None, fixture.now)
        .await
        .unwrap();
    add_user(&fixture, MIRA, Role::TenantAdmin, Some("acme")).await;
    add_user(&fixture, "joe@acme.example", Role::Member, Some("acme")).await;
    for (address, role) in [
        ("demoted@acme.example", Role::TenantAdmin),
        ("enabled@acme.example", Role::Member),
    ] {
        insert_user(&fixture, address, role).await;
    }
    let cli = fixture.store.as_cli();
    let enabled = email("enabled@acme.example");
    let users = fixture.store.users(&cli);
    users.disable(&enabled, fixture.now).await.unwrap();
    try_password(&fixture, MIRA, PASSWORD, HOME, fixture.now)
        .await
        .tokens();
    let file = backup_of(&fixture).await;

    let later = fixture.now + TimeDelta::hours(1);
    let keys = fixture.store.keys(&acme);
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
    let made_since = fixture.group(&acme, "Made since", &[]).await;
    edit(lost.id, into(made_since.id)).await;
    keys.revoke(old.key.id, later).await.unwrap();
    groups.delete(deleted.id, None, later).await.unwrap();
    let fewer = permission_set(&["orders:read"]);
    groups
        .set_permissions("Ordering", fewer.clone(), later)
        .await
        .unwrap();
    let operator = fixture.store.as_cli();
    let (tenants, users) = (
        fixture.store.tenants(&operator),
        fixture.store.users(&operator),
    );
    tenants.suspend("globex", later).await.unwrap();
    users
        .disable(&email("joe@acme.example"), later)
        .await
        .unwrap();
    users
        .set_password(&email(MIRA), OTHER_PASSWORD, later)
        .await
        .unwrap();
    let demote = UserChange::SetRole(Role::Member);
    let demoted = email("demoted@acme.example");
    users.change(&demoted, demote, later).await.unwrap();
    users
        .change(&enabled, UserChange::Enable, later)
        .await
        .unwrap();
    let restored = restored(&fixture, &file, &Word::default()).await;

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
            ("api_key.revoked", "of the deleted group"),
            ("api_key.updated", "limited"),
            ("api_key.updated", "moved"),
            ("authorization_group.deleted", "Deleted"),
            ("authorization_group.permissions_changed", "Ordering"),
            ("tenant.suspended", "globex"),
            ("user.disabled", "joe@acme.example"),
            ("user.enabled", "enabled@acme.example"),
            ("user.password_changed", MIRA),
            ("user.role_changed", "demoted@acme.example"),
        ]
    );
    let role = "SELECT role FROM users WHERE email = 'demoted@acme.example'";
    assert_eq!(one_text(&fixture, role).await, "member");
    let disabled = "SELECT count(*) FROM users WHERE disabled_at IS NOT NULL";
    assert_eq!(number(&fixture, disabled).await, 1);
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
    assert!(groups.find("Deleted").await.is_err());
    // The name is free again, as after the deletion.
    fixture.group(&acme, "Deleted", &[]).await;
    let tenant = tenants.find("globex").await.unwrap();
    assert_eq!(tenant.suspended_at, Some(later));
    let events = fixture.store.audit(&globex).newest(1).await.unwrap();
    assert_eq!(events[0].action, AuditAction::TenantSuspended);

    // The backup contains a session that a later password change ended.
    assert_eq!(number(&fixture, "SELECT count(*) FROM sessions").await, 0);
    let day = fixture.now + TimeDelta::days(1);
    assert!(
        try_password(&fixture, MIRA, PASSWORD, HOME, day)
            .await
            .refused()
    );
    assert!(
        try_password(&fixture, MIRA, OTHER_PASSWORD, HOME, day)
            .await
            .signed_in()
    );
    let joe = try_password(&fixture, "joe@acme.example", PASSWORD, HOME, day).await;
    assert!(joe.user_disabled());
}

#[tokio::test]
async fn p55_no_link_works_after_a_restore() {
    let fixture = TestStore::on_sqlite().await;
    let acme = fixture.tenant("acme").await;
    let users = fixture.store.tenant_users(&acme);
    let mut links = Vec::new();
    for address in ["used@acme.example", "open@acme.example"] {
        let address = email(address);
        let invited = users.invite(&address, Role::Member, fixture.now);
        links.push(invited.await.unwrap());
    }
    let file = backup_of(&fixture).await;
    let form = AcceptedForm {
        name: "Sanne Vos",
        password: PASSWORD,
    };
    let accept = async |link: usize| {
        let invitations = fixture.store.invitations();
        let client = ClientAddress::known("192.0.2.7".parse().unwrap());
        let accepted = invitations.accept(&links[link].token, form, client, fixture.now);
        accepted.await.unwrap()
    };
    assert!(matches!(accept(0).await, Acceptance::Accepted { .. }));
    restored(&fixture, &file, &Word::default()).await;
    for link in 0..links.len() {
        assert_eq!(accept(link).await, Acceptance::Unknown);
    }
    assert_eq!(number(&fixture, "SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn p55_without_a_current_database_the_operator_has_to_name_the_revocations() {
    let fixture = TestStore::on_sqlite().await;
    let scope = fixture.tenant("acme").await;
    let group = fixture.group(&scope, "Ordering", &[]).await;
    let first = issue(&fixture, &scope, &group, "first").await;
    let second = issue(&fixture, &scope, &group, "second").await;
    add_user(&fixture, MIRA, Role::TenantAdmin, Some("acme")).await;
    let file = backup_of(&fixture).await;
    let elsewhere = tempfile::TempDir::new().unwrap();
    let place = elsewhere.path().join("latchkey.db");
    let options = StoreOptions {
        database_url: format!("sqlite://{}", place.display()),
        ..fixture.options()
    };
    let try_there =
        async |word: &Word| restore(&options.database_url, &file, word, fixture.now).await;

    let refused = try_there(&Word::default()).await.unwrap();
    assert_eq!(
        refused,
        Restoration::WordNeeded {
            taken_at: fixture.now,
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
        judge(&store, &fixture, &first.secret).await,
        Err(Refusal::RevokedApiKey)
    );
    assert_eq!(judge(&store, &fixture, &second.secret).await, Ok(()));

    // The database has every event of the backup, so the backup can be restored again; the operator's revocations stay.
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

    // An unrelated database, such as an empty one that a server created in place of the lost one, has no revocations.
    let stranger = TestStore::on_sqlite().await;
    assert_of_another_past(&stranger, &file).await;
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
        assert_eq!(judge(&stranger.store, &fixture, secret).await, Ok(()));
    }
    let mira = try_password(&stranger, MIRA, PASSWORD, HOME, fixture.now).await;
    assert!(mira.signed_in());
}

#[tokio::test]
async fn a_restored_database_has_the_statistics_that_choose_the_audit_logs_indexes() {
    let fixture = TestStore::on_sqlite().await;
    fixture.tenant("acme").await;
    let backup = backup_of(&fixture).await;
    restored(&fixture, &backup, &NOTHING).await;
    let statistics = "SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'audit_events'";
    let indexes = "SELECT count(*) FROM sqlite_schema WHERE tbl_name = 'audit_events' AND sql LIKE 'CREATE INDEX%'";
    let expected = number(&fixture, indexes).await;
    assert!(expected > 0);
    assert_eq!(number(&fixture, statistics).await, expected);
}

#[tokio::test]
async fn p55_the_security_policy_is_as_it_is_now() {
    let fixture = TestStore::on_sqlite().await;
    let scope = fixture.tenant("acme").await;
    let other = fixture.tenant("globex").await;
    let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
    let kept = issue(&fixture, &scope, &group, "kept").await;
    let file = backup_of(&fixture).await;
    let later = fixture.now + TimeDelta::hours(1);
    let changes = SecurityPolicyChanges {
        expiration_required: Some(true),
        max_lifetime_days: Some(Some(90.try_into().unwrap())),
        default_lifetime_days: None,
        ip_allowlist: Some("203.0.113.0/24".parse_allowlist()),
        second_factor_required: Some(true),
    };
    let policies = fixture.store.security_policy(&scope);
    let changed = policies.change(changes, None, later).await.unwrap().value;

    let done = restored(&fixture, &file, &Word::default()).await;
    let [change] = done.changes.as_slice() else {
        panic!("{:?}", done.changes)
    };
    assert_eq!(change.action, AuditAction::SecurityPolicyChanged);
    assert_eq!(change.target.name, "acme");
    assert_eq!(change.reason, "the security policy was changed since");
    let now = policies.get().await.unwrap();
    assert!(now.version > changed.version, "an old tag matches nothing");
    let expected = SecurityPolicy {
        version: now.version,
        ..changed
    };
    assert_eq!(now, expected);
    assert_eq!(
        judge(&fixture.store, &fixture, &kept.secret).await,
        Err(Refusal::IpNotAllowed(AllowlistOf::Tenant))
    );
    let theirs = fixture.store.security_policy(&other).get().await.unwrap();
    assert!(theirs.ip_allowlist.is_empty());
    let events = fixture.store.audit(&scope).newest(10).await.unwrap();
    let event = (events.iter()).find(|event| event.action == AuditAction::SecurityPolicyChanged);
    let changes = &event.expect("an event").changes;
    assert_eq!(changes["ip_allowlist"]["after"], json!(["203.0.113.0/24"]));
    assert_eq!(changes["second_factor_required"]["after"], json!(true));
    assert_eq!(changes.get("default_lifetime_days"), None);
}
