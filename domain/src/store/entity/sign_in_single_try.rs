//! Addresses that have used their one attempt of the day at an account under attack.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_single_tries")]
pub struct Model {
    /// Digests of the account and the address in hexadecimal: the same text as in `sign_in_buckets`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub bucket: String,
    /// The time of the attempt.
    pub tried_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
