//! Requests that count once, however often they are sent: what came of them, for as long as a repeat is expected.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_requests")]
pub struct Model {
    /// In which tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Whose token it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: String,
    /// What the sender says to have sent it once.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token: String,
    /// SHA-256 of what was asked for.
    #[sea_orm(column_type = "Binary(32)")]
    pub digest: Vec<u8>,
    /// The key that was made or changed, of the same tenant: `(tenant_id, key_id)` is a foreign key.
    pub key_id: Uuid,
    /// When.
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
