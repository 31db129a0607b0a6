//! Recording when keys were last used. It is not an administrator's change: no audit event, no new version, same `updated_at`.

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use super::bulk_insert::{pieces, placeholders};
use crate::{
    Error,
    id::KeyId,
    store::{Store, connection::Database, write::Write},
    usage::LastUse,
};

impl Store {
    /// Records these uses; on SQLite all or none. A use older than the recorded one changes nothing. `uses` must be sorted by identifier:
    /// otherwise two replicas could deadlock.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: nothing, a part or everything was written. Writing it again is safe.
    pub(crate) async fn write_last_used(&self, uses: &[(KeyId, LastUse)]) -> Result<(), Error> {
        let database = self.database();
        match database.backend() {
            DbBackend::Postgres => one_by_one(database, uses).await,
            _ => in_one_transaction(database, uses).await,
        }
    }
}

/// One transaction, so that SQLite waits for the disk once.
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

/// One transaction per chunk: over a network a long one would delay the revocation of its keys.
async fn one_by_one(database: &Database, uses: &[(KeyId, LastUse)]) -> Result<(), Error> {
    for piece in pieces(uses) {
        let statement = write(DbBackend::Postgres, piece);
        database
            .with_timeout(database.checks().execute_raw(statement))
            .await?;
    }
    Ok(())
}

/// On PostgreSQL, locks the rows in order first: an `UPDATE` alone guarantees no order.
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
