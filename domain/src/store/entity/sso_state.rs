//! Sign-ins that began at the provider of single sign-on and have not ended, and those that ended in the last minutes.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sso_states")]
pub struct Model {
    /// SHA-256 of the state value.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Binary(32)")]
    pub state_digest: Vec<u8>,
    /// SHA-256 of the token in the browser's cookie.
    #[sea_orm(column_type = "Binary(32)")]
    pub browser_digest: Vec<u8>,
    /// The path of this site to which the sign-in leads; empty for none.
    pub return_to: String,
    /// Whether the provider has to authenticate the person anew.
    pub is_fresh: bool,
    /// The time at which the sign-in began.
    pub created_at: DateTimeUtc,
    /// The time at which the state was used; null if it was not.
    pub used_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
