//! Rotation: replacing a key's secret.

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use serde_json::json;

use super::Keys;
use crate::{
    Error,
    audit::AuditAction,
    id::KeyId,
    key::{
        IssuedKey, RotatedExpiry,
        expiry::ExpirationDate,
        format::Secret,
        own_grant::{OwnGrant, Reach},
        rotation, today,
    },
    propagation::Written,
    store::{clock, entity::api_key, random, write::Write},
};

impl Keys<'_> {
    /// Replaces a key's secret. The old secret is invalid from the commit on. The last use is kept.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's key; [`Error::KeyRevoked`]; [`Error::Invalid`] for a date that is neither the current
    /// one nor in the future, or that the tenant's security policy does not permit; if a key acts, [`Error::ExceedsOwnGrant`] and [`Error::ActorRefused`]; [`Error::Unavailable`].
    pub async fn rotate(
        &self,
        id: KeyId,
        expiry: RotatedExpiry,
        now: DateTime<Utc>,
    ) -> Result<Written<IssuedKey>, Error> {
        let check =
            |own: &OwnGrant, before: &Reach, after: &Reach| own.check_changed(id, before, after);
        self.give_secret(id, expiry, check, now).await
    }

    /// Replaces the secret of the acting key. The old secret is invalid from the commit on. The expiration date becomes the latest one that
    /// the tenant's security policy permits, never later than the current one, so the rotation grants nothing that the key lacks.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if no key acts; [`Error::ActorRefused`]; [`Error::Unavailable`].
    pub async fn rotate_self(&self, now: DateTime<Utc>) -> Result<Written<IssuedKey>, Error> {
        let allow = |_: &OwnGrant, _: &Reach, _: &Reach| Ok(());
        self.give_secret(self.own_id()?, RotatedExpiry::Latest, allow, now)
            .await
    }

    async fn give_secret(
        &self,
        id: KeyId,
        expiry: RotatedExpiry,
        check: impl Fn(&OwnGrant, &Reach, &Reach) -> Result<(), Error>,
        now: DateTime<Utc>,
    ) -> Result<Written<IssuedKey>, Error> {
        let now = clock::stored(now);
        let secret = Secret::generate(&self.database.options().key_prefix, random::fill)?;
        self.write(Write::ChangesVerdicts, id, now, async |transaction| {
            // Rows are locked in the order tenant, key, as a creation does.
            let rule = self.lifetime_rule(transaction).await?;
            let before = self.lock(transaction, id).await?;
            let own_grant = self.own_grant(transaction, now).await?;
            if before.revoked_at.is_some() {
                return Err(Error::KeyRevoked);
            }
            let current = before.expires_on.map(ExpirationDate::from);
            let expires_on = rotation::plan(current, expiry, rule, today(now))
                .map_err(|error| Error::Invalid(vec![error]))?;
            if let Some(own) = own_grant {
                let reach = self.reach_of(transaction, &before).await?;
                let after = Reach {
                    expires_on,
                    ..reach.clone()
                };
                check(&own, &reach, &after)?;
            }
            let hint = secret.hint();
            let mut changes = json!({ "hint": { "before": before.hint, "after": hint } });
            let mut row = api_key::ActiveModel {
                hint: Set(hint),
                secret_digest: Set(random::digest(secret.expose())),
                rotated_at: Set(Some(now)),
                ..Default::default()
            };
            if expires_on != current {
                changes["expires_on"] = json!({ "before": current, "after": expires_on });
                row.expires_on = Set(expires_on.map(ExpirationDate::date));
            }
            let change = (AuditAction::ApiKeyRotated, changes);
            self.change(transaction, &before, row, change, now).await?;
            let key = self.read(transaction, id, now).await?;
            Ok(IssuedKey { key, secret })
        })
        .await
    }
}
