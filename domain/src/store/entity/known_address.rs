//! Addresses from which somebody has signed in to an account: they keep the usual limit while strangers guess at it.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "known_addresses")]
pub struct Model {
    /// Whose account it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// A digest of the address, in hexadecimal. Written by `sign_in/throttle.rs`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub address: String,
    /// When it is forgotten.
    pub expires_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
