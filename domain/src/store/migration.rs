//! The schema, step by step. A step that was released never changes: what comes later is a further step.

mod m0001_foundation;
mod m0002_lists_and_repeats;

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

use super::connection::Database;
use crate::Error;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_foundation::Migration),
            Box::new(m0002_lists_and_repeats::Migration),
        ]
    }
}

/// What every Latchkey on one PostgreSQL database locks while it changes the schema: "latchkey" in ASCII. Never changes, or two
/// versions would migrate at once.
const POSTGRES_LOCK: i64 = 0x6c61_7463_686b_6579;

/// Brings the schema up to date, in one transaction. Of several processes that start at once, one does it and the others wait.
pub(super) async fn bring_up_to_date(database: &Database) -> Result<(), Error> {
    // The usual case takes no lock, so that the command line does not wait for a server that is writing.
    let pending = database
        .within(Migrator::get_pending_migrations_read_only(
            database.reader(),
        ))
        .await
        .map_err(name_newer_schema)?;
    if pending.is_empty() {
        return Ok(());
    }
    let transaction = database.begin_write().await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        // Changing the schema of a large database takes longer than any request may.
        transaction
            .execute_unprepared(&format!(
                "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
                 SELECT pg_advisory_xact_lock({POSTGRES_LOCK})"
            ))
            .await?;
    }
    Migrator::up(&transaction, None)
        .await
        .map_err(|error| name_newer_schema(error.into()))?;
    database.commit(transaction).await
}

/// A database that has steps which this version does not know says so in words that help.
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
