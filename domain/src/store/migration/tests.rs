//! Migrations of each earlier schema, with its data, on both engines.

use chrono::{DateTime, Utc};
use sea_orm::{Database, Statement, Value};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{
    audit::AuditQuery,
    client_address::ClientAddress,
    group::GroupType,
    id::KeyId,
    key::{
        KeyStatus,
        format::{KeyPrefix, Secret},
        query::{KeyQuery, KeySort},
    },
    store::{
        Store, StoreOptions,
        backup::back_up,
        groups::NewGroup,
        random,
        restore::{Word, restore},
        tenants::TenantQuery,
        test_store::TestStore,
    },
    verify::Verifier,
};

/// Names that ASCII-only lower-casing, careless quoting or a pattern would spoil.
const GROUPS: [&str; 4] = ["ÄPFEL", "zebra's \"%_\\", "ΟΔΟΣ", "Ordering"];

/// Creates a database with the first `steps` migrations. It has a tenant, its groups, and two keys in each, all written after the first
/// migration: one key with every column filled, and one with every permitted NULL. Returns the secrets of the former.
async fn earlier_schema(url: &str, steps: usize, now: DateTime<Utc>) -> Vec<Secret> {
    let connection = Database::connect(url).await.expect("a connection");
    let transaction = connection.begin().await.expect("a transaction");
    Migrator::up(&transaction, Some(1)).await.expect("the step");
    let backend = transaction.get_database_backend();
    let execute = async |sql: &str, values: Vec<Value>| {
        let statement = Statement::from_sql_and_values(backend, sql, values);
        transaction.execute_raw(statement).await.expect("written");
    };
    let tenant = Uuid::now_v7();
    execute(
        "INSERT INTO tenants (id, slug, name, key_limit, created_at, updated_at, version) \
         VALUES ($1, 'acme', 'Acme', 10, $2, $2, 1)",
        vec![tenant.into(), now.into()],
    )
    .await;
    let mut secrets = Vec::new();
    for name in GROUPS {
        let group = Uuid::now_v7();
        execute(
            "INSERT INTO authorization_groups (id, tenant_id, name, kind, permissions, \
             created_at, updated_at, version) \
             VALUES ($1, $2, $3, 'tenant_api_key', '[\"orders:read\"]', $4, $4, 1)",
            vec![group.into(), tenant.into(), name.into(), now.into()],
        )
        .await;
        for filled in [true, false] {
            let secret = Secret::generate(&KeyPrefix::default(), random::fill);
            let secret = secret.expect("random bytes");
            let time = filled.then_some(now);
            let revoked_at = (!filled).then_some(now);
            let date = filled.then(|| now.date_naive());
            let key_name = format!("{name} 🔑\u{301}%");
            execute(
                "INSERT INTO api_keys (id, tenant_id, group_id, name, name_lower, description, \
                 description_lower, hint, secret_digest, expires_on, ip_allowlist, \
                 created_by_kind, created_by_id, created_by_name, created_at, updated_at, \
                 rotated_at, revoked_at, last_used_at, last_used_ip, version) \
                 VALUES ($1, $2, $3, $4, $5, '', '', 'lk_…', $6, $7, '192.0.2.0/24', 'cli', $8, \
                 'latchkey', $9, $9, $10, $11, $10, $12, 3)",
                vec![
                    Uuid::now_v7().into(),
                    tenant.into(),
                    group.into(),
                    key_name.as_str().into(),
                    key_name.to_lowercase().into(),
                    random::digest(secret.expose()).into(),
                    date.into(),
                    filled.then(Uuid::now_v7).into(),
                    now.into(),
                    time.into(),
                    revoked_at.into(),
                    filled.then(|| "192.0.2.7".to_owned()).into(),
                ],
            )
            .await;
            if filled {
                secrets.push(secret);
            }
        }
    }
    for _ in 1..steps {
        Migrator::up(&transaction, Some(1)).await.expect("a step");
    }
    transaction.commit().await.expect("committed");
    connection.close().await.expect("closed");
    secrets
}

async fn assert_is_brought_up_to_date(options: StoreOptions, steps: usize, now: DateTime<Utc>) {
    let secrets = earlier_schema(&options.database_url, steps, now).await;
    let store = Store::open(options).await.expect("a store");
    let verifier = Verifier::new(store.clone());
    for secret in &secrets {
        let client = ClientAddress::known("192.0.2.9".parse().expect("an address"));
        let verdict = verifier.verify(secret.expose(), client, None, now).await;
        verdict.expect("a verdict").expect("a good key");
    }
    let operator = store.as_cli();
    let scope = store.tenants(&operator).scope("acme").await.expect("it");
    let keys = store.keys(&scope);
    let query = KeyQuery {
        sort: KeySort::parse("authorization_group").expect("an order"),
        ..KeyQuery::default()
    };
    let page = keys.list(&query, now).await.expect("a page");
    let groups: Vec<&str> = page
        .items
        .iter()
        .map(|key| key.authorization_group.name.as_str())
        .collect();
    // In byte order of the lower-cased names: "ordering", "zebra…", "äpfel", "οδοσ".
    let expected = [GROUPS[3], GROUPS[1], GROUPS[0], GROUPS[2]];
    assert_eq!(groups, expected.map(|name| [name, name]).concat());
    let summary = keys.summary(&query, now).await.expect("a summary");
    assert_eq!((summary.total, summary.quota.used), (8, 4));
    assert_eq!((summary.matching, summary.expiring_soon), (8, 4));
    // The counts change with a revocation.
    let active = page
        .items
        .iter()
        .find(|key| key.status == KeyStatus::Active);
    let id = active.expect("a key").id;
    keys.revoke(id, now).await.expect("revoked");
    let summary = keys.summary(&query, now).await.expect("a summary");
    assert_eq!((summary.quota.used, summary.expiring_soon), (3, 3));
    // Keys that were revoked before the migration are archived like others.
    while store.archive_revoked_keys(2, now).await.expect("archived") {}
    let summary = keys.summary(&query, now).await.expect("a summary");
    assert_eq!((summary.total, summary.quota.used), (5, 3));
}

#[tokio::test]
async fn p56_a_database_of_each_earlier_schema_is_brought_up_to_date_with_all_of_its_keys() {
    let fixture = TestStore::on_sqlite().await;
    let postgres = TestStore::on_postgres_if_any().await;
    for steps in 1..Migrator::migrations().len() {
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("latchkey.db");
        let options = StoreOptions {
            database_url: format!("sqlite://{}?mode=rwc", file.display()),
            ..fixture.options()
        };
        assert_is_brought_up_to_date(options, steps, fixture.now).await;
        if let Some(fixture) = &postgres {
            // Removes the fixture's tables, so that the migrations start without any.
            fixture
                .execute_script("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
                .await;
            assert_is_brought_up_to_date(fixture.options(), steps, fixture.now).await;
        }
    }
}

#[tokio::test]
async fn p56_stored_addresses_become_canonical() {
    let fixture = TestStore::on_sqlite().await;
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("latchkey.db");
    let mut databases = vec![StoreOptions {
        database_url: format!("sqlite://{}?mode=rwc", file.display()),
        ..fixture.options()
    }];
    let postgres = TestStore::on_postgres_if_any().await;
    if let Some(fixture) = &postgres {
        fixture
            .execute_script("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            .await;
        databases.push(fixture.options());
    }
    let before_this_step = Migrator::migrations()
        .iter()
        .position(|step| step.name() == "m0008_sign_in_limits");
    for options in databases {
        let steps = before_this_step.expect("the step");
        earlier_schema(&options.database_url, steps, fixture.now).await;
        let connection = Database::connect(&options.database_url).await;
        let connection = connection.expect("a connection");
        for email in [
            "ann@m\u{fc}nchen.example",
            "bob@b\u{fc}ro.example",
            "bob@xn--bro-hoa.example",
            "eve@acme.example",
        ] {
            let statement = Statement::from_sql_and_values(
                connection.get_database_backend(),
                "INSERT INTO users (id, email, name, password_hash, role, consecutive_failures, \
                 created_at, updated_at, version) VALUES ($1, $2, 'x', 'x', 'super_user', 0, $3, $3, 1)",
                [Uuid::now_v7().into(), email.into(), fixture.now.into()],
            );
            connection.execute_raw(statement).await.expect("written");
        }
        Store::open(options).await.expect("a store");
        let rows = connection
            .query_all_raw(Statement::from_string(
                connection.get_database_backend(),
                "SELECT email FROM users",
            ))
            .await
            .expect("rows");
        let emails: std::collections::BTreeSet<String> = rows
            .iter()
            .map(|row| row.try_get("", "email").expect("text"))
            .collect();
        let expected = [
            "ann@xn--mnchen-3ya.example",
            // Its canonical spelling belongs to another user.
            "bob@b\u{fc}ro.example",
            "bob@xn--bro-hoa.example",
            "eve@acme.example",
        ];
        assert_eq!(emails, expected.map(str::to_owned).into());
    }
}

#[tokio::test]
async fn p56_keys_that_were_revoked_earlier_name_who_revoked_them() {
    let fixture = TestStore::on_sqlite().await;
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("latchkey.db");
    let mut databases = vec![StoreOptions {
        database_url: format!("sqlite://{}?mode=rwc", file.display()),
        ..fixture.options()
    }];
    let postgres = TestStore::on_postgres_if_any().await;
    if let Some(fixture) = &postgres {
        fixture
            .execute_script("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            .await;
        databases.push(fixture.options());
    }
    let before_this_step = Migrator::migrations()
        .iter()
        .position(|step| step.name() == "m0013_revocations");
    for options in databases {
        let steps = before_this_step.expect("the step");
        earlier_schema(&options.database_url, steps, fixture.now).await;
        let connection = Database::connect(&options.database_url).await;
        let connection = connection.expect("a connection");
        let execute = async |sql: &str, values: Vec<Value>| {
            let backend = connection.get_database_backend();
            let statement = Statement::from_sql_and_values(backend, sql, values);
            connection.query_all_raw(statement).await.expect("executed")
        };
        let revoked = "SELECT id, tenant_id FROM api_keys WHERE revoked_at IS NOT NULL";
        let revoked = execute(revoked, Vec::new()).await;
        let actor = Uuid::now_v7();
        // All but one, because an event may be missing.
        for row in revoked.iter().skip(1) {
            let key: Uuid = row.try_get("", "id").expect("an id");
            let tenant: Uuid = row.try_get("", "tenant_id").expect("an id");
            execute(
                "INSERT INTO audit_events (id, tenant_id, at, action, actor_kind, actor_id, \
                 actor_name, target_kind, target_id, target_name, changes) \
                 VALUES ($1, $2, $3, 'api_key.revoked', 'user', $4, 'Mira', 'api_key', $5, 'ERP', '{}')",
                vec![
                    Uuid::now_v7().into(),
                    tenant.into(),
                    fixture.now.into(),
                    actor.into(),
                    key.into(),
                ],
            )
            .await;
        }
        let store = Store::open(options).await.expect("a store");
        let operator = store.as_cli();
        let scope = store.tenants(&operator).scope("acme").await.expect("it");
        let query = KeyQuery::default();
        let page = store.keys(&scope).list(&query, fixture.now).await;
        let mut named = 0;
        for key in page.expect("a page").items {
            assert_eq!(key.revoked_reason, None);
            match key.revoked_by {
                Some(who) => {
                    assert_eq!((who.id, who.name.as_str()), (Some(actor), "Mira"));
                    assert_eq!(key.status, KeyStatus::Revoked);
                    named += 1;
                }
                None => assert!(
                    key.status == KeyStatus::Active
                        || Some(key.id.as_uuid()) == revoked[0].try_get("", "id").ok()
                ),
            }
        }
        assert_eq!(named, revoked.len() - 1);
    }
}

#[tokio::test]
async fn p55_p56_a_backup_of_the_first_schema_is_restored_with_all_of_its_keys() {
    let fixture = TestStore::on_sqlite().await;
    let folder = TempDir::new().expect("a folder");
    let url = format!(
        "sqlite://{}?mode=rwc",
        folder.path().join("old.db").display()
    );
    let secrets = earlier_schema(&url, 1, fixture.now).await;
    let file = folder.path().join("backup.db");
    back_up(&url, &file, fixture.now).await.expect("a backup");
    let options = StoreOptions {
        database_url: format!("sqlite://{}", folder.path().join("latchkey.db").display()),
        ..fixture.options()
    };
    let word = Word {
        nothing_was_revoked: true,
        ..Word::default()
    };
    restore(&options.database_url, &file, &word, fixture.now)
        .await
        .expect("restored");
    let store = Store::open(options).await.expect("a store");
    let verifier = Verifier::new(store);
    for secret in &secrets {
        let client = ClientAddress::known("192.0.2.9".parse().expect("an address"));
        let verdict = verifier.verify(secret.expose(), client, None, fixture.now);
        verdict.await.expect("a verdict").expect("a good key");
    }
}

/// Counts of requests as an earlier version wrote them: 5 accepted and 3 refused requests of a key today. The schema has the first `steps`
/// migrations. Returns the key.
async fn with_counts(url: &str, steps: usize, now: DateTime<Utc>) -> KeyId {
    earlier_schema(url, steps, now).await;
    let connection = Database::connect(url).await.expect("a connection");
    let backend = connection.get_database_backend();
    let execute = async |sql: &str, values: Vec<Value>| {
        let statement = Statement::from_sql_and_values(backend, sql, values);
        connection.query_all_raw(statement).await.expect("executed")
    };
    let key = "SELECT id FROM api_keys WHERE revoked_at IS NULL LIMIT 1";
    let rows = execute(key, Vec::new()).await;
    let key: Uuid = rows[0].try_get("", "id").expect("an id");
    let today = now.date_naive();
    let (address, code) = ("192.0.2.7", "ip_not_allowed");
    execute(
        "INSERT INTO address_uses (key_id, day, address, count) VALUES ($1, $2, $3, 5)",
        vec![key.into(), today.into(), address.into()],
    )
    .await;
    execute(
        "INSERT INTO refusals (key_id, day, code, count) VALUES ($1, $2, $3, 3)",
        vec![key.into(), today.into(), code.into()],
    )
    .await;
    if steps > position("m0012_refusal_addresses") {
        execute(
            "INSERT INTO refusal_addresses (key_id, day, address, code, count, last_at) \
             VALUES ($1, $2, $3, $4, 3, $5)",
            vec![
                key.into(),
                today.into(),
                address.into(),
                code.into(),
                now.into(),
            ],
        )
        .await;
    }
    execute(
        "INSERT INTO audit_events (id, tenant_id, at, action, actor_kind, actor_name, target_kind, \
         target_id, target_name, changes) \
         SELECT $1, id, $2, 'tenant.limit_changed', 'cli', 'latchkey', 'tenant', id, name, '{}' FROM tenants",
        vec![Uuid::now_v7().into(), now.into()],
    )
    .await;
    execute(
        "UPDATE tenants SET name = $1",
        vec!["ΟΔΟΣ \u{1F511}".into()],
    )
    .await;
    // Later versions write the name in lower case themselves.
    if steps > position("m0015_console") {
        let lower = crate::text::lowered("ΟΔΟΣ \u{1F511}");
        execute("UPDATE tenants SET name_lower = $1", vec![lower.into()]).await;
    }
    connection.close().await.expect("closed");
    key.into()
}

/// The number of migrations before the one with this name.
fn position(name: &str) -> usize {
    let steps = Migrator::migrations();
    let position = steps.iter().position(|step| step.name() == name);
    position.expect("the step")
}

async fn assert_counts_are_kept(options: StoreOptions, steps: usize, now: DateTime<Utc>) {
    let key = with_counts(&options.database_url, steps, now).await;
    let store = Store::open(options).await.expect("a store");
    let operator = store.as_cli();
    let scope = store.tenants(&operator).scope("acme").await.expect("it");
    let keys = store.keys(&scope);
    let usage = keys.key_usage(key, 30, now).await.expect("the usage");
    let today = usage.days.last().expect("a day");
    assert_eq!((usage.days.len(), today.accepted), (30, 5));
    assert_eq!(today.refused.values().sum::<u64>(), 3);
    assert_eq!(
        usage.days[..29].iter().map(|day| day.accepted).sum::<u64>(),
        0
    );
    assert_eq!((usage.addresses.len(), usage.addresses[0].accepted), (1, 5));
    let reasons = keys.refusal_reasons(key, now).await.expect("the reasons");
    assert_eq!((reasons.len(), reasons[0].count), (1, 3));
    // Addresses of refusals are counted since that migration.
    let has_addresses = steps > position("m0012_refusal_addresses");
    assert_eq!(reasons[0].addresses.len(), usize::from(has_addresses));

    // Earlier events have no receipt and belong to both logs; a tenant is found by its name in any case.
    let log = store.audit(&scope);
    let page = log.page(&AuditQuery::default()).await.expect("a page");
    assert_eq!(page.entries.len(), 1);
    assert_eq!(page.entries[0].receipt, None);
    let installation = store.installation_log(&operator);
    assert_eq!(installation.newest(10).await.expect("events").len(), 1);
    let query = TenantQuery {
        search: "οδος".to_owned(),
        ..TenantQuery::default()
    };
    let found = store
        .tenants(&operator)
        .page(&query)
        .await
        .expect("tenants");
    assert_eq!(found.items.len(), 1);

    // The name of a deleted group is free, and its revoked key still shows it.
    let groups = store.groups(&scope);
    let name = GROUPS[0];
    let group = groups.find(name).await.expect("a group");
    let of_group = keys
        .list(&KeyQuery::default(), now)
        .await
        .expect("keys")
        .items;
    for key in of_group
        .iter()
        .filter(|key| key.authorization_group.id == group.id)
    {
        keys.revoke(key.id, now).await.expect("revoked");
    }
    groups.delete(group.id, None, now).await.expect("deleted");
    let new = NewGroup {
        name: name.to_owned(),
        kind: GroupType::TenantApiKey,
        permissions: group.permissions.clone(),
    };
    let again = groups.create(new, now).await.expect("the name is free");
    assert_ne!(again.id, group.id);
    let kept = keys
        .list(&KeyQuery::default(), now)
        .await
        .expect("keys")
        .items;
    let of_group = kept
        .iter()
        .filter(|key| key.authorization_group.id == group.id);
    assert_eq!(of_group.count(), 2);
}

#[tokio::test]
async fn p56_counts_events_and_groups_of_each_earlier_schema_are_kept() {
    let fixture = TestStore::on_sqlite().await;
    let postgres = TestStore::on_postgres_if_any().await;
    // Requests are counted by address since that migration.
    let first = position("m0005_hot_path") + 1;
    for steps in first..Migrator::migrations().len() {
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("latchkey.db");
        let options = StoreOptions {
            database_url: format!("sqlite://{}?mode=rwc", file.display()),
            ..fixture.options()
        };
        assert_counts_are_kept(options, steps, fixture.now).await;
        if let Some(fixture) = &postgres {
            fixture
                .execute_script("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
                .await;
            assert_counts_are_kept(fixture.options(), steps, fixture.now).await;
        }
    }
}
