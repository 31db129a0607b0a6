//! API keys. The secret is not in here: its digest is.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    /// Its identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose it is.
    pub tenant_id: Uuid,
    /// Its group, of the same tenant: `(tenant_id, group_id)` is a foreign key.
    pub group_id: Uuid,
    /// The group's name lower-cased, to sort by. A group keeps its name; a way to rename one has to rename here too.
    pub group_name_lower: String,
    /// What people call it.
    pub name: String,
    /// The name lower-cased, to sort and search by on every database alike.
    pub name_lower: String,
    /// What it is for.
    #[sea_orm(column_type = "Text")]
    pub description: String,
    /// The description lower-cased, to search in.
    #[sea_orm(column_type = "Text")]
    pub description_lower: String,
    /// What can be shown of the secret.
    pub hint: String,
    /// SHA-256 of the whole secret.
    #[sea_orm(unique, column_type = "Binary(32)")]
    pub secret_digest: Vec<u8>,
    /// The last day on which it works.
    pub expires_on: Option<Date>,
    /// Canonical networks, one a line.
    #[sea_orm(column_type = "Text")]
    pub ip_allowlist: String,
    /// A word of `ActorKind`.
    pub created_by_kind: String,
    /// Who made it.
    pub created_by_id: Option<Uuid>,
    /// Their name at that time.
    pub created_by_name: String,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When an administrator last changed it.
    pub updated_at: DateTimeUtc,
    /// When it last got a new secret.
    pub rotated_at: Option<DateTimeUtc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTimeUtc>,
    /// A word of `ActorKind`; null for a key that is not revoked.
    pub revoked_by_kind: Option<String>,
    /// Who revoked it.
    pub revoked_by_id: Option<Uuid>,
    /// Their name at that time.
    pub revoked_by_name: Option<String>,
    /// The reason that was given.
    pub revoked_reason: Option<String>,
    /// When a request with it was last accepted.
    pub last_used_at: Option<DateTimeUtc>,
    /// From where.
    pub last_used_ip: Option<String>,
    /// Counts the changes.
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
