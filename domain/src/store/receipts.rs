//! Receipts of changes, written after the barrier: when a change was in effect on every replica. A crash between the change and its
//! receipt loses the receipt, never the event.

use chrono::Utc;
use sea_orm::{ActiveValue::Set, DatabaseConnection, EntityTrait};
use uuid::Uuid;

use crate::{
    Error,
    propagation::Propagation,
    store::{clock, deadline::with_timeout, entity::audit_receipt},
};

/// Writes the receipt of each of these events. A failure is logged: the change itself is committed and in effect.
pub(crate) async fn record(
    connection: DatabaseConnection,
    events: Vec<Uuid>,
    propagation: Propagation,
) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the time at which the barrier was passed, which no caller knows"
    )]
    let at = clock::stored(Utc::now());
    let rows = events
        .into_iter()
        .map(|event_id| audit_receipt::ActiveModel {
            event_id: Set(event_id),
            at: Set(at),
            replicas: Set(propagation.replicas.into()),
            refused_on: Set(propagation.refused_on.into()),
            after_ms: Set(i64::try_from(propagation.after_ms).unwrap_or(i64::MAX)),
        });
    let insert = audit_receipt::Entity::insert_many(rows).exec_without_returning(&connection);
    let written = with_timeout(async { insert.await.map_err(Error::from) }).await;
    if let Err(error) = written {
        tracing::warn!(%error, "audit log: receipt of a change not written");
    }
}
