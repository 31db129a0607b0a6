//! Writing when keys were last used. It is no change that anybody made: no event, no new version, `updated_at` stays.

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use super::bulk_insert::{pieces, placeholders};
use crate::{
    Error,
    id::KeyId,
    store::{Store, connection::Database, write::Write},
    usage::LastUse,
};

impl Store {
    /// Writes these uses, all of them or none on SQLite. A use that is older than what stands there already changes nothing. Sorted by
    /// identifier, or two replicas that write at once could wait for each other's rows.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: then nothing was written, or some, or, where the answer to the commit was lost, all of it, which is no
    /// harm: writing it again changes nothing.
    pub(crate) async fn write_last_used(&self, uses: &[(KeyId, LastUse)]) -> Result<(), Error> {
        let database = self.database();
        match database.backend() {
            DbBackend::Postgres => one_by_one(database, uses).await,
            _ => in_one_transaction(database, uses).await,
        }
    }
}

/// SQLite's one writer waits for the disk once for all of them.
async fn in_one_transaction(database: &Database, uses: &[(KeyId, LastUse)]) -> Result<(), Error> {
    let written = database.write(Write::Plain, async |transaction| {
        for piece in pieces(uses) {
            let statement = write(DbBackend::Sqlite, piece);
            transaction.execute_raw(statement).await?;
        }
        Ok(())
    });
    written.await.map(drop)
}

/// As long as a transaction lasts, whoever wants to revoke one of its keys waits: over a network each piece is one of its own.
async fn one_by_one(database: &Database, uses: &[(KeyId, LastUse)]) -> Result<(), Error> {
    for piece in pieces(uses) {
        let statement = write(DbBackend::Postgres, piece);
        database
            .with_timeout(database.checks().execute_raw(statement))
            .await?;
    }
    Ok(())
}

/// PostgreSQL locks the rows in their order first: an `UPDATE` alone promises none.
fn write(backend: DbBackend, uses: &[(KeyId, LastUse)]) -> Statement {
    const TYPES: [&str; 3] = ["uuid", "timestamptz", "text"];
    let rows = placeholders(backend, &TYPES, uses.len());
    let (locked, join) = match backend {
        DbBackend::Postgres => (
            ", locked AS ( \
                 SELECT key.id FROM api_keys AS key JOIN uses USING (id) \
                 WHERE key.last_used_at IS NULL OR key.last_used_at < uses.at \
                 ORDER BY key.id FOR NO KEY UPDATE OF key)",
            "JOIN locked USING (id)",
        ),
        _ => ("", ""),
    };
    let sql = format!(
        "WITH uses (id, at, address) AS (VALUES {rows}){locked} \
         UPDATE api_keys SET last_used_at = uses.at, last_used_ip = uses.address \
         FROM uses {join} \
         WHERE api_keys.id = uses.id \
             AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < uses.at)"
    );
    let values = uses.iter().flat_map(|(id, last_use)| -> [Value; 3] {
        let address = last_use.address.map(|address| address.to_string());
        [id.as_uuid().into(), last_use.at.into(), address.into()]
    });
    Statement::from_sql_and_values(backend, sql, values)
}
