//! Counting what was refused. It is no change that anybody made: no event.

use chrono::NaiveDate;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Alias, Expr, ExprTrait, OnConflict},
};
use uuid::Uuid;

use super::Keys;
use crate::{
    Error,
    id::KeyId,
    store::{Store, entity::refusal, error::damaged},
    verify::refusals::RefusalKind,
};

/// How often a key was refused for one reason on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalCount {
    /// UTC.
    pub day: NaiveDate,
    /// That of the refusal.
    pub code: String,
    /// How often.
    pub count: u64,
}

impl Store {
    /// Adds these counts to those that stand there, in one transaction. Sorted, or two replicas that write at once could wait for each
    /// other's rows.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: nothing was written then, or, where the answer to the commit was lost, all of it; adding it again counts
    /// it twice.
    pub(crate) async fn add_refusals(&self, counts: &[(RefusalKind, u64)]) -> Result<(), Error> {
        use refusal::{Column, Entity};
        let database = self.database();
        let rows = counts.iter().map(|(kind, count)| refusal::ActiveModel {
            key_id: Set(kind.key_id.map_or(Uuid::nil(), KeyId::as_uuid)),
            day: Set(kind.day),
            code: Set(kind.code.to_owned()),
            count: Set(i64::try_from(*count).unwrap_or(i64::MAX)),
        });
        let sum = Expr::col((Entity, Column::Count))
            .add(Expr::col((Alias::new("excluded"), Column::Count)));
        let insert = Entity::insert_many(rows).on_conflict(
            OnConflict::columns([Column::KeyId, Column::Day, Column::Code])
                .value(Column::Count, sum)
                .to_owned(),
        );
        let transaction = database.begin_write().await?;
        database
            .within(insert.exec_without_returning(&transaction))
            .await?;
        database.commit(transaction).await
    }
}

/// How often the key was refused, the newest day first.
pub(super) async fn refusals(keys: &Keys<'_>, id: KeyId) -> Result<Vec<RefusalCount>, Error> {
    use refusal::{Column, Entity};
    let reader = keys.database.reader();
    let rows = keys
        .database
        .within(async {
            // Only of a key of the tenant.
            keys.row_of(reader, id).await?;
            let counts = Entity::find()
                .filter(Column::KeyId.eq(id.as_uuid()))
                .order_by_desc(Column::Day)
                .order_by_asc(Column::Code);
            Ok::<_, Error>(counts.all(reader).await?)
        })
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(RefusalCount {
                day: row.day,
                code: row.code,
                count: u64::try_from(row.count).map_err(|_| damaged("count"))?,
            })
        })
        .collect()
}
