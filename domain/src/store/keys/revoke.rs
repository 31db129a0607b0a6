//! Revoking a key, which is permanent.

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use serde_json::json;

use super::Keys;
use crate::{
    Error,
    audit::AuditAction,
    id::KeyId,
    key::{ApiKey, KeyStatus},
    propagation::Written,
    store::{clock, entity::api_key, write::Write},
};

impl Keys<'_> {
    /// Revokes a key permanently. A key that is revoked already stays as it is, and adds no audit event.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's key; if a key acts, [`Error::ActorRefused`]; [`Error::Unavailable`].
    pub async fn revoke(&self, id: KeyId, now: DateTime<Utc>) -> Result<Written<ApiKey>, Error> {
        let now = clock::stored(now);
        self.write(Write::ChangesVerdicts, id, now, async |transaction| {
            let before = self.lock(transaction, id).await?;
            // Revoking grants nothing, so the actor only has to be valid still.
            self.own_grant(transaction, now).await?;
            if before.revoked_at.is_none() {
                let row = api_key::ActiveModel {
                    revoked_at: Set(Some(now)),
                    ..Default::default()
                };
                let changes =
                    json!({ "status": { "before": KeyStatus::Active, "after": KeyStatus::Revoked } });
                let change = (AuditAction::ApiKeyRevoked, changes);
                self.change(transaction, &before, row, change, now).await?;
            }
            self.read(transaction, id, now).await
        })
        .await
    }
}
