//! One-time links: invitations, links that set a new password, and links that sign a super user in.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_links")]
pub struct Model {
    /// The identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// SHA-256 of the link's token.
    #[sea_orm(unique, column_type = "Binary(32)")]
    pub token_digest: Vec<u8>,
    /// A word of `LinkPurpose`.
    pub purpose: String,
    /// The tenant of the person; null for a super user.
    pub tenant_id: Option<Uuid>,
    /// The user; null for an invitation.
    pub user_id: Option<Uuid>,
    /// The address in lower case.
    pub email: String,
    /// A word of `Role`.
    pub role: String,
    /// The kind of the actor who made the link.
    pub author_kind: String,
    /// The actor's identifier; null for the command line.
    pub author_id: Option<Uuid>,
    /// The actor's name.
    pub author_name: String,
    /// The time of its creation.
    pub created_at: DateTimeUtc,
    /// The time from which the link is refused.
    pub expires_at: DateTimeUtc,
    /// The time at which the link was used or ended before its time; null if it is open.
    pub ended_at: Option<DateTimeUtc>,
    /// A word of `LinkEnd` if `ended_at` is set.
    pub ended_as: Option<String>,
    /// The time of the last audit event about a refused use.
    pub refusal_audited_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl Related<super::tenant::Entity> for Entity {
    fn to() -> RelationDef {
        Self::belongs_to(super::tenant::Entity)
            .from(Column::TenantId)
            .to(super::tenant::Column::Id)
            .into()
    }
}

impl ActiveModelBehavior for ActiveModel {}
