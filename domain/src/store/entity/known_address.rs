//! Addresses from which a user has signed in. They keep the usual limit while other addresses guess the account's password.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "known_addresses")]
pub struct Model {
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// A digest of the address, in hexadecimal. Written by `sign_in/throttle.rs`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub address: String,
    /// The time after which the address is no longer known.
    pub expires_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
