//! Records the last use of keys. A use is not an administrator's change: it adds no audit event and keeps version and `updated_at`.

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use super::bulk_insert::{pieces, placeholders};
use crate::{
    Error,
    id::KeyId,
    store::{Store, connection::Database, write::Write},
    usage::LastUse,
};

impl Store {
    /// Records these uses; on SQLite all or none. A use older than the recorded one is ignored. `uses` must be sorted by identifier,
    /// otherwise two replicas could deadlock.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: none, some or all uses were written. Repeating the call is safe.
    pub(crate) async fn write_last_used(&self, uses: &[(KeyId, LastUse)]) -> Result<(), Error> {
        let database = self.database();
        match database.backend() {
            DbBackend::Postgres => one_by_one(database, uses).await,
            _ => in_one_transaction(database, uses).await,
        }
    }
}

/// Uses one transaction, so that SQLite waits for the disk once.
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

/// Uses one transaction for each chunk: a long transaction over a network would delay the revocation of its keys.
async fn one_by_one(database: &Database, uses: &[(KeyId, LastUse)]) -> Result<(), Error> {
    for piece in pieces(uses) {
        let statement = write(DbBackend::Postgres, piece);
        database
            .with_timeout(database.checks().execute_raw(statement))
            .await?;
    }
    Ok(())
}

/// On PostgreSQL, locks the rows in order first, because an `UPDATE` alone guarantees no order.
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
