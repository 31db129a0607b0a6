//! People who sign in.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// Its identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant; null for a super user.
    pub tenant_id: Option<Uuid>,
    /// Lower-cased.
    #[sea_orm(unique)]
    pub email: String,
    /// The person's name.
    pub name: String,
    /// argon2id, in PHC form.
    pub password_hash: String,
    /// A word of `Role`.
    pub role: String,
    /// Not read any more: `sign_in_accounts` counts. The column stays for replicas of the previous version, which count in it.
    pub consecutive_failures: i64,
    /// Since when the user cannot sign in.
    pub disabled_at: Option<DateTimeUtc>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// Counts the changes.
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl Related<super::tenant::Entity> for Entity {
    fn to() -> RelationDef {
        Self::belongs_to(super::tenant::Entity)
            .from(Column::TenantId)
            .to(super::tenant::Column::Id)
            .into()
    }
}

impl ActiveModelBehavior for ActiveModel {}
