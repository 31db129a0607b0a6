//! Receipts: the time at which a change was in force on every replica.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_receipts")]
pub struct Model {
    /// The audit event of the change.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    /// The time at which the change was in force on every replica.
    pub at: DateTimeUtc,
    /// Number of replicas that had to confirm the change.
    pub replicas: i64,
    /// Number of replicas that confirmed it; the leases of the others had expired.
    pub refused_on: i64,
    /// Milliseconds since the commit.
    pub after_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
