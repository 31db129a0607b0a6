//! The migrations of the schema. A released migration never changes: a later change is a further migration.

mod m0001_foundation;
mod m0002_lists_and_repeats;
mod m0003_audit_filters;
mod m0004_refusals;
mod m0005_hot_path;
mod m0006_replicas;
mod m0007_archived_keys;
mod m0008_sign_in_limits;
mod m0010_replica_places;
mod m0012_refusal_addresses;
mod m0013_revocations;
mod m0014_unused_keys;
mod m0015_console;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, TransactionTrait};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

use super::connection::Database;
use crate::Error;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_foundation::Migration),
            Box::new(m0002_lists_and_repeats::Migration),
            Box::new(m0003_audit_filters::Migration),
            Box::new(m0004_refusals::Migration),
            Box::new(m0005_hot_path::Migration),
            Box::new(m0006_replicas::Migration),
            Box::new(m0007_archived_keys::Migration),
            Box::new(m0008_sign_in_limits::Migration),
            Box::new(m0010_replica_places::Migration),
            Box::new(m0012_refusal_addresses::Migration),
            Box::new(m0013_revocations::Migration),
            Box::new(m0014_unused_keys::Migration),
            Box::new(m0015_console::Migration),
        ]
    }
}

/// The advisory lock that every Latchkey process on one PostgreSQL database takes while it migrates: "latchkey" in ASCII. Must not change:
/// two versions would migrate at once.
const POSTGRES_LOCK: i64 = 0x6c61_7463_686b_6579;

/// Brings the schema up to date, in one transaction. If several processes start at once, one migrates and the others wait.
pub(super) async fn bring_up_to_date(database: &Database) -> Result<(), Error> {
    // The usual case takes no lock, so that a command does not wait for a server that is writing.
    let pending = database
        .with_timeout(Migrator::get_pending_migrations_read_only(
            database.checks(),
        ))
        .await
        .map_err(name_newer_schema)?;
    if pending.is_empty() {
        return Ok(());
    }
    let migrated = database.write_without_limit(async |transaction| {
        if transaction.get_database_backend() == DbBackend::Postgres {
            // Migrating a large database takes longer than any request may.
            transaction
                .execute_unprepared(&format!(
                    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
                     SELECT pg_advisory_xact_lock({POSTGRES_LOCK})"
                ))
                .await?;
        }
        Migrator::up(&**transaction, None)
            .await
            .map_err(|error| name_newer_schema(error.into()))
    });
    migrated.await
}

/// [`bring_up_to_date`] for a copy that no other process has open.
///
/// # Errors
/// [`Error::Unavailable`] for a copy that a newer version wrote.
pub(super) async fn bring_copy_up_to_date(copy: &DatabaseConnection) -> Result<(), Error> {
    refuse_newer(copy).await?;
    let transaction = copy.begin().await?;
    Migrator::up(&transaction, None).await?;
    Ok(transaction.commit().await?)
}

/// Refuses a database that a newer version wrote. Changes nothing.
///
/// # Errors
/// [`Error::Unavailable`] for such a database.
pub(super) async fn refuse_newer(connection: &DatabaseConnection) -> Result<(), Error> {
    Migrator::get_pending_migrations_read_only(connection)
        .await
        .map_err(|error| name_newer_schema(error.into()))?;
    Ok(())
}

/// Replaces the error for migrations that this version lacks by a message for operators.
fn name_newer_schema(error: Error) -> Error {
    match error {
        Error::Internal(source)
            if matches!(source.downcast_ref::<DbErr>(), Some(DbErr::Custom(_))) =>
        {
            Error::Unavailable("the database was written by a newer version of latchkey".into())
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use sea_orm::{Database, Statement, Value};
    use tempfile::TempDir;
    use uuid::Uuid;

    use super::*;
    use crate::{
        client_address::ClientAddress,
        key::{
            KeyStatus,
            format::{KeyPrefix, Secret},
            query::{KeyQuery, KeySort},
        },
        store::{
            Store, StoreOptions,
            backup::back_up,
            random,
            restore::{Word, restore},
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
}
