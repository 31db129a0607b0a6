//! The audit trail: written in the transaction of each change, read by tenant.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

use super::{
    clock, connection::Database, entity::audit_event, error::damaged, random, scope::TenantScope,
};
use crate::{
    Error,
    actor::{Actor, ActorKind, ActorRef},
    audit::{AuditAction, AuditEvent, AuditTarget},
    id::TenantId,
};

/// An event that is to be written.
pub(crate) struct NewEvent {
    /// `None` for what concerns the whole installation.
    pub(crate) tenant_id: Option<TenantId>,
    pub(crate) action: AuditAction,
    pub(crate) target: AuditTarget,
    /// `{ "field": { "before": …, "after": … } }`.
    pub(crate) changes: serde_json::Value,
}

/// Writes an event through `transaction`, the one that makes the change: neither is there without the other, so a failure in here
/// has to fail the change.
pub(crate) async fn append(
    transaction: &impl ConnectionTrait,
    actor: &Actor,
    event: NewEvent,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let row = audit_event::ActiveModel {
        id: Set(random::identifier::<Uuid>()),
        tenant_id: Set(event.tenant_id.map(TenantId::as_uuid)),
        at: Set(clock::stored(now)),
        action: Set(event.action.as_str().to_owned()),
        actor_kind: Set(actor.who.kind.as_str().to_owned()),
        actor_id: Set(actor.who.id),
        actor_name: Set(actor.who.name.clone()),
        target_kind: Set(event.target.kind),
        target_id: Set(event.target.id),
        target_name: Set(event.target.name),
        changes: Set(event.changes.to_string()),
        client_ip: Set(actor
            .client
            .and_then(|client| client.ip())
            .map(|address| address.to_string())),
    };
    audit_event::Entity::insert(row)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// The audit trail of one tenant.
pub struct AuditTrail<'a> {
    database: &'a Database,
    scope: &'a TenantScope,
}

impl<'a> AuditTrail<'a> {
    pub(crate) const fn new(database: &'a Database, scope: &'a TenantScope) -> Self {
        Self { database, scope }
    }

    /// The newest events, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn newest(&self, limit: u64) -> Result<Vec<AuditEvent>, Error> {
        let rows = self
            .database
            .within(
                audit_event::Entity::find()
                    .filter(audit_event::Column::TenantId.eq(self.scope.tenant_id().as_uuid()))
                    .order_by_desc(audit_event::Column::At)
                    .order_by_desc(audit_event::Column::Id)
                    .limit(limit)
                    .all(self.database.reader()),
            )
            .await?;
        rows.into_iter().map(from_row).collect()
    }
}

/// Who did what was done last to the thing of that kind and identifier. Every event about a thing counts.
pub(crate) async fn newest_actor(
    connection: &impl ConnectionTrait,
    tenant: TenantId,
    kind: &str,
    id: Uuid,
) -> Result<Option<ActorRef>, Error> {
    use audit_event::Column;
    audit_event::Entity::find()
        .filter(Column::TenantId.eq(tenant.as_uuid()))
        .filter(Column::TargetId.eq(id))
        .filter(Column::TargetKind.eq(kind))
        .order_by_desc(Column::At)
        .order_by_desc(Column::Id)
        .limit(1)
        .one(connection)
        .await?
        .map(|row| Ok(from_row(row)?.actor))
        .transpose()
}

fn from_row(row: audit_event::Model) -> Result<AuditEvent, Error> {
    Ok(AuditEvent {
        id: row.id.into(),
        at: row.at,
        action: AuditAction::from_word(&row.action).ok_or_else(|| damaged("audit action"))?,
        actor: ActorRef {
            kind: ActorKind::from_word(&row.actor_kind).ok_or_else(|| damaged("actor kind"))?,
            id: row.actor_id,
            name: row.actor_name,
        },
        target: AuditTarget {
            kind: row.target_kind,
            id: row.target_id,
            name: row.target_name,
        },
        changes: serde_json::from_str(&row.changes).map_err(|_| damaged("audit change"))?,
        client_ip: row.client_ip,
    })
}
