//! Idempotency of forms that Reload or Back submits again, and of the JSON API's `Idempotency-Key`.
//!
//! The idempotency key is written in the transaction of the change, so neither exists without the other. A repeat finds it and changes
//! nothing. A failed request leaves no idempotency key and can be sent again.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Statement,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    connection::{Database, WriteTransaction},
    entity::idempotent_request::{ActiveModel, Column, Entity},
    error::damaged,
    write::Write,
};
use crate::{
    Error,
    id::{KeyId, TenantId, UserId},
    propagation::Written,
};

/// Time for which an idempotency key is remembered, and so the maximum age of a submitted form.
pub(crate) const REMEMBERED: TimeDelta = TimeDelta::hours(24);
/// Tolerated lead of the clock of the replica that rendered a form.
const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::hours(1);
/// Number of outdated rows deleted with each new one: more than are added, and few enough to be fast.
const DELETED_AT_ONCE: u64 = 100;

/// The identity of a request, by which a repeat of it is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The user or API key that sends the request. The same token from another sender identifies another request.
    scope: String,
    token: String,
    /// SHA-256 of the request's content. The same token with other content is an error.
    digest: [u8; 32],
}

impl IdempotencyKey {
    /// Maximum length of `Idempotency-Key`, in characters.
    pub const MAX_KEY_LENGTH: usize = 255;

    /// The key for a page's form. `form_id` is the UUIDv7 that the server gave the form when it rendered it for `user`; `content` is the
    /// operation and every field in a canonical order.
    ///
    /// # Errors
    /// [`Error::FormTooOld`] for a form that was rendered more than 24 hours ago, because its row may be deleted.
    pub fn form(
        user: UserId,
        form_id: Uuid,
        content: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let shown_at = shown_at(form_id).ok_or(Error::FormTooOld)?;
        if now - shown_at >= REMEMBERED || shown_at - now > CLOCK_DIFFERENCE {
            return Err(Error::FormTooOld);
        }
        Ok(Self {
            scope: format!("form:{user}"),
            token: form_id.to_string(),
            digest: Sha256::digest(content).into(),
        })
    }

    /// The key for a request of the JSON API with the header `Idempotency-Key`, sent with the API key `key`. `content` is the route and the
    /// body, with the members in a canonical order.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless `token` is 1–255 printable ASCII characters.
    pub fn header(key: KeyId, token: &str, content: &[u8]) -> Result<Self, Error> {
        let length = 1..=Self::MAX_KEY_LENGTH;
        let printable = token.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !length.contains(&token.len()) || !printable {
            return Err(Error::invalid(
                "Idempotency-Key",
                "Must be 1–255 printable ASCII characters",
            ));
        }
        Ok(Self {
            scope: format!("api_key:{key}"),
            token: token.to_owned(),
            digest: Sha256::digest(content).into(),
        })
    }

    /// The number of PostgreSQL's advisory lock. If two keys have the same number, one of two concurrent requests is refused as in flight.
    fn lock_number(&self, tenant: TenantId) -> i64 {
        let mut hash = Sha256::new();
        for part in [&tenant.to_string(), &self.scope, &self.token] {
            hash.update(part);
            hash.update([0]);
        }
        let hash: [u8; 32] = hash.finalize().into();
        hash.first_chunk()
            .map_or(0, |start| i64::from_be_bytes(*start))
    }
}

/// The time at which a form was rendered, from its identifier. `None` unless it is a UUIDv7.
fn shown_at(form_id: Uuid) -> Option<DateTime<Utc>> {
    if form_id.get_version_num() != 7 {
        return None;
    }
    let (seconds, nanoseconds) = form_id.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)
}

/// A request with an idempotency key, in one tenant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) key: &'a IdempotencyKey,
    pub(crate) tenant: TenantId,
    pub(crate) now: DateTime<Utc>,
}

impl Database {
    /// [`Self::write`] for a request that may have an idempotency key: a repeat does not run `work`. `result` is the API key that `work`
    /// creates or changes.
    ///
    /// # Errors
    /// The errors of [`Self::write`], and [`Error::Repeated`], [`Error::RequestInFlight`], [`Error::RequestReused`].
    pub(crate) async fn write_once<T>(
        &self,
        kind: Write,
        request: Option<Request<'_>>,
        result: KeyId,
        work: impl AsyncFnOnce(&WriteTransaction) -> Result<T, Error>,
    ) -> Result<Written<T>, Error> {
        self.write(kind, async |transaction| {
            if let Some(request) = &request {
                request.refuse_repeat(transaction).await?;
            }
            let value = work(transaction).await?;
            if let Some(request) = &request {
                request.remember(transaction, result).await?;
            }
            Ok(value)
        })
        .await
    }
}

impl Request<'_> {
    /// Reserves the idempotency key for the rest of the transaction, unless the request was carried out before.
    ///
    /// # Errors
    /// [`Error::Repeated`] if it was carried out; [`Error::RequestInFlight`] if another transaction has reserved the key;
    /// [`Error::RequestReused`] if the key was used for another request.
    pub(crate) async fn refuse_repeat(
        &self,
        transaction: &DatabaseTransaction,
    ) -> Result<(), Error> {
        // SQLite serialises write transactions.
        if transaction.get_database_backend() == DbBackend::Postgres {
            let lock = transaction
                .query_one_raw(Statement::from_sql_and_values(
                    DbBackend::Postgres,
                    "SELECT pg_try_advisory_xact_lock($1)",
                    [self.key.lock_number(self.tenant).into()],
                ))
                .await?
                .ok_or_else(|| damaged("lock"))?;
            if !lock.try_get_by_index::<bool>(0)? {
                return Err(Error::RequestInFlight);
            }
        }
        match Entity::find_by_id(self.id()).one(transaction).await? {
            Some(row) if is_outdated(row.created_at, self.now) => Ok(()),
            Some(row) if row.digest == self.key.digest => Err(Error::Repeated { id: row.key_id }),
            Some(_) => Err(Error::RequestReused),
            None => Ok(()),
        }
    }

    /// Stores the result of the request, after [`Self::refuse_repeat`] in the same transaction, and deletes some outdated rows.
    async fn remember(
        &self,
        transaction: &DatabaseTransaction,
        result: KeyId,
    ) -> Result<(), Error> {
        // Deletes an outdated row of the same key.
        Entity::delete_by_id(self.id()).exec(transaction).await?;
        delete_outdated(transaction, self.tenant, self.now).await?;
        let (tenant_id, scope, token) = self.id();
        let row = ActiveModel {
            tenant_id: Set(tenant_id),
            scope: Set(scope),
            token: Set(token),
            digest: Set(self.key.digest.to_vec()),
            key_id: Set(result.as_uuid()),
            created_at: Set(self.now),
        };
        Entity::insert(row)
            .exec_without_returning(transaction)
            .await?;
        Ok(())
    }

    fn id(&self) -> (Uuid, String, String) {
        (
            self.tenant.as_uuid(),
            self.key.scope.clone(),
            self.key.token.clone(),
        )
    }
}

async fn delete_outdated(
    transaction: &DatabaseTransaction,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let mut outdated = Entity::find()
        .select_only()
        .columns([Column::TenantId, Column::Scope, Column::Token])
        .filter(Column::TenantId.eq(tenant.as_uuid()))
        .filter(Column::CreatedAt.lte(now - REMEMBERED))
        .order_by_asc(Column::CreatedAt)
        .limit(DELETED_AT_ONCE);
    // Skips rows that another transaction is deleting, so that two transactions cannot deadlock.
    QueryTrait::query(&mut outdated).lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let row = Expr::tuple([Column::TenantId, Column::Scope, Column::Token].map(Expr::col));
    Entity::delete_many()
        .filter(row.in_subquery(outdated.into_query()))
        .exec(transaction)
        .await?;
    Ok(())
}

fn is_outdated(created_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    created_at <= now - REMEMBERED
}
