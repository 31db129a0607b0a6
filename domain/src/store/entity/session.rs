//! Sessions of signed-in people.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// SHA-256 of the cookie's token.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Binary(32)")]
    pub token_digest: Vec<u8>,
    /// The user.
    pub user_id: Uuid,
    /// The time of the sign-in.
    pub created_at: DateTimeUtc,
    /// The time of the last request; up to a minute late.
    pub last_seen_at: DateTimeUtc,
    /// The absolute end.
    pub expires_at: DateTimeUtc,
    /// The client address of the last use that was recorded; null if it is unknown.
    pub client_address: Option<String>,
    /// The browser at the sign-in; null if it is unknown.
    pub browser: Option<String>,
    /// The operating system at the sign-in; null if it is unknown.
    pub system: Option<String>,
    /// A word of `Authentication`.
    pub authentication: String,
    /// The time at which the user proved their identity; null if the provider of single sign-on did not name it.
    pub authenticated_at: Option<DateTimeUtc>,
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
