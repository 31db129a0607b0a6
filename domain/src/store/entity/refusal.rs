//! Refused requests by key, day and code.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refusals")]
pub struct Model {
    /// The key; the nil UUID if the request presented no key or an unknown one.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: Uuid,
    /// The UTC day.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Date,
    /// A code of `Refusal`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    /// The number of requests.
    pub count: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
