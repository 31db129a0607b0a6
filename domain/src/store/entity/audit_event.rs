//! The audit trail.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    /// In the order of time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose it is; null for what concerns the installation.
    pub tenant_id: Option<Uuid>,
    /// When.
    pub at: DateTimeUtc,
    /// A word of `AuditAction`.
    pub action: String,
    /// A word of `ActorKind`.
    pub actor_kind: String,
    /// By whom.
    pub actor_id: Option<Uuid>,
    /// Their name at that time.
    pub actor_name: String,
    /// What kind of thing.
    pub target_kind: String,
    /// Which.
    pub target_id: Option<Uuid>,
    /// Its name at that time.
    pub target_name: String,
    /// JSON: what differs, before and after, without secrets.
    #[sea_orm(column_type = "Text")]
    pub changes: String,
    /// From which address.
    pub client_ip: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
