//! People who sign in.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// The identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant; null for a super user.
    pub tenant_id: Option<Uuid>,
    /// The address in lower case.
    #[sea_orm(unique)]
    pub email: String,
    /// The person's name.
    pub name: String,
    /// The argon2id hash of the password, as a PHC string; empty for a user without a password.
    pub password_hash: String,
    /// A word of `Role`.
    pub role: String,
    /// Unused: `sign_in_accounts` counts the failures. The column stays for replicas of the previous version, which write it.
    pub consecutive_failures: i64,
    /// The time at which the user was disabled; null if the user is not.
    pub disabled_at: Option<DateTimeUtc>,
    /// The time of the last sign-in.
    pub last_signed_in_at: Option<DateTimeUtc>,
    /// The time of its creation.
    pub created_at: DateTimeUtc,
    /// The time of the last change.
    pub updated_at: DateTimeUtc,
    /// The number of changes, from 1.
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
