//! Giving a key a new secret.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::ActiveValue::Set;
use serde_json::json;

use super::Keys;
use crate::{
    Error,
    audit::AuditAction,
    id::KeyId,
    key::{
        IssuedKey, RotatedExpiry, RotatedKey,
        expiry::ExpirationDate,
        format::Secret,
        own_grant::{OwnGrant, Reach},
        today,
    },
    store::{
        clock,
        entity::api_key,
        idempotency::{IdempotencyKey, Idempotent},
        random,
    },
};

pub(super) async fn rotate(
    keys: &Keys<'_>,
    id: KeyId,
    expiry: RotatedExpiry,
    idempotency: Option<&IdempotencyKey>,
    now: DateTime<Utc>,
) -> Result<Idempotent<RotatedKey>, Error> {
    let check =
        |own: &OwnGrant, before: &Reach, after: &Reach| own.check_changed(id, before, after);
    give_secret(keys, id, expiry, check, idempotency, now).await
}

/// The key that acts gives itself a new secret, and keeps everything else: nothing is handed out that it has not.
pub(super) async fn rotate_self(
    keys: &Keys<'_>,
    now: DateTime<Utc>,
) -> Result<Idempotent<RotatedKey>, Error> {
    let allow = |_: &OwnGrant, _: &Reach, _: &Reach| Ok(());
    give_secret(keys, keys.own_id()?, RotatedExpiry::Keep, allow, None, now).await
}

async fn give_secret(
    keys: &Keys<'_>,
    id: KeyId,
    expiry: RotatedExpiry,
    check: impl Fn(&OwnGrant, &Reach, &Reach) -> Result<(), Error>,
    idempotency: Option<&IdempotencyKey>,
    now: DateTime<Utc>,
) -> Result<Idempotent<RotatedKey>, Error> {
    let now = clock::stored(now);
    let secret = Secret::generate(&keys.database.options().key_prefix, random::fill)?;
    let transaction = keys.database.begin_write().await?;
    let rotated = keys
        .database
        .with_timeout(async {
            if let Some(key) = keys.find_done(&transaction, idempotency, now).await? {
                return Ok(Idempotent::Repeated { key });
            }
            let before = keys.lock(&transaction, id).await?;
            let own_grant = keys.own_grant(&transaction, now).await?;
            if before.revoked_at.is_some() {
                return Err(Error::KeyRevoked);
            }
            let hint = secret.hint();
            let mut changes = json!({ "hint": { "before": before.hint, "after": hint } });
            let mut row = api_key::ActiveModel {
                hint: Set(hint),
                secret_digest: Set(random::digest(secret.expose())),
                rotated_at: Set(Some(now)),
                ..Default::default()
            };
            if let RotatedExpiry::Set(date) = expiry
                && let Some(date) = changed_date(date, before.expires_on, now)?
            {
                changes["expires_on"] = json!({ "before": before.expires_on, "after": date });
                row.expires_on = Set(date);
            }
            if let Some(own) = own_grant {
                let reach = keys.reach_of(&transaction, &before).await?;
                let expires_on = match expiry {
                    RotatedExpiry::Keep => reach.expires_on,
                    RotatedExpiry::Set(date) => date,
                };
                let after = Reach {
                    expires_on,
                    ..reach.clone()
                };
                check(&own, &reach, &after)?;
            }
            keys.change(
                &transaction,
                &before,
                row,
                (AuditAction::ApiKeyRotated, changes),
                now,
            )
            .await?;
            keys.remember(&transaction, idempotency, id, now).await?;
            let key = keys.read(&transaction, id, now).await?;
            Ok(Idempotent::Done(IssuedKey { key, secret }))
        })
        .await;
    let (rotated, receipt) = keys.database.end_change(transaction, rotated).await?;
    Ok(rotated.map(|IssuedKey { key, secret }| RotatedKey {
        key,
        secret,
        receipt,
    }))
}

/// The date that takes the place of `current`: `None` where it is the current one, which is accepted also where it is past.
fn changed_date(
    wanted: Option<ExpirationDate>,
    current: Option<NaiveDate>,
    now: DateTime<Utc>,
) -> Result<Option<Option<NaiveDate>>, Error> {
    if wanted.map(ExpirationDate::date) == current {
        return Ok(None);
    }
    wanted
        .map(|date| date.in_future(today(now)))
        .transpose()
        .map(|date| Some(date.map(ExpirationDate::date)))
        .map_err(|error| Error::invalid("expires_on", error.to_string()))
}
