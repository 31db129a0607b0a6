//! How often keys were refused.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refusals")]
pub struct Model {
    /// Which key; the nil UUID where none was presented, or none that there is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: Uuid,
    /// UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Date,
    /// A code of `Refusal`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    /// How often.
    pub count: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
