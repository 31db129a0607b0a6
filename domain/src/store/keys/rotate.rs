//! Giving a key a new secret.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::ActiveValue::Set;
use serde_json::json;

use super::Keys;
use crate::{
    Error,
    audit::AuditAction,
    id::KeyId,
    key::{IssuedKey, RotatedExpiry, expiry::ExpirationDate, format::Secret, today},
    store::{
        clock,
        entity::api_key,
        one_time::{Once, OneTime},
        random,
    },
};

pub(super) async fn rotate(
    keys: &Keys<'_>,
    id: KeyId,
    expiry: RotatedExpiry,
    one_time: Option<&OneTime>,
    now: DateTime<Utc>,
) -> Result<Once<IssuedKey>, Error> {
    let now = clock::stored(now);
    let secret = Secret::generate(&keys.database.options().key_prefix, random::fill)?;
    let transaction = keys.database.begin_write().await?;
    let rotated = keys
        .database
        .within(async {
            if let Some(key) = keys.find_done(&transaction, one_time, now).await? {
                return Ok(Once::Repeated { key });
            }
            let before = keys.lock(&transaction, id).await?;
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
            keys.change(
                &transaction,
                &before,
                row,
                (AuditAction::ApiKeyRotated, changes),
                now,
            )
            .await?;
            keys.remember(&transaction, one_time, id, now).await?;
            let key = keys.read(&transaction, id, now).await?;
            Ok(Once::Done(IssuedKey { key, secret }))
        })
        .await?;
    keys.database.commit(transaction).await?;
    Ok(rotated)
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
