//! Sign-ins with a right password that wait for the code of the second factor.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pending_sign_ins")]
pub struct Model {
    /// SHA-256 of the token in the browser's cookie.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Binary(32)")]
    pub token_digest: Vec<u8>,
    /// The user.
    pub user_id: Uuid,
    /// The version of the user whose password was right.
    pub user_version: i64,
    /// The time of the right password.
    pub created_at: DateTimeUtc,
    /// The end.
    pub expires_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
