//! The change log of SQLite: table `key_state_changes`, written by triggers in the transaction of each change.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement,
};
use uuid::Uuid;

use super::fingerprints::Fingerprint;
use crate::{
    Error,
    store::{
        connection::Writer,
        deadline::with_timeout,
        entity::key_state_change::{self, ActiveModel, Column, Model},
        random,
    },
};

/// Maximum number of changes that are applied one by one; above it, invalidating everything is cheaper.
const MOST: u64 = 1_000;
/// Number of entries deleted in one transaction; a concurrent change waits for it.
const DELETED_AT_ONCE: u32 = 1_000;

/// One entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Unique and in commit order, because SQLite has one writer.
    pub(super) seq: i64,
    /// The key, group or tenant that changed; a random identifier if the entry is a mark.
    pub(super) subject: Uuid,
    /// The fingerprint of a new secret; `None` for other changes.
    pub(super) fingerprint: Option<Fingerprint>,
}

impl From<Model> for Entry {
    fn from(model: Model) -> Self {
        Self {
            seq: model.seq,
            subject: model.subject,
            fingerprint: model.fingerprint.as_deref().and_then(Fingerprint::parse),
        }
    }
}

/// The changes since an entry.
pub(super) enum Changes {
    /// Every change, in order; possibly none.
    Some {
        /// The entries.
        changed: Vec<Entry>,
    },
    /// More than [`MOST`].
    TooMany {
        /// The newest entry.
        newest: Entry,
    },
    /// The entry to read from is missing: the database was restored or the log was edited, so its sequence numbers have no meaning.
    Lost,
}

/// Appends an entry that invalidates nothing, as a position to read from.
pub(super) async fn mark(writer: &Writer) -> Result<Entry, Error> {
    let mark = ActiveModel {
        seq: NotSet,
        subject: Set(random::identifier()),
        fingerprint: NotSet,
    };
    let transaction = writer.begin().await?;
    let mark =
        with_timeout(key_state_change::Entity::insert(mark).exec_with_returning(&transaction))
            .await?;
    transaction.commit().await?;
    Ok(mark.into())
}

/// The entries after `applied`.
pub(super) async fn after(
    connection: &impl ConnectionTrait,
    applied: Entry,
) -> Result<Changes, Error> {
    let entries = key_state_change::Entity::find()
        .filter(Column::Seq.gte(applied.seq))
        .order_by_asc(Column::Seq)
        .limit(MOST + 2)
        .all(connection)
        .await?;
    let mut entries = entries.into_iter().map(Entry::from);
    if entries.next() != Some(applied) {
        return Ok(Changes::Lost);
    }
    let changed: Vec<_> = entries.collect();
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
