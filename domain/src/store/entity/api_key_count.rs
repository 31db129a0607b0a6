//! How many keys expire on which day. Triggers of the database keep it; nothing else writes here.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key_counts")]
pub struct Model {
    /// Whose keys.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// The revoked ones, or those that are not.
    #[sea_orm(primary_key, auto_increment = false)]
    pub revoked: bool,
    /// The last day on which they work; `infinity`, which is no date for this program to read, for those that never expire.
    #[sea_orm(primary_key, auto_increment = false)]
    pub expires_on: Date,
    /// How many.
    pub keys: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
