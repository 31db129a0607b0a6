//! Wrong passwords, counted by account and address, and by address alone.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_buckets")]
pub struct Model {
    /// The counter's name: digests of the account and the address, or of the address, in hexadecimal. Written by `sign_in/throttle.rs`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub bucket: String,
    /// The start of the window.
    pub window_started_at: DateTimeUtc,
    /// Wrong passwords in the window.
    pub failures: i64,
    /// Whether the audit log contains this window's refusal.
    pub refusal_audited: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
