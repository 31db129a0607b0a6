//! Receipts: when a change was in effect on every replica.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_receipts")]
pub struct Model {
    /// The change's event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    /// When the change was in effect everywhere.
    pub at: DateTimeUtc,
    /// Replicas that had to confirm the change.
    pub replicas: i64,
    /// Replicas that confirmed it; the leases of the others had run out.
    pub refused_on: i64,
    /// Milliseconds from the commit.
    pub after_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
