//! Revocation of keys, which is permanent.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

use super::{Keys, row};
use crate::{
    Error, FieldError,
    audit::{AuditAction, AuditTarget},
    id::KeyId,
    key::{ApiKey, KeyStatus, RevokedKeys, reason::RevocationReason, verdict::Refusal},
    propagation::Written,
    store::{audit::Event, clock, connection::WriteTransaction, entity::api_key, write::Write},
};

/// Maximum number of keys that one transaction revokes.
pub const MAX_REVOKED_AT_ONCE: usize = 100;

impl Keys<'_> {
    /// Revokes a key permanently. A key that is already revoked is not changed and adds no audit event.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's key; if a key acts, [`Error::ActorRefused`]; [`Error::Unavailable`].
    pub async fn revoke(&self, id: KeyId, now: DateTime<Utc>) -> Result<Written<ApiKey>, Error> {
        self.revoke_with_reason(id, None, now).await
    }

    /// [`Self::revoke`] with a reason, which the key's page and its audit event show. A key that is already revoked keeps its reason.
    ///
    /// # Errors
    /// The errors of [`Self::revoke`].
    pub async fn revoke_with_reason(
        &self,
        id: KeyId,
        reason: Option<&RevocationReason>,
        now: DateTime<Utc>,
    ) -> Result<Written<ApiKey>, Error> {
        let now = clock::stored(now);
        self.write(Write::ChangesVerdicts, id, now, async |transaction| {
            let before = self.lock(transaction, id).await?;
            // A revocation grants nothing, so only the validity of the actor is checked.
            self.own_grant(transaction, now).await?;
            if before.revoked_at.is_none() {
                let row = self.revocation(reason, now);
                let change = (AuditAction::ApiKeyRevoked, changes(reason));
                self.change(transaction, &before, row, change, now).await?;
            }
            self.read(transaction, id, now).await
        })
        .await
    }

    /// Revokes the acting key. Its allowlist and the state of its tenant do not matter: holding the secret suffices to end it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if no key acts; [`Error::ActorRefused`] if it is revoked or absent; [`Error::Unavailable`].
    pub async fn revoke_self(&self, now: DateTime<Utc>) -> Result<Written<ApiKey>, Error> {
        let id = self.own_id()?;
        let now = clock::stored(now);
        self.write(Write::ChangesVerdicts, id, now, async |transaction| {
            let before = self.lock(transaction, id).await?;
            if before.revoked_at.is_some() {
                return Err(Error::ActorRefused(Refusal::RevokedApiKey));
            }
            let row = self.revocation(None, now);
            let change = (AuditAction::ApiKeyRevoked, changes(None));
            self.change(transaction, &before, row, change, now).await?;
            self.read(transaction, id, now).await
        })
        .await
    }

    /// Revokes keys permanently, all or none, in one transaction and with one wait for their propagation. Keys that are already revoked are
    /// not changed and add no audit event. [`Self::get_many`] returns the keys of a repeat.
    ///
    /// [`Error::Invalid`] for an empty list, for more than [`MAX_REVOKED_AT_ONCE`] keys, and for each key that is not the tenant's; if a
    /// key acts, [`Error::ActorRefused`]; [`Error::Unavailable`].
    pub async fn revoke_many(
        &self,
        ids: &[KeyId],
        reason: Option<&RevocationReason>,
        now: DateTime<Utc>,
    ) -> Result<Written<RevokedKeys>, Error> {
        let ids = distinct(ids);
        let first = match ids.first() {
            Some(first) if ids.len() <= MAX_REVOKED_AT_ONCE => *first,
            _ => return Err(Error::invalid("ids", "Must be 1–100 API keys")),
        };
        let now = clock::stored(now);
        // The idempotency row refers to the first key; the digest of the request covers every identifier.
        self.write(Write::ChangesVerdicts, first, now, async |transaction| {
            self.revoke_all(transaction, &ids, reason, now).await?;
            let items = self.read_many(transaction, &ids, now).await?;
            Ok(RevokedKeys { items })
        })
        .await
    }

    /// The keys with these identifiers, in this order, without duplicates and without keys of other tenants; at most
    /// [`MAX_REVOKED_AT_ONCE`].
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn get_many(&self, ids: &[KeyId], now: DateTime<Utc>) -> Result<Vec<ApiKey>, Error> {
        let mut ids = distinct(ids);
        ids.truncate(MAX_REVOKED_AT_ONCE);
        let lists = self.lists().await?;
        let reader: &DatabaseConnection = &lists;
        lists.with_timeout(self.read_many(reader, &ids, now)).await
    }

    async fn revoke_all(
        &self,
        transaction: &WriteTransaction,
        ids: &[KeyId],
        reason: Option<&RevocationReason>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        use api_key::Column;
        let wanted = || Column::Id.is_in(ids.iter().map(|id| id.as_uuid()));
        // Rows are locked in the order of their identifiers, so that two such transactions cannot deadlock.
        let rows = self
            .rows()
            .filter(wanted())
            .order_by_asc(Column::Id)
            .lock_exclusive()
            .all(&**transaction)
            .await?;
        let found: HashMap<Uuid, &api_key::Model> = rows.iter().map(|row| (row.id, row)).collect();
        let absent: Vec<_> = ids
            .iter()
            .filter(|id| !found.contains_key(&id.as_uuid()))
            .map(|id| FieldError::new("ids", format!("No API key has the id {id}")))
            .collect();
        if !absent.is_empty() {
            return Err(Error::Invalid(absent));
        }
        self.own_grant(transaction, now).await?;
        let revocation = api_key::ActiveModel {
            updated_at: Set(now),
            ..self.revocation(reason, now)
        };
        api_key::Entity::update_many()
            .set(revocation)
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(self.is_own())
            .filter(wanted())
            .filter(Column::RevokedAt.is_null())
            .exec(&**transaction)
            .await?;
        for id in ids {
            let before = found.get(&id.as_uuid());
            if let Some(row) = before.filter(|row| row.revoked_at.is_none()) {
                let target = AuditTarget::api_key(*id, row.name.as_str());
                Event::of(self.scope, AuditAction::ApiKeyRevoked, target)
                    .changing(changes(reason))
                    .append(transaction, now)
                    .await?;
            }
        }
        Ok(())
    }

    async fn read_many(
        &self,
        connection: &impl ConnectionTrait,
        ids: &[KeyId],
        now: DateTime<Utc>,
    ) -> Result<Vec<ApiKey>, Error> {
        let rows = row::with_group(self.rows())
            .filter(api_key::Column::Id.is_in(ids.iter().map(|id| id.as_uuid())))
            .into_model::<row::KeyRow>()
            .all(connection)
            .await?;
        let mut keys = HashMap::with_capacity(rows.len());
        for row in rows {
            let key = row.into_key(now, self.soon_days())?;
            keys.insert(key.id, key);
        }
        Ok(ids.iter().filter_map(|id| keys.remove(id)).collect())
    }

    /// The columns of a key that the actor revokes at `now`.
    fn revocation(
        &self,
        reason: Option<&RevocationReason>,
        now: DateTime<Utc>,
    ) -> api_key::ActiveModel {
        let who = &self.scope.actor().who;
        api_key::ActiveModel {
            revoked_at: Set(Some(now)),
            revoked_by_kind: Set(Some(who.kind.as_str().to_owned())),
            revoked_by_id: Set(who.id),
            revoked_by_name: Set(Some(who.name.clone())),
            revoked_reason: Set(reason.map(|reason| reason.as_str().to_owned())),
            ..Default::default()
        }
    }
}

fn distinct(ids: &[KeyId]) -> Vec<KeyId> {
    let mut seen = HashSet::new();
    ids.iter().copied().filter(|id| seen.insert(*id)).collect()
}

fn changes(reason: Option<&RevocationReason>) -> Value {
    let mut changes =
        json!({ "status": { "before": KeyStatus::Active, "after": KeyStatus::Revoked } });
    if let Some(reason) = reason {
        changes["revoked_reason"] = json!({ "before": null, "after": reason });
    }
    changes
}
