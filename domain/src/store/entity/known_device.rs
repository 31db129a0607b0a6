//! Browsers that have signed in to an account before: they keep their try where an account is under attack.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "known_devices")]
pub struct Model {
    /// SHA-256 of the device cookie's token.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Binary(32)")]
    pub token_digest: Vec<u8>,
    /// Whose it is.
    pub user_id: Uuid,
    /// When it first signed in.
    pub created_at: DateTimeUtc,
    /// When it is forgotten.
    pub expires_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
