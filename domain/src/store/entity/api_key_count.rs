//! Number of keys by expiration date. Only triggers of the database write this table.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key_counts")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Whether revoked keys are counted, or those that are not revoked.
    #[sea_orm(primary_key, auto_increment = false)]
    pub revoked: bool,
    /// The last day on which these keys are accepted; `infinity` for keys that never expire, which the application cannot read as a date.
    #[sea_orm(primary_key, auto_increment = false)]
    pub expires_on: Date,
    /// The number of keys.
    pub keys: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
