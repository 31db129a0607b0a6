//! Refused requests of a key from an address on a day.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refusal_addresses")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: Uuid,
    /// The UTC day.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Date,
    /// An address, `unknown`, or `other`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub address: String,
    /// A code of `Refusal`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    pub count: i64,
    /// The time of the newest of these requests.
    pub last_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
