//! Revoked keys that are no longer listed. Their secrets are still refused.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "archived_api_keys")]
pub struct Model {
    /// The key's identifier, which audit events refer to.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The key's name.
    pub name: String,
    /// The hint.
    pub hint: String,
    /// SHA-256 of the complete secret.
    #[sea_orm(unique, column_type = "Binary(32)")]
    pub secret_digest: Vec<u8>,
    /// The time of its creation.
    pub created_at: DateTimeUtc,
    /// The time of its revocation.
    pub revoked_at: DateTimeUtc,
    /// The time at which it was archived.
    pub archived_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
