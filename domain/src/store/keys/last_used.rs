//! Records the last use of keys. A use is not an administrator's change: it adds no audit event and keeps version and `updated_at`.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};

use super::bulk_insert::{pieces, placeholders};
use crate::{Error, id::KeyId, store::connection::Database, usage::LastUse};

/// Records these uses in a transaction on SQLite, so that it waits for the disk once for them and the counts. A use older than the recorded
/// one is ignored.
pub(super) async fn write_on_sqlite(
    transaction: &DatabaseTransaction,
    uses: &[(KeyId, LastUse)],
) -> Result<(), Error> {
    for piece in pieces(uses) {
        let statement = write(DbBackend::Sqlite, piece);
        transaction.execute_raw(statement).await?;
    }
    Ok(())
}

/// Records these uses on PostgreSQL, each chunk in its own transaction: a long transaction over a network would delay the revocation of its
/// keys. A use older than the recorded one is ignored. `uses` must be sorted by identifier, otherwise two replicas could deadlock.
///
/// # Errors
/// [`Error::Unavailable`]: none, some or all uses were written. Repeating the call is safe.
pub(super) async fn write_on_postgres(
    database: &Database,
    uses: &[(KeyId, LastUse)],
) -> Result<(), Error> {
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
