//! The change log: changes that can alter a verdict. Only triggers write it.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_state_changes")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub seq: i64,
    /// The key, group or tenant.
    pub subject: Uuid,
    /// The first eight bytes of the digest of a new secret; NULL for other changes.
    pub fingerprint: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
