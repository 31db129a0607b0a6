//! Browsers in which a user has signed in. They keep their attempts while the account is under attack.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "known_devices")]
pub struct Model {
    /// SHA-256 of the device cookie's token.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Binary(32)")]
    pub token_digest: Vec<u8>,
    /// The user.
    pub user_id: Uuid,
    /// The time of the first sign-in.
    pub created_at: DateTimeUtc,
    /// The time after which the browser is no longer known.
    pub expires_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
