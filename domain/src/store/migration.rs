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
mod m0016_secret_fingerprints;
mod m0017_audit_combinations;
mod m0018_session_clients;
mod m0019_one_time_links;
mod m0020_single_sign_on;
mod m0021_security_policy;
mod m0022_key_hints;
mod m0023_second_factors;

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
            Box::new(m0016_secret_fingerprints::Migration),
            Box::new(m0017_audit_combinations::Migration),
            Box::new(m0018_session_clients::Migration),
            Box::new(m0019_one_time_links::Migration),
            Box::new(m0020_single_sign_on::Migration),
            Box::new(m0021_security_policy::Migration),
            Box::new(m0022_key_hints::Migration),
            Box::new(m0023_second_factors::Migration),
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
mod tests;
