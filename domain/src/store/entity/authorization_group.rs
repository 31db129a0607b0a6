//! Named sets of permissions.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "authorization_groups")]
pub struct Model {
    /// The identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The name, unique among the tenant's groups that are not deleted.
    pub name: String,
    /// A word of `GroupType`.
    pub kind: String,
    /// A JSON array of permissions, sorted.
    #[sea_orm(column_type = "Text")]
    pub permissions: String,
    /// The time of its creation.
    pub created_at: DateTimeUtc,
    /// The time of the last change.
    pub updated_at: DateTimeUtc,
    /// The number of changes, from 1.
    pub version: i64,
    /// The time of its deletion. The row stays for the revoked keys that refer to it.
    pub deleted_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
