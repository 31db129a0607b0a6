//! Customer organisations.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenants")]
pub struct Model {
    /// The identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The name in URLs.
    #[sea_orm(unique)]
    pub slug: String,
    /// The displayed name.
    pub name: String,
    /// The name in lower case, for sorting and searching.
    pub name_lower: String,
    /// Maximum number of keys that are not revoked.
    pub key_limit: i64,
    /// The time of its suspension, since which its keys are refused; null if it is not suspended.
    pub suspended_at: Option<DateTimeUtc>,
    /// Security policy: whether a key must have an expiration date.
    pub policy_expiration_required: bool,
    /// Security policy: the longest lifetime of a key in days.
    pub policy_max_lifetime_days: Option<i64>,
    /// Security policy: the lifetime that the form suggests, in days.
    pub policy_default_lifetime_days: Option<i64>,
    /// Security policy: the tenant-wide allowlist as canonical networks, one per line.
    #[sea_orm(column_type = "Text")]
    pub policy_ip_allowlist: String,
    /// Security policy: whether every user needs a second factor.
    pub policy_second_factor_required: bool,
    /// The number of changes of the security policy, from 1.
    pub policy_version: i64,
    /// The time of its creation.
    pub created_at: DateTimeUtc,
    /// The time of the last change.
    pub updated_at: DateTimeUtc,
    /// The number of changes, from 1.
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
