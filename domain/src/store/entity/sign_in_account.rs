//! Failed sign-ins in a row, by account, from anywhere.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_accounts")]
pub struct Model {
    /// A digest of what was typed as the account, in hexadecimal: a row says nothing of whether there is such a user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    /// Failures since the last success.
    pub failures: i64,
    /// When the last one was.
    pub last_failed_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
