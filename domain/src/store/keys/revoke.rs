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
    store::{clock, entity::api_key},
};

pub(super) async fn revoke(
    keys: &Keys<'_>,
    id: KeyId,
    now: DateTime<Utc>,
) -> Result<ChangedKey, Error> {
    let now = clock::stored(now);
    let transaction = keys.database.begin_write().await?;
    let key = keys
        .database
        .within(async {
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
            keys.read(&transaction, id, now).await
        })
        .await?;
    // Also where it was revoked before: whoever did that is perhaps not answered yet.
    let receipt = keys.database.commit_change(transaction).await?;
    Ok(ChangedKey { key, receipt })
}
