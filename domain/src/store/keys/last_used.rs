//! Writing when keys were last used. It is no change that anybody made: no event, no new version, `updated_at` stays.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Statement, Value,
    sea_query::Expr,
};

use crate::{
    Error,
    id::KeyId,
    store::{Store, connection::Database, entity::api_key},
    verify::usage::LastUse,
};

impl Store {
    /// Writes these uses, all of them or none. A use that is older than what stands there already changes nothing. Sorted by identifier,
    /// or two replicas that write at once could wait for each other's rows.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: nothing was written then, or, where the answer to the commit was lost, all of it, which is no harm:
    /// writing it again changes nothing.
    pub(crate) async fn write_last_used(&self, uses: &[(KeyId, LastUse)]) -> Result<(), Error> {
        let database = self.database();
        match database.reader().get_database_backend() {
            DbBackend::Postgres if uses.is_empty() => Ok(()),
            DbBackend::Postgres => in_one_statement(database, uses).await,
            _ => one_by_one(database, uses).await,
        }
    }
}

async fn one_by_one(database: &Database, uses: &[(KeyId, LastUse)]) -> Result<(), Error> {
    use api_key::Column;
    let transaction = database.begin_write().await?;
    database
        .within(async {
            for (id, last_use) in uses {
                api_key::Entity::update_many()
                    .col_expr(Column::LastUsedAt, Expr::value(last_use.at))
                    .col_expr(Column::LastUsedIp, Expr::value(address(last_use)))
                    .filter(Column::Id.eq(id.as_uuid()))
                    .filter(
                        Condition::any()
                            .add(Column::LastUsedAt.is_null())
                            .add(Column::LastUsedAt.lt(last_use.at)),
                    )
                    .exec(&transaction)
                    .await?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    database.commit(transaction).await
}

/// Over a network each statement is a way there and back, and as long as the transaction lasts, whoever wants to revoke one of the keys
/// waits. So it is one. The rows are locked in their order first: an `UPDATE` alone promises none.
async fn in_one_statement(database: &Database, uses: &[(KeyId, LastUse)]) -> Result<(), Error> {
    let mut rows = Vec::with_capacity(uses.len());
    let mut values = Vec::<Value>::with_capacity(3 * uses.len());
    for (id, last_use) in uses {
        let first = values.len() + 1;
        rows.push(format!(
            "(${first}::uuid, ${}::timestamptz, ${}::text)",
            first + 1,
            first + 2
        ));
        values.extend([
            id.as_uuid().into(),
            last_use.at.into(),
            address(last_use).into(),
        ]);
    }
    let sql = format!(
        "WITH uses (id, at, address) AS (VALUES {}), locked AS ( \
             SELECT key.id FROM api_keys AS key JOIN uses USING (id) \
             WHERE key.last_used_at IS NULL OR key.last_used_at < uses.at \
             ORDER BY key.id FOR NO KEY UPDATE OF key) \
         UPDATE api_keys AS key SET last_used_at = uses.at, last_used_ip = uses.address \
         FROM uses JOIN locked USING (id) \
         WHERE key.id = uses.id AND (key.last_used_at IS NULL OR key.last_used_at < uses.at)",
        rows.join(", ")
    );
    let write = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    database
        .within(database.reader().execute_raw(write))
        .await?;
    Ok(())
}

fn address(last_use: &LastUse) -> Option<String> {
    last_use.address.map(|address| address.to_string())
}
