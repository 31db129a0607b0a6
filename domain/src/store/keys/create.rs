//! Creation of keys.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, DatabaseTransaction, EntityTrait, QuerySelect, sea_query::LockType,
};
use serde_json::{Value, json};

use super::{Keys, counts, group::group_for_keys};
use crate::{
    Error, FieldError,
    audit::{AuditAction, AuditTarget},
    group::GroupRef,
    id::KeyId,
    key::{IssuedKey, NewKey, format::Secret, own_grant::Reach, today},
    store::{
        audit::Event,
        clock,
        entity::{api_key, tenant},
        random,
        stored_policy::rule_of,
        write::Write,
    },
};

impl Keys<'_> {
    /// Creates a key. Only this result contains its secret.
    ///
    /// # Errors
    /// [`Error::KeyLimitReached`]; [`Error::Invalid`] for a group that is not one of the tenant's groups for keys and for a date that is
    /// not in the future; if a key acts, [`Error::ExceedsOwnGrant`] and [`Error::ActorRefused`]; [`Error::Unavailable`].
    pub async fn create(&self, new: NewKey, now: DateTime<Utc>) -> Result<IssuedKey, Error> {
        let now = clock::stored(now);
        let id = random::identifier::<KeyId>();
        let secret = Secret::generate(&self.database.options().key_prefix, random::fill)?;
        let written = self.write(Write::Plain, id, now, async |transaction| {
            let own_grant = self.own_grant(transaction, now).await?;
            let tenant = lock_tenant(self, transaction).await?;
            check_limit(self, &tenant, transaction).await?;
            let group = check_fields(self, &tenant, transaction, &new, now).await?;
            if let Some(own) = own_grant {
                own.check_new(&Reach {
                    permissions: self.permissions_of(transaction, new.group_id).await?,
                    expires_on: new.expires_on,
                    allowlist: new.allowlist.clone(),
                })?;
            }
            let target = AuditTarget::api_key(id, new.name.as_str());
            let event = Event::of(self.scope, AuditAction::ApiKeyCreated, target)
                .changing(changes(&new, &group));
            api_key::Entity::insert(row(self, id, new, &group, &secret, now))
                .exec_without_returning(transaction)
                .await?;
            event.append(transaction, now).await?;
            let key = self.read(transaction, id, now).await?;
            Ok(IssuedKey { key, secret })
        });
        Ok(written.await?.value)
    }
}

/// Locks the tenant's row, so that the second of two concurrent creations counts the key of the first, and the key complies with the
/// security policy at the commit. SQLite has only one writer.
async fn lock_tenant(
    keys: &Keys<'_>,
    transaction: &DatabaseTransaction,
) -> Result<tenant::Model, Error> {
    tenant::Entity::find_by_id(keys.scope.tenant_id().as_uuid())
        // The stronger lock would block every insert of a row that refers to the tenant.
        .lock(LockType::NoKeyUpdate)
        .one(transaction)
        .await?
        .ok_or(Error::NotFound("tenant"))
}

async fn check_limit(
    keys: &Keys<'_>,
    tenant: &tenant::Model,
    transaction: &DatabaseTransaction,
) -> Result<(), Error> {
    let usage = counts::quota(keys, tenant, transaction).await?;
    if usage.is_full() {
        return Err(Error::KeyLimitReached { limit: usage.limit });
    }
    Ok(())
}

/// Checks the group, which only the database contains, and the date, which may have passed since the form was validated, or which the
/// tenant's security policy may not permit.
async fn check_fields(
    keys: &Keys<'_>,
    tenant: &tenant::Model,
    transaction: &DatabaseTransaction,
    new: &NewKey,
    now: DateTime<Utc>,
) -> Result<GroupRef, Error> {
    let mut errors = Vec::new();
    let group = group_for_keys(keys, transaction, new.group_id).await?;
    let group = group.map_err(|error| errors.push(error));
    if let Some(Err(error)) = new.expires_on.map(|date| date.in_future(today(now))) {
        errors.push(FieldError::new("expires_on", error.to_string()));
    } else if let Err(error) = rule_of(tenant)?.check(new.expires_on, today(now)) {
        errors.push(error);
    }
    match group {
        Ok(group) if errors.is_empty() => Ok(group),
        _ => Err(Error::Invalid(errors)),
    }
}

fn row(
    keys: &Keys<'_>,
    id: KeyId,
    new: NewKey,
    group: &GroupRef,
    secret: &Secret,
    now: DateTime<Utc>,
) -> api_key::ActiveModel {
    let creator = keys.scope.actor().who.clone();
    api_key::ActiveModel {
        id: Set(id.as_uuid()),
        tenant_id: Set(keys.scope.tenant_id().as_uuid()),
        group_id: Set(group.id.as_uuid()),
        group_name_lower: Set(crate::text::lowered(&group.name)),
        name_lower: Set(crate::text::lowered(new.name.as_str())),
        name: Set(new.name.into()),
        description_lower: Set(crate::text::lowered(new.description.as_str())),
        description: Set(new.description.into()),
        hint: Set(secret.hint()),
        secret_digest: Set(random::digest(secret.expose())),
        expires_on: Set(new.expires_on.map(|date| date.date())),
        ip_allowlist: Set(new.allowlist.to_lines()),
        created_by_kind: Set(creator.kind.as_str().to_owned()),
        created_by_id: Set(creator.id),
        created_by_name: Set(creator.name),
        created_at: Set(now),
        updated_at: Set(now),
        rotated_at: Set(None),
        revoked_at: Set(None),
        revoked_by_kind: Set(None),
        revoked_by_id: Set(None),
        revoked_by_name: Set(None),
        revoked_reason: Set(None),
        last_used_at: Set(None),
        last_used_ip: Set(None),
        version: Set(1),
    }
}

fn changes(new: &NewKey, group: &GroupRef) -> Value {
    json!({
        "name": { "before": null, "after": new.name },
        "description": { "before": null, "after": new.description },
        "authorization_group": { "before": null, "after": group },
        "expires_on": { "before": null, "after": new.expires_on },
        "ip_allowlist": { "before": null, "after": new.allowlist },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::format::KeyPrefix;
    use std::collections::HashSet;

    #[test]
    fn p30_a_hundred_thousand_secrets_are_all_different_and_even_in_every_position() {
        const SECRETS: usize = 100_000;
        /// The upper 10⁻⁹ quantile of χ² with 61 degrees of freedom.
        const CRITICAL: f64 = 153.0;

        let prefix = KeyPrefix::default();
        let mut seen = HashSet::with_capacity(SECRETS);
        let mut counts = [[0_u32; 128]; 32];
        for _ in 0..SECRETS {
            let secret = Secret::generate(&prefix, random::fill).expect("random bytes");
            let body = &secret.expose().as_bytes()["lk_".len()..][..32];
            for (position, byte) in body.iter().enumerate() {
                counts[position][usize::from(*byte)] += 1;
            }
            assert!(seen.insert(secret.expose().to_owned()), "a duplicate");
        }
        let expected = SECRETS as f64 / 62.0;
        for (position, counts) in counts.iter().enumerate() {
            let digits = (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z');
            let chi_square: f64 = digits
                .map(|digit| (f64::from(counts[usize::from(digit)]) - expected).powi(2) / expected)
                .sum();
            assert!(chi_square < CRITICAL, "position {position}: {chi_square}");
        }
    }
}
