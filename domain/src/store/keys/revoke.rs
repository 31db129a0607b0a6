//! Revoking a key: for ever, and once.

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use serde_json::json;

use super::Keys;
use crate::{
    Error,
    audit::AuditAction,
    id::KeyId,
    key::{ChangedKey, KeyStatus},
    store::{
        clock,
        entity::api_key,
        idempotency::{IdempotencyKey, Idempotent},
    },
};

pub(super) async fn revoke(
    keys: &Keys<'_>,
    id: KeyId,
    idempotency: Option<&IdempotencyKey>,
    now: DateTime<Utc>,
) -> Result<Idempotent<ChangedKey>, Error> {
    let now = clock::stored(now);
    let transaction = keys.database.begin_write().await?;
    let revoked = keys
        .database
        .with_timeout(async {
            if let Some(key) = keys.find_done(&transaction, idempotency, now).await? {
                return Ok(Idempotent::Repeated { key });
            }
            let before = keys.lock(&transaction, id).await?;
            // Revoking hands nothing out; all that counts is that the actor is still good.
            keys.own_grant(&transaction, now).await?;
            if before.revoked_at.is_none() {
                let row = api_key::ActiveModel {
                    revoked_at: Set(Some(now)),
                    ..Default::default()
                };
                let changes =
                    json!({ "status": { "before": KeyStatus::Active, "after": KeyStatus::Revoked } });
                keys.change(
                    &transaction,
                    &before,
                    row,
                    (AuditAction::ApiKeyRevoked, changes),
                    now,
                )
                .await?;
            }
            keys.remember(&transaction, idempotency, id, now).await?;
            let key = keys.read(&transaction, id, now).await?;
            Ok::<_, Error>(Idempotent::Done(key))
        })
        .await;
    // Also where it was revoked before: whoever did that is perhaps not answered yet.
    let (revoked, receipt) = keys.database.end_change(transaction, revoked).await?;
    Ok(revoked.map(|key| ChangedKey { key, receipt }))
}
