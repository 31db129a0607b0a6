//! Writing when keys were last used. It is no change that anybody made: no event, no new version, `updated_at` stays.

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, sea_query::Expr};

use crate::{
    Error,
    id::KeyId,
    store::{Store, entity::api_key},
    verify::usage::LastUse,
};

impl Store {
    /// Writes these uses in one transaction. A use that is older than what stands there already changes nothing. Sorted by
    /// identifier, or two replicas that write at once could wait for each other's rows.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: nothing was written then, or, where the answer to the commit was lost, all of it, which is no harm:
    /// writing it again changes nothing.
    pub(crate) async fn write_last_used(&self, uses: &[(KeyId, LastUse)]) -> Result<(), Error> {
        use api_key::Column;
        let database = self.database();
        let transaction = database.begin_write().await?;
        database
            .within(async {
                for (id, last_use) in uses {
                    api_key::Entity::update_many()
                        .col_expr(Column::LastUsedAt, Expr::value(last_use.at))
                        .col_expr(
                            Column::LastUsedIp,
                            Expr::value(last_use.address.map(|address| address.to_string())),
                        )
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
}
