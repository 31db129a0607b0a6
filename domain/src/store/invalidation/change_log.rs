//! What has changed, as SQLite noted it: `key_state_changes`, written by triggers in the transaction of each change.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement,
};
use uuid::Uuid;

use crate::{
    Error,
    store::{
        connection::Writer,
        deadline::with_timeout,
        entity::key_state_change::{self, ActiveModel, Column, Model},
        random,
    },
};

/// So many changes at once are stamped one by one; beyond that it is cheaper to stamp everything.
const MOST: u64 = 1_000;
/// Notes that are deleted at once: an administrator's change in between does not wait long.
const DELETED_AT_ONCE: u32 = 1_000;

/// That something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Given once, in the order of the changes: SQLite has one writer.
    pub(super) seq: i64,
    /// The key, group or tenant; of a mark, nothing that there is.
    pub(super) subject: Uuid,
}

impl From<Model> for Entry {
    fn from(model: Model) -> Self {
        Self {
            seq: model.seq,
            subject: model.subject,
        }
    }
}

/// What was noted since.
pub(super) enum Changes {
    /// All of it, in order.
    Some {
        /// The keys, groups and tenants.
        changed: Vec<Entry>,
    },
    /// Very much.
    TooMany {
        /// The newest note.
        newest: Entry,
    },
    /// The note that was named is not there. The database was restored, or somebody has deleted notes: its numbers say nothing.
    Lost,
}

/// Notes that nothing has changed, as a place from which to read on.
pub(super) async fn mark(writer: &Writer) -> Result<Entry, Error> {
    let mark = ActiveModel {
        seq: NotSet,
        subject: Set(random::identifier()),
    };
    let transaction = writer.begin().await?;
    let mark =
        with_timeout(key_state_change::Entity::insert(mark).exec_with_returning(&transaction))
            .await?;
    // Whoever waits no longer reads everything anew the next time.
    transaction.commit().await?;
    Ok(mark.into())
}

/// The notes that came after `seen`.
pub(super) async fn after(
    connection: &impl ConnectionTrait,
    seen: Entry,
) -> Result<Changes, Error> {
    let notes = key_state_change::Entity::find()
        .filter(Column::Seq.gte(seen.seq))
        .order_by_asc(Column::Seq)
        .limit(MOST + 2)
        .all(connection)
        .await?;
    let mut notes = notes.into_iter().map(Entry::from);
    if notes.next() != Some(seen) {
        return Ok(Changes::Lost);
    }
    let changed: Vec<_> = notes.collect();
    if changed.len() as u64 <= MOST {
        return Ok(Changes::Some { changed });
    }
    let newest = key_state_change::Entity::find()
        .order_by_desc(Column::Seq)
        .one(connection)
        .await?;
    Ok(newest.map_or(Changes::Lost, |newest| Changes::TooMany {
        newest: newest.into(),
    }))
}

/// Whether the log has entries before `applied`.
pub(crate) async fn has_entries_before(
    connection: &impl ConnectionTrait,
    applied: i64,
) -> Result<bool, DbErr> {
    let oldest = key_state_change::Entity::find()
        .select_only()
        .column(Column::Seq)
        .order_by_asc(Column::Seq)
        .into_tuple::<i64>()
        .one(connection)
        .await?;
    Ok(oldest.is_some_and(|seq| seq < applied))
}

/// Deletes up to [`DELETED_AT_ONCE`] entries before `applied`. The entry `applied` itself stays: [`after`] checks that it still exists.
pub(crate) async fn prune(connection: &impl ConnectionTrait, applied: i64) -> Result<(), DbErr> {
    let delete = Statement::from_sql_and_values(
        connection.get_database_backend(),
        format!(
            "DELETE FROM key_state_changes WHERE seq IN \
             (SELECT seq FROM key_state_changes WHERE seq < $1 ORDER BY seq LIMIT {DELETED_AT_ONCE})"
        ),
        [applied.into()],
    );
    connection.execute_raw(delete).await?;
    Ok(())
}
