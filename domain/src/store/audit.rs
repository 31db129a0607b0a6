//! The audit log: written in the transaction of each change, and read by tenant.

mod conditions;
mod event;
mod log;
#[cfg(test)]
mod log_plans;

pub(crate) use event::Event;
pub use log::AuditLog;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{entity::audit_event, error::damaged};
use crate::{
    Error,
    actor::{ActorKind, ActorRef},
    audit::{AuditAction, AuditEvent, AuditTarget},
    id::TenantId,
};

/// The actor of the newest event about a target.
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
