//! API keys, with the digest of the secret.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    /// The identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// Its group, of the same tenant: `(tenant_id, group_id)` is a foreign key.
    pub group_id: Uuid,
    /// The group's name in lower case, for sorting. A rename of the group must update it.
    pub group_name_lower: String,
    /// The name.
    pub name: String,
    /// The name in lower case, so that both databases sort and search identically.
    pub name_lower: String,
    /// The description.
    #[sea_orm(column_type = "Text")]
    pub description: String,
    /// The description in lower case, for searching.
    #[sea_orm(column_type = "Text")]
    pub description_lower: String,
    /// The hint.
    pub hint: String,
    /// SHA-256 of the complete secret.
    #[sea_orm(unique, column_type = "Binary(32)")]
    pub secret_digest: Vec<u8>,
    /// The last UTC day on which the key is accepted.
    pub expires_on: Option<Date>,
    /// The allowlist as canonical networks, one per line.
    #[sea_orm(column_type = "Text")]
    pub ip_allowlist: String,
    /// A word of `ActorKind`.
    pub created_by_kind: String,
    /// The identifier of the actor that created it.
    pub created_by_id: Option<Uuid>,
    /// The actor's name at that time.
    pub created_by_name: String,
    /// The time of its creation.
    pub created_at: DateTimeUtc,
    /// The time of the last change by an administrator.
    pub updated_at: DateTimeUtc,
    /// The time of the last rotation.
    pub rotated_at: Option<DateTimeUtc>,
    /// The time of its revocation.
    pub revoked_at: Option<DateTimeUtc>,
    /// A word of `ActorKind`; null for a key that is not revoked.
    pub revoked_by_kind: Option<String>,
    /// The identifier of the actor that revoked it.
    pub revoked_by_id: Option<Uuid>,
    /// The actor's name at that time.
    pub revoked_by_name: Option<String>,
    /// The reason of the revocation, if one was given.
    pub revoked_reason: Option<String>,
    /// The time of the last accepted request.
    pub last_used_at: Option<DateTimeUtc>,
    /// The client address of that request.
    pub last_used_ip: Option<String>,
    /// The number of changes, from 1.
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
