//! What has changed, as the database noted it: `key_state_changes`, written by triggers in the transaction of each change.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use crate::{
    Error,
    store::{
        Store,
        entity::key_state_change::{Column, Entity},
    },
};

/// So many changes at once are stamped one by one; beyond that it is cheaper to stamp everything.
const MOST: u64 = 1_000;

/// What was noted since.
pub(super) enum News {
    /// All of it.
    Some {
        /// The keys, groups and tenants.
        changed: Vec<Uuid>,
        /// The newest note, or the one that was named where there is none.
        newest: i64,
    },
    /// Very much.
    TooMany {
        /// The newest note.
        newest: i64,
    },
}

/// The newest note that there ever was; 0 before the first.
pub(super) async fn newest(connection: &impl ConnectionTrait) -> Result<i64, Error> {
    let newest = Entity::find()
        .select_only()
        .column_as(Expr::col(Column::Seq).max(), "newest")
        .into_tuple::<Option<i64>>()
        .one(connection)
        .await?;
    Ok(newest.flatten().unwrap_or(0))
}

/// The notes that came after `seen`. SQLite has one writer, so that notes are visible in their order.
pub(super) async fn after(connection: &impl ConnectionTrait, seen: i64) -> Result<News, Error> {
    let notes = Entity::find()
        .filter(Column::Seq.gt(seen))
        .order_by_asc(Column::Seq)
        .limit(MOST + 1)
        .all(connection)
        .await?;
    if notes.len() as u64 > MOST {
        return Ok(News::TooMany {
            newest: newest(connection).await?,
        });
    }
    Ok(News::Some {
        newest: notes.last().map_or(seen, |note| note.seq),
        changed: notes.into_iter().map(|note| note.subject).collect(),
    })
}

impl Store {
    /// Has this store notice what another process changed: by hand, with a program that is not ours. Ours say it themselves.
    pub async fn notice_changes(&self) {
        if let Some(coherence) = self.database().coherence() {
            coherence.catch_up().await;
        }
    }

    /// Deletes the notes that have done their work.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn forget_noticed_changes(&self) -> Result<(), Error> {
        let database = self.database();
        let Some(coherence) = database.coherence() else {
            return Ok(());
        };
        let seen = coherence.seen().await;
        let oldest = Entity::find()
            .order_by_asc(Column::Seq)
            .one(database.reader());
        if database
            .within(oldest)
            .await?
            .is_none_or(|note| note.seq > seen)
        {
            return Ok(());
        }
        let transaction = database.begin_write().await?;
        let forget = Entity::delete_many().filter(Column::Seq.lte(seen));
        database.within(forget.exec(&transaction)).await?;
        database.commit(transaction).await
    }
}
