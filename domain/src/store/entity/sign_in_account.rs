//! Consecutive failed sign-ins of an account, from all addresses.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_accounts")]
pub struct Model {
    /// A digest of the typed account in hexadecimal, so that a row does not reveal whether the user exists.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    /// Failures since the last successful sign-in.
    pub failures: i64,
    /// The time of the last failure.
    pub last_failed_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
