//! The keys of one tenant.

mod archive;
mod bulk_insert;
mod by_secret;
mod counts;
mod create;
mod cursor;
mod filter;
mod group;
mod last_used;
mod list;
#[cfg(test)]
mod list_with_100k_keys;
mod order;
mod own_grant;
mod revoke;
mod rotate;
mod row;
mod update;
mod usage;

use filter::Filter;

pub(crate) use archive::ArchivedKey;
pub(crate) use by_secret::KnownKey;
pub(crate) use row::lowered;
pub use usage::{AddressUse, DAYS_KEPT, MOST_ADDRESSES, OTHER, RefusalCount, UNKNOWN};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    EntityTrait, QueryFilter, QuerySelect, Select, sea_query::Expr,
};
use serde_json::Value;

use super::{
    audit::{self, AUDITED_KIND, NewEvent},
    connection::{Database, lists::ListConnection},
    entity::{api_key, tenant},
    idempotency::{self, IdempotencyKey, Idempotent},
    scope::TenantScope,
};
use crate::{
    Error,
    actor::ActorRef,
    audit::{AuditAction, AuditTarget},
    id::KeyId,
    key::{
        ApiKey, ChangedKey, IssuedKey, KeyChanges, NewKey, RotatedExpiry, RotatedKey,
        query::{KeyPage, KeyQuery, KeySummary},
    },
    tenant::KeyQuota,
};

const NOT_FOUND: Error = Error::NotFound("API key");

/// The keys of one tenant.
pub struct Keys<'a> {
    database: &'a Database,
    scope: &'a TenantScope,
}

impl<'a> Keys<'a> {
    pub(crate) const fn new(database: &'a Database, scope: &'a TenantScope) -> Self {
        Self { database, scope }
    }

    /// The keys that `query` asks for, one page of them. A limit out of bounds is brought to the nearest bound. Where the keys before
    /// a page are fewer than they were, the page before it is the first one.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] for a cursor that this list in this order did not hand out, [`Error::Invalid`] for a search that is too
    /// long, [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn list(&self, query: &KeyQuery, now: DateTime<Utc>) -> Result<KeyPage, Error> {
        let lists = self.lists().await?;
        Ok(list::list(self, query, &lists, now).await?.0)
    }

    /// [`Self::list`] and [`Self::quota`].
    ///
    /// # Errors
    /// Those of [`Self::list`].
    pub async fn list_with_quota(
        &self,
        query: &KeyQuery,
        now: DateTime<Utc>,
    ) -> Result<(KeyPage, KeyQuota), Error> {
        let lists = self.lists().await?;
        let (page, _) = list::list(self, query, &lists, now).await?;
        Ok((page, self.quota_on(&lists).await?))
    }

    /// [`Self::list`] and [`Self::summary`]: for a search, every key is looked at once for both.
    ///
    /// # Errors
    /// Those of [`Self::list`].
    pub async fn list_with_summary(
        &self,
        query: &KeyQuery,
        now: DateTime<Utc>,
    ) -> Result<(KeyPage, KeySummary), Error> {
        let lists = self.lists().await?;
        let (page, matching) = list::list(self, query, &lists, now).await?;
        let summary = counts::summary(self, query, matching, &lists, now).await?;
        Ok((page, summary))
    }

    /// How many keys there are, and how many of them `query` leaves on all of its pages.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn summary(&self, query: &KeyQuery, now: DateTime<Utc>) -> Result<KeySummary, Error> {
        let lists = self.lists().await?;
        counts::summary(self, query, None, &lists, now).await
    }

    /// How many keys that are not revoked there are, expired ones too, of how many.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn quota(&self) -> Result<KeyQuota, Error> {
        self.quota_on(&self.lists().await?).await
    }

    async fn quota_on(&self, lists: &ListConnection) -> Result<KeyQuota, Error> {
        let connection: &DatabaseConnection = lists;
        lists
            .with_timeout(async {
                let tenant = self.tenant(connection).await?;
                counts::quota(self, &tenant, connection).await
            })
            .await
    }

    async fn lists(&self) -> Result<ListConnection, Error> {
        self.database.lists(Some(self.scope.tenant_id())).await
    }

    fn filter(&self, query: &KeyQuery, now: DateTime<Utc>) -> Result<Filter, Error> {
        Filter::new(query, now, self.soon_days(), self.database.backend())
    }

    /// One key.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's; [`Error::Unavailable`].
    pub async fn get(&self, id: KeyId, now: DateTime<Utc>) -> Result<ApiKey, Error> {
        self.database
            .with_timeout(self.read(self.database.lookups(), id, now))
            .await
    }

    /// Makes a key. Its secret is in the answer, and nowhere else.
    ///
    /// # Errors
    /// [`Error::KeyLimitReached`]; [`Error::Invalid`] for a group that is not one of the tenant's for keys and for a date that is
    /// not in the future; where a key acts, [`Error::ExceedsOwnGrant`] and [`Error::ActorRefused`]; [`Error::Unavailable`].
    pub async fn create(&self, new: NewKey, now: DateTime<Utc>) -> Result<IssuedKey, Error> {
        done(create::create(self, new, None, now).await?)
    }

    /// [`Self::create`], once.
    ///
    /// # Errors
    /// Those of [`Self::create`]; [`Error::RequestReused`], [`Error::RequestInFlight`].
    pub async fn create_once(
        &self,
        new: NewKey,
        idempotency: &IdempotencyKey,
        now: DateTime<Utc>,
    ) -> Result<Idempotent<IssuedKey>, Error> {
        create::create(self, new, Some(idempotency), now).await
    }

    /// The key that came of a request that counts once, where it was done before. For one that could not be done again: what was a
    /// future date when the key was made may be none by now, and still the repeat is one.
    ///
    /// # Errors
    /// [`Error::RequestReused`], [`Error::RequestInFlight`], [`Error::Unavailable`].
    pub async fn find_once(
        &self,
        idempotency: &IdempotencyKey,
        now: DateTime<Utc>,
    ) -> Result<Option<ApiKey>, Error> {
        let transaction = self.database.begin_write().await?;
        let found = self
            .database
            .with_timeout(self.find_done(&transaction, Some(idempotency), now))
            .await;
        self.database.end(transaction, found).await
    }

    /// Edits a key. Where `expected_version` is given, it is the [`ApiKey::version`] that the editor has seen. An edit after which
    /// the key is as it was before writes nothing: no new version, no event.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's; [`Error::KeyRevoked`]; [`Error::Stale`] where the key has another version by
    /// now; [`Error::Invalid`] for a group that is not one of the tenant's for keys; [`Error::Unavailable`].
    pub async fn update(
        &self,
        id: KeyId,
        changes: KeyChanges,
        expected_version: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<ChangedKey, Error> {
        done(update::update(self, id, changes, expected_version, None, now).await?)
    }

    /// [`Self::update`], once. A repeat is not stale.
    ///
    /// # Errors
    /// Those of [`Self::update`]; [`Error::RequestReused`], [`Error::RequestInFlight`].
    pub async fn update_once(
        &self,
        id: KeyId,
        changes: KeyChanges,
        expected_version: Option<i64>,
        idempotency: &IdempotencyKey,
        now: DateTime<Utc>,
    ) -> Result<Idempotent<ChangedKey>, Error> {
        update::update(self, id, changes, expected_version, Some(idempotency), now).await
    }

    /// Who made the newest change of a key, its making included: whose work a stale edit would have undone. `None` where there is
    /// no such key.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn last_editor(&self, id: KeyId) -> Result<Option<ActorRef>, Error> {
        self.database
            .with_timeout(audit::newest_actor(
                self.database.lookups(),
                self.scope.tenant_id(),
                AUDITED_KIND,
                id.as_uuid(),
            ))
            .await
    }

    /// Gives a key a new secret; the old one is dead with the same commit. When it was last used stays.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's; [`Error::KeyRevoked`]; [`Error::Invalid`] for a date that is neither the
    /// current one nor in the future; where a key acts, [`Error::ExceedsOwnGrant`] and [`Error::ActorRefused`]; [`Error::Unavailable`].
    pub async fn rotate(
        &self,
        id: KeyId,
        expiry: RotatedExpiry,
        now: DateTime<Utc>,
    ) -> Result<RotatedKey, Error> {
        done(rotate::rotate(self, id, expiry, None, now).await?)
    }

    /// [`Self::rotate`], once.
    ///
    /// # Errors
    /// Those of [`Self::rotate`]; [`Error::RequestReused`], [`Error::RequestInFlight`].
    pub async fn rotate_once(
        &self,
        id: KeyId,
        expiry: RotatedExpiry,
        idempotency: &IdempotencyKey,
        now: DateTime<Utc>,
    ) -> Result<Idempotent<RotatedKey>, Error> {
        rotate::rotate(self, id, expiry, Some(idempotency), now).await
    }

    /// The key that acts gives itself a new secret; the old one is dead with the same commit. Everything else stays.
    ///
    /// # Errors
    /// [`Error::Forbidden`] where no key acts; [`Error::ActorRefused`]; [`Error::Unavailable`].
    pub async fn rotate_self(&self, now: DateTime<Utc>) -> Result<RotatedKey, Error> {
        done(rotate::rotate_self(self, now).await?)
    }

    /// Revokes a key for ever. A key that was revoked before stays as it is, and the trail too.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's; where a key acts, [`Error::ActorRefused`]; [`Error::Unavailable`].
    pub async fn revoke(&self, id: KeyId, now: DateTime<Utc>) -> Result<ChangedKey, Error> {
        done(revoke::revoke(self, id, None, now).await?)
    }

    /// [`Self::revoke`], once.
    ///
    /// # Errors
    /// Those of [`Self::revoke`]; [`Error::RequestReused`], [`Error::RequestInFlight`].
    pub async fn revoke_once(
        &self,
        id: KeyId,
        idempotency: &IdempotencyKey,
        now: DateTime<Utc>,
    ) -> Result<Idempotent<ChangedKey>, Error> {
        revoke::revoke(self, id, Some(idempotency), now).await
    }

    /// How often requests with a key were refused, by day and code, the newest day first; up to 5 seconds late.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's; [`Error::Unavailable`].
    pub async fn refusals(&self, id: KeyId) -> Result<Vec<RefusalCount>, Error> {
        usage::refusals(self, id).await
    }

    /// How often requests with a key were accepted, by day and address, the newest day first; up to 5 seconds late.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's; [`Error::Unavailable`].
    pub async fn uses(&self, id: KeyId) -> Result<Vec<AddressUse>, Error> {
        usage::uses(self, id).await
    }

    /// Where every query for the tenant's keys starts.
    fn rows(&self) -> Select<api_key::Entity> {
        api_key::Entity::find().filter(self.is_own())
    }

    fn is_own(&self) -> Expr {
        api_key::Column::TenantId.eq(self.scope.tenant_id().as_uuid())
    }

    fn soon_days(&self) -> u32 {
        self.database.options().expiring_soon_days
    }

    async fn tenant(&self, connection: &impl ConnectionTrait) -> Result<tenant::Model, Error> {
        tenant::Entity::find_by_id(self.scope.tenant_id().as_uuid())
            .one(connection)
            .await?
            .ok_or(Error::NotFound("tenant"))
    }

    /// The key as `connection` sees it.
    async fn read(
        &self,
        connection: &impl ConnectionTrait,
        id: KeyId,
        now: DateTime<Utc>,
    ) -> Result<ApiKey, Error> {
        row::with_group(self.rows())
            .filter(api_key::Column::Id.eq(id.as_uuid()))
            .into_model::<row::KeyRow>()
            .one(connection)
            .await?
            .ok_or(NOT_FOUND)?
            .into_key(now, self.soon_days())
    }

    /// The key that came of the request, where it is one that counts once and was done before.
    async fn find_done(
        &self,
        transaction: &DatabaseTransaction,
        idempotency: Option<&IdempotencyKey>,
        now: DateTime<Utc>,
    ) -> Result<Option<ApiKey>, Error> {
        let Some(idempotency) = idempotency else {
            return Ok(None);
        };
        let tenant = self.scope.tenant_id();
        match idempotency::find_done(transaction, tenant, idempotency, now).await? {
            Some(id) => self.read(transaction, id, now).await.map(Some),
            None => Ok(None),
        }
    }

    /// Remembers which key came of the request, where it is one that counts once.
    async fn remember(
        &self,
        transaction: &DatabaseTransaction,
        idempotency: Option<&IdempotencyKey>,
        key: KeyId,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let Some(idempotency) = idempotency else {
            return Ok(());
        };
        idempotency::remember(transaction, self.scope.tenant_id(), idempotency, key, now).await
    }

    /// The row of a key.
    async fn row_of(
        &self,
        connection: &impl ConnectionTrait,
        id: KeyId,
    ) -> Result<api_key::Model, Error> {
        self.rows()
            .filter(api_key::Column::Id.eq(id.as_uuid()))
            .one(connection)
            .await?
            .ok_or(NOT_FOUND)
    }

    /// The row of a key that is about to change. Who else wants to change it waits until `transaction` ends.
    async fn lock(
        &self,
        transaction: &DatabaseTransaction,
        id: KeyId,
    ) -> Result<api_key::Model, Error> {
        self.rows()
            .filter(api_key::Column::Id.eq(id.as_uuid()))
            .lock_exclusive()
            .one(transaction)
            .await?
            .ok_or(NOT_FOUND)
    }

    /// Writes what differs from the row that [`Self::lock`] read, as one change: with the next version, and its event in the trail.
    async fn change(
        &self,
        transaction: &DatabaseTransaction,
        before: &api_key::Model,
        mut row: api_key::ActiveModel,
        (action, changes): (AuditAction, Value),
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        row.updated_at = Set(now);
        row.version = Set(before.version + 1);
        api_key::Entity::update_many()
            .set(row)
            .filter(self.is_own())
            .filter(api_key::Column::Id.eq(before.id))
            .exec(transaction)
            .await?;
        let target = target(before.id.into(), &before.name);
        self.append(transaction, action, target, changes, now).await
    }

    async fn append(
        &self,
        transaction: &DatabaseTransaction,
        action: AuditAction,
        target: AuditTarget,
        changes: Value,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let event = NewEvent {
            tenant_id: Some(self.scope.tenant_id()),
            action,
            target,
            changes,
        };
        audit::append(transaction, self.scope.actor(), event, now).await
    }
}

/// What came of a request without a token: it cannot be a repeat.
fn done<T>(outcome: Idempotent<T>) -> Result<T, Error> {
    match outcome {
        Idempotent::Done(done) => Ok(done),
        Idempotent::Repeated { .. } => Err(Error::RequestReused),
    }
}

fn target(id: KeyId, name: &str) -> AuditTarget {
    AuditTarget {
        kind: AUDITED_KIND.to_owned(),
        id: Some(id.as_uuid()),
        name: name.to_owned(),
    }
}
