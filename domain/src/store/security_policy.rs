//! The security policy of one tenant.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, QuerySelect, sea_query::LockType};
use serde_json::{Map, Value, json};

use super::{
    audit::Event, clock, connection::Database, entity::tenant, keys::Keys, scope::TenantScope,
    stored_policy::policy_of, write::Write,
};
use crate::{
    Error,
    audit::{AuditAction, AuditTarget},
    key::{
        lifetime::{LifetimeDays, LifetimeRule},
        own_grant::OwnGrant,
    },
    propagation::Written,
    security_policy::{SecurityPolicy, SecurityPolicyChanges, field},
};

/// The security policy of one tenant.
#[derive(Clone, Copy)]
pub struct SecurityPolicies<'a> {
    database: &'a Database,
    scope: &'a TenantScope,
}

impl<'a> SecurityPolicies<'a> {
    pub(crate) const fn new(database: &'a Database, scope: &'a TenantScope) -> Self {
        Self { database, scope }
    }

    /// The policy.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn get(&self) -> Result<SecurityPolicy, Error> {
        let id = self.scope.tenant_id().as_uuid();
        let read = tenant::Entity::find_by_id(id).one(self.database.lookups());
        let row = self.database.with_timeout(read).await?;
        policy_of(&row.ok_or(NOT_FOUND)?)
    }

    /// The rule for expiration dates.
    ///
    /// # Errors
    /// The errors of [`Self::get`].
    pub async fn lifetime_rule(&self) -> Result<LifetimeRule, Error> {
        Ok(self.get().await?.lifetime_rule())
    }

    /// Changes the policy. `expected_version`, if given, is the [`SecurityPolicy::version`] on which the change is based. A change without a
    /// difference writes nothing. The allowlist is in effect when the call returns.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the preselected lifetime would be longer than the longest one; [`Error::Stale`] if the policy's version is not
    /// `expected_version`; [`Error::ExceedsOwnGrant`] if the acting key would admit addresses that its own allowlist refuses;
    /// [`Error::ActorRefused`], [`Error::Unavailable`].
    pub async fn change(
        &self,
        changes: SecurityPolicyChanges,
        expected_version: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<Written<SecurityPolicy>, Error> {
        let now = clock::stored(now);
        let changed = self
            .database
            .write(Write::ChangesVerdicts, async |transaction| {
                let row = tenant::Entity::find_by_id(self.scope.tenant_id().as_uuid())
                    .lock(LockType::NoKeyUpdate)
                    .one(transaction)
                    .await?
                    .ok_or(NOT_FOUND)?;
                let before = policy_of(&row)?;
                let own_grant = Keys::new(self.database, self.scope)
                    .own_grant(transaction, now)
                    .await?;
                if expected_version.is_some_and(|version| version != before.version) {
                    return Err(Error::Stale);
                }
                let mut after = changes.applied_to(&before);
                after.check().map_err(|error| Error::Invalid(vec![error]))?;
                if let Some(own) = own_grant {
                    check_admitted(&own, &before, &after)?;
                }
                let differences = differences(&before, &after);
                if differences.is_empty() {
                    return Ok(before);
                }
                after.version = before.version + 1;
                changed_columns(row, &before, &after, now)
                    .update(transaction)
                    .await?;
                let tenant = self.scope.tenant();
                let target = AuditTarget::security_policy(tenant.id, tenant.name.as_str());
                Event::of(self.scope, AuditAction::SecurityPolicyChanged, target)
                    .changing(differences.into())
                    .append(transaction, now)
                    .await?;
                Ok(after)
            });
        changed.await
    }
}

const NOT_FOUND: Error = Error::NotFound("tenant");

/// Checks that the acting key admits no address that neither the present tenant-wide allowlist nor its own one admits: the change would
/// give it and others more than it has.
fn check_admitted(
    own: &OwnGrant,
    before: &SecurityPolicy,
    after: &SecurityPolicy,
) -> Result<(), Error> {
    let own_list = &own.reach.allowlist;
    let is_given = before
        .ip_allowlist
        .with(own_list)
        .covers(&after.ip_allowlist);
    if is_given {
        Ok(())
    } else {
        Err(Error::ExceedsOwnGrant)
    }
}

/// The row with the columns that differ.
fn changed_columns(
    row: tenant::Model,
    before: &SecurityPolicy,
    after: &SecurityPolicy,
    now: DateTime<Utc>,
) -> tenant::ActiveModel {
    let mut columns = tenant::ActiveModel::from(row);
    let stored = |days: Option<LifetimeDays>| days.map(|days| i64::from(days.get()));
    if after.expiration_required != before.expiration_required {
        columns.policy_expiration_required = Set(after.expiration_required);
    }
    if after.max_lifetime_days != before.max_lifetime_days {
        columns.policy_max_lifetime_days = Set(stored(after.max_lifetime_days));
    }
    if after.default_lifetime_days != before.default_lifetime_days {
        columns.policy_default_lifetime_days = Set(stored(after.default_lifetime_days));
    }
    if after.ip_allowlist != before.ip_allowlist {
        columns.policy_ip_allowlist = Set(after.ip_allowlist.to_lines());
    }
    if after.second_factor_required != before.second_factor_required {
        columns.policy_second_factor_required = Set(after.second_factor_required);
    }
    columns.policy_version = Set(after.version);
    columns.updated_at = Set(now);
    columns
}

/// The changes for the audit event; empty without a difference.
fn differences(before: &SecurityPolicy, after: &SecurityPolicy) -> Map<String, Value> {
    let fields = [
        (
            field::EXPIRATION_REQUIRED,
            json!(before.expiration_required),
            json!(after.expiration_required),
        ),
        (
            field::MAX_LIFETIME_DAYS,
            json!(before.max_lifetime_days),
            json!(after.max_lifetime_days),
        ),
        (
            field::DEFAULT_LIFETIME_DAYS,
            json!(before.default_lifetime_days),
            json!(after.default_lifetime_days),
        ),
        (
            field::IP_ALLOWLIST,
            json!(before.ip_allowlist),
            json!(after.ip_allowlist),
        ),
        (
            field::SECOND_FACTOR_REQUIRED,
            json!(before.second_factor_required),
            json!(after.second_factor_required),
        ),
    ];
    fields
        .into_iter()
        .filter(|(_, before, after)| before != after)
        .map(|(field, before, after)| {
            let change = json!({ "before": before, "after": after });
            (field.to_owned(), change)
        })
        .collect()
}
