//! Revoked keys that are listed no more. Their secrets stay refused.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "archived_api_keys")]
pub struct Model {
    /// The identifier that it had, which audit events refer to.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose it was.
    pub tenant_id: Uuid,
    /// What people called it.
    pub name: String,
    /// What can be shown of the secret.
    pub hint: String,
    /// SHA-256 of the whole secret.
    #[sea_orm(unique, column_type = "Binary(32)")]
    pub secret_digest: Vec<u8>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was revoked.
    pub revoked_at: DateTimeUtc,
    /// When it came here.
    pub archived_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
