//! Persons of an OpenID Connect provider, each linked to a user.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_identities")]
pub struct Model {
    /// The provider's issuer URL.
    #[sea_orm(primary_key, auto_increment = false)]
    pub issuer: String,
    /// The claim `sub`, unique at the provider.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// The user.
    pub user_id: Uuid,
    /// Whether a claim has set the user's role: each sign-in then has to name a role.
    pub role_from_claim: bool,
    /// The time of the link.
    pub created_at: DateTimeUtc,
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
