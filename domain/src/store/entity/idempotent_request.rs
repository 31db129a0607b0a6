//! Idempotent requests and their results, stored while a repeat is recognised.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_requests")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// The user or API key that sent the request.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: String,
    /// The idempotency key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token: String,
    /// SHA-256 of the request's content.
    #[sea_orm(column_type = "Binary(32)")]
    pub digest: Vec<u8>,
    /// The key that was created or changed, of the same tenant: `(tenant_id, key_id)` is a foreign key.
    pub key_id: Uuid,
    /// The time of the first request.
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
