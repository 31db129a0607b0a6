//! Sessions of people in the page.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// SHA-256 of the cookie's token.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Binary(32)")]
    pub token_digest: Vec<u8>,
    /// Whose it is.
    pub user_id: Uuid,
    /// When it began.
    pub created_at: DateTimeUtc,
    /// When something was last asked in it; up to a minute late.
    pub last_seen_at: DateTimeUtc,
    /// When it ends whatever is asked.
    pub expires_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Self::belongs_to(super::user::Entity)
            .from(Column::UserId)
            .to(super::user::Column::Id)
            .into()
    }
}

impl ActiveModelBehavior for ActiveModel {}
