//! The keys of one tenant.

mod address_counts;
mod allowlist_preview;
mod archive;
mod bulk_insert;
mod by_secret;
mod counts;
mod create;
mod cursor;
mod filter;
mod find;
mod group;
mod key_usage;
mod last_used;
mod list;
#[cfg(test)]
mod list_with_100k_keys;
mod order;
mod own_grant;
mod policy;
mod revoke;
mod rotate;
mod row;
mod simulate;
mod update;
mod usage;
#[cfg(test)]
mod usage_plans;

use filter::Filter;

pub(crate) use archive::ArchivedKey;
pub(crate) use by_secret::KnownKey;
pub use revoke::MAX_REVOKED_AT_ONCE;

pub use usage::{AddressUse, DAYS_KEPT, MOST_ADDRESSES, OTHER, RefusalCount, UNKNOWN};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    EntityTrait, QueryFilter, QuerySelect, Select, sea_query::Expr,
};
use serde_json::Value;

use super::{
    audit::{self, Event},
    connection::{Database, WriteTransaction, lists::ListConnection},
    entity::{api_key, tenant},
    idempotency::{IdempotencyKey, Request},
    scope::TenantScope,
    stored_policy::rule_of,
    write::Write,
};
use crate::{
    Error,
    actor::ActorRef,
    audit::{AuditAction, AuditTarget},
    id::KeyId,
    key::{
        ApiKey,
        lifetime::LifetimeRule,
        query::{KeyPage, KeyQuery, KeySummary, PolicyFilter},
    },
    propagation::Written,
    tenant::KeyQuota,
};

const NOT_FOUND: Error = Error::NotFound("API key");

/// The keys of one tenant.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    database: &'a Database,
    scope: &'a TenantScope,
    idempotency_key: Option<&'a IdempotencyKey>,
}

impl<'a> Keys<'a> {
    pub(crate) const fn new(database: &'a Database, scope: &'a TenantScope) -> Self {
        Self {
            database,
            scope,
            idempotency_key: None,
        }
    }

    /// The same keys, for one change with an idempotency key: a repeat of that change has no effect and returns [`Error::Repeated`].
    #[must_use]
    pub const fn idempotent(self, key: Option<&'a IdempotencyKey>) -> Self {
        Self {
            idempotency_key: key,
            ..self
        }
    }

    /// Returns a valid `input`. An invalid one is checked for a repeat first, because a date that was in the future at the first request
    /// may be past at the repeat.
    ///
    /// # Errors
    /// [`Error::Repeated`], [`Error::RequestReused`], [`Error::RequestInFlight`], [`Error::Unavailable`]; otherwise that of `input`.
    pub async fn unless_repeated<T>(
        &self,
        input: Result<T, Error>,
        now: DateTime<Utc>,
    ) -> Result<T, Error> {
        if let (Err(_), Some(request)) = (&input, self.request(now)) {
            self.database
                .write(Write::Plain, async |transaction| {
                    request.refuse_repeat(transaction).await
                })
                .await?;
        }
        input
    }

    /// One page of the keys that match `query`. A limit out of bounds is clamped. If fewer keys than expected precede a page, the previous
    /// page is the first one.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] for a cursor that was not issued for this order, [`Error::Invalid`] for a search that is too long,
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn list(&self, query: &KeyQuery, now: DateTime<Utc>) -> Result<KeyPage, Error> {
        let lists = self.lists().await?;
        Ok(list::list(self, query, &lists, now).await?.0)
    }

    /// Identifiers of at most `limit` keys whose secret ends in `q` or whose name contains it, from indexes alone. Archived keys are not found.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a search that is too long, [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn find(&self, q: &str, limit: u32) -> Result<Vec<KeyId>, Error> {
        let search = filter::Search::new(q)?;
        find::ids(self, &search, &self.lists().await?, limit.into()).await
    }

    /// [`Self::list`] and [`Self::quota`].
    ///
    /// # Errors
    /// The errors of [`Self::list`].
    pub async fn list_with_quota(
        &self,
        query: &KeyQuery,
        now: DateTime<Utc>,
    ) -> Result<(KeyPage, KeyQuota), Error> {
        let lists = self.lists().await?;
        let (page, _) = list::list(self, query, &lists, now).await?;
        Ok((page, self.quota_on(&lists).await?))
    }

    /// [`Self::list`] and [`Self::summary`]. A search scans the keys only once for both.
    ///
    /// # Errors
    /// The errors of [`Self::list`].
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

    /// The counts of the tenant's keys, and of those that match `query` on all of its pages.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn summary(&self, query: &KeyQuery, now: DateTime<Utc>) -> Result<KeySummary, Error> {
        let lists = self.lists().await?;
        counts::summary(self, query, None, &lists, now).await
    }

    /// The number of keys that are not revoked, including expired ones, and the limit.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
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

    /// The filters of a query. `connection` reads the security policy, if one of them depends on it.
    async fn filter(
        &self,
        query: &KeyQuery,
        connection: &impl ConnectionTrait,
        now: DateTime<Utc>,
    ) -> Result<Filter, Error> {
        let rule = match query.policy {
            Some(PolicyFilter::Outside) => Some(rule_of(&self.tenant(connection).await?)?),
            None => None,
        };
        Filter::new(query, rule, now, self.soon_days(), self.database.backend())
    }

    /// One key.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's key; [`Error::Unavailable`].
    pub async fn get(&self, id: KeyId, now: DateTime<Utc>) -> Result<ApiKey, Error> {
        self.database
            .with_timeout(self.read(self.database.lookups(), id, now))
            .await
    }

    /// The actor of the newest change of a key, its creation included: the change that a stale edit would have overwritten. `None` if the
    /// key does not exist.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn last_editor(&self, id: KeyId) -> Result<Option<ActorRef>, Error> {
        self.database
            .with_timeout(audit::newest_actor(
                self.database.lookups(),
                self.scope.tenant_id(),
                AuditTarget::API_KEY,
                id.as_uuid(),
            ))
            .await
    }

    /// The base of every query for the tenant's keys.
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

    /// The tenant's rule for expiration dates. A concurrent change of the policy waits until `transaction` ends.
    async fn lifetime_rule(
        &self,
        transaction: &DatabaseTransaction,
    ) -> Result<LifetimeRule, Error> {
        let tenant = tenant::Entity::find_by_id(self.scope.tenant_id().as_uuid())
            .lock_shared()
            .one(transaction)
            .await?
            .ok_or(Error::NotFound("tenant"))?;
        rule_of(&tenant)
    }

    /// Reads one key and its group.
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

    /// Runs `work`, which creates or changes the key `id`, in a write transaction. A repeat of an idempotent request does not run it.
    async fn write<T>(
        &self,
        kind: Write,
        id: KeyId,
        now: DateTime<Utc>,
        work: impl AsyncFnOnce(&WriteTransaction) -> Result<T, Error>,
    ) -> Result<Written<T>, Error> {
        let request = self.request(now);
        self.database.write_once(kind, request, id, work).await
    }

    /// The idempotent request; `None` without an idempotency key.
    fn request(&self, now: DateTime<Utc>) -> Option<Request<'_>> {
        self.idempotency_key.map(|key| Request {
            key,
            tenant: self.scope.tenant_id(),
            now,
        })
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

    /// Reads and locks the row of a key. Other changes of it wait until `transaction` ends.
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

    /// Writes the columns that differ from the row that [`Self::lock`] read, the next version and the audit event.
    async fn change(
        &self,
        transaction: &WriteTransaction,
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
        let target = AuditTarget::api_key(before.id.into(), before.name.as_str());
        Event::of(self.scope, action, target)
            .changing(changes)
            .append(transaction, now)
            .await
    }
}
