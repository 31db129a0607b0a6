//! Reading keys from rows.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{EntityTrait, FromQueryResult, JoinType, QuerySelect, Select};
use uuid::Uuid;

use crate::{
    Error,
    actor::{ActorKind, ActorRef},
    group::GroupRef,
    key::{
        ApiKey, KeyStatus,
        expiry::{ExpirationDate, ExpirationState},
        reason::RevocationReason,
        today,
    },
    store::{
        entity::{api_key, authorization_group, tenant},
        error::damaged,
        stored_policy::{stored_allowlist, stored_rule},
    },
};

/// The columns of a key that are read, with the name of its group and without the digest of its secret.
#[derive(Debug, FromQueryResult)]
pub(super) struct KeyRow {
    pub(super) id: Uuid,
    pub(super) group_id: Uuid,
    pub(super) group_name: String,
    pub(super) group_name_lower: String,
    pub(super) name: String,
    pub(super) name_lower: String,
    pub(super) description: String,
    pub(super) hint: String,
    pub(super) expires_on: Option<NaiveDate>,
    pub(super) ip_allowlist: String,
    pub(super) created_by_kind: String,
    pub(super) created_by_id: Option<Uuid>,
    pub(super) created_by_name: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) rotated_at: Option<DateTime<Utc>>,
    pub(super) revoked_at: Option<DateTime<Utc>>,
    pub(super) revoked_by_kind: Option<String>,
    pub(super) revoked_by_id: Option<Uuid>,
    pub(super) revoked_by_name: Option<String>,
    pub(super) revoked_reason: Option<String>,
    pub(super) last_used_at: Option<DateTime<Utc>>,
    pub(super) last_used_ip: Option<String>,
    pub(super) version: i64,
    pub(super) policy_expiration_required: bool,
    pub(super) policy_max_lifetime_days: Option<i64>,
}

/// Selects the columns of [`KeyRow`] and joins the group and the tenant.
pub(super) fn with_group(keys: Select<api_key::Entity>) -> Select<api_key::Entity> {
    use api_key::Column;
    let group = api_key::Entity::belongs_to(authorization_group::Entity)
        .from((Column::TenantId, Column::GroupId))
        .to((
            authorization_group::Column::TenantId,
            authorization_group::Column::Id,
        ))
        .into();
    let of_tenant = api_key::Entity::belongs_to(tenant::Entity)
        .from(Column::TenantId)
        .to(tenant::Column::Id)
        .into();
    keys.join(JoinType::InnerJoin, group)
        .join(JoinType::InnerJoin, of_tenant)
        .select_only()
        .columns([
            Column::Id,
            Column::GroupId,
            Column::GroupNameLower,
            Column::Name,
            Column::NameLower,
            Column::Description,
            Column::Hint,
            Column::ExpiresOn,
            Column::IpAllowlist,
            Column::CreatedByKind,
            Column::CreatedById,
            Column::CreatedByName,
            Column::CreatedAt,
            Column::UpdatedAt,
            Column::RotatedAt,
            Column::RevokedAt,
            Column::RevokedByKind,
            Column::RevokedById,
            Column::RevokedByName,
            Column::RevokedReason,
            Column::LastUsedAt,
            Column::LastUsedIp,
            Column::Version,
        ])
        .column_as(authorization_group::Column::Name, "group_name")
        .columns([
            tenant::Column::PolicyExpirationRequired,
            tenant::Column::PolicyMaxLifetimeDays,
        ])
}

impl KeyRow {
    /// The key at `now`. `soon_days` is the largest number of remaining days that counts as expiring soon.
    ///
    /// # Errors
    /// [`Error::Internal`] for a damaged row, such as one with an invalid allowlist.
    pub(super) fn into_key(self, now: DateTime<Utc>, soon_days: u32) -> Result<ApiKey, Error> {
        let expires_on = self.expires_on.map(ExpirationDate::from);
        let rule = stored_rule(
            self.policy_expiration_required,
            self.policy_max_lifetime_days,
        )?;
        let issued_on = today(self.rotated_at.unwrap_or(self.created_at));
        let revoked_by = match (self.revoked_by_kind, self.revoked_by_name) {
            (Some(kind), Some(name)) => Some(ActorRef {
                kind: ActorKind::from_word(&kind).ok_or_else(|| damaged("actor kind"))?,
                id: self.revoked_by_id,
                name,
            }),
            _ => None,
        };
        Ok(ApiKey {
            id: self.id.into(),
            name: self.name.try_into().map_err(|_| damaged("key name"))?,
            description: self
                .description
                .parse()
                .map_err(|_| damaged("key description"))?,
            hint: self.hint,
            status: match self.revoked_at {
                None => KeyStatus::Active,
                Some(_) => KeyStatus::Revoked,
            },
            expiration: ExpirationState::on(expires_on, today(now), soon_days),
            expires_on,
            outside_policy: self.revoked_at.is_none()
                && rule.broken_by(expires_on, issued_on).is_some(),
            authorization_group: GroupRef {
                id: self.group_id.into(),
                name: self.group_name,
            },
            ip_allowlist: stored_allowlist(&self.ip_allowlist)?,
            created_at: self.created_at,
            created_by: ActorRef {
                kind: ActorKind::from_word(&self.created_by_kind)
                    .ok_or_else(|| damaged("actor kind"))?,
                id: self.created_by_id,
                name: self.created_by_name,
            },
            updated_at: self.updated_at,
            rotated_at: self.rotated_at,
            revoked_at: self.revoked_at,
            revoked_by,
            revoked_reason: (self.revoked_reason)
                .map(RevocationReason::try_from)
                .transpose()
                .map_err(|_| damaged("revocation reason"))?,
            last_used_at: self.last_used_at,
            last_used_ip: self.last_used_ip,
            version: self.version,
        })
    }
}
