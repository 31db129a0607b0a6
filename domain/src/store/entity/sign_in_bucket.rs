//! Wrong passwords, counted by account and address and by address alone.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_buckets")]
pub struct Model {
    /// What is counted: digests, in hexadecimal, of the account and the address, or of the address. Written by `sign_in/throttle.rs`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub bucket: String,
    /// When the counting began.
    pub window_started_at: DateTimeUtc,
    /// Wrong passwords since then.
    pub failures: i64,
    /// Whether this window's refusal stands in the audit trail.
    pub refusal_audited: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
