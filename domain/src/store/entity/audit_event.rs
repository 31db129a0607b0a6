//! Audit events.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    /// The identifier, ascending in time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant; null for events of the installation.
    pub tenant_id: Option<Uuid>,
    /// The time of the change.
    pub at: DateTimeUtc,
    /// A word of `AuditAction`.
    pub action: String,
    /// A word of `ActorKind`.
    pub actor_kind: String,
    /// The actor's identifier.
    pub actor_id: Option<Uuid>,
    /// The actor's name at that time.
    pub actor_name: String,
    /// The kind of the target.
    pub target_kind: String,
    /// The target's identifier.
    pub target_id: Option<Uuid>,
    /// The target's name at that time.
    pub target_name: String,
    /// JSON: the changed fields, before and after, without secrets.
    #[sea_orm(column_type = "Text")]
    pub changes: String,
    /// The client address.
    pub client_ip: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
