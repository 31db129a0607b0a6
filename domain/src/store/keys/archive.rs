//! The archive of revoked keys: only a tenant's newest revoked keys are listed and searched. Revoked keys do not count toward the key
//! limit, so without the archive their number, and with it the time of each list, would grow without bound.
//!
//! An archived key is refused with the same code as before, its audit events stay, and its secret is never issued again. Keys are never
//! moved back, because a revocation is permanent.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Statement,
    sea_query::{Expr, ExprTrait, Func, LockBehavior, LockType, Query},
};
use uuid::Uuid;

use crate::{
    Error,
    id::{KeyId, TenantId},
    store::{
        Store, clock,
        entity::{api_key, api_key_count, archived_api_key, idempotent_request},
        idempotency,
        random::Digest,
        write::Write,
    },
};

/// Keys moved in one transaction: few, so that concurrent changes do not wait long.
const AT_ONCE: u64 = 200;

/// Tenants handled in one call.
const TENANTS_AT_ONCE: u64 = 20;

/// An archived key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ArchivedKey {
    pub(crate) id: KeyId,
    pub(crate) tenant_id: TenantId,
}

#[derive(FromQueryResult)]
struct ArchivedRow {
    id: Uuid,
    tenant_id: Uuid,
}

impl Store {
    /// Moves revoked keys to the archive until each tenant has at most `kept` of them, the most recently revoked ones. Moves a bounded
    /// number of keys; the caller repeats the call while it returns true. A key that an idempotent request refers to is not moved while a
    /// repeat of that request is recognised.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn archive_revoked_keys(&self, kept: u32, now: DateTime<Utc>) -> Result<bool, Error> {
        let mut moved = 0;
        for (tenant, surplus) in self.tenants_with_surplus(kept).await? {
            let ids = self.longest_revoked(tenant, surplus, now).await?;
            if !ids.is_empty() {
                moved += self.archive(&ids, now).await?;
            }
        }
        Ok(moved > 0)
    }

    /// The tenants with more than `kept` revoked keys, with the number of keys above `kept`.
    async fn tenants_with_surplus(&self, kept: u32) -> Result<Vec<(TenantId, u64)>, Error> {
        use api_key_count::{Column, Entity};
        // Without the cast, PostgreSQL returns the sum in another type than that of the summands.
        let revoked = || Expr::from(Func::sum(Expr::col(Column::Keys))).cast_as("bigint");
        let lists = self.database().lists(None).await?;
        let tenants = Entity::find()
            .select_only()
            .column(Column::TenantId)
            .expr(revoked())
            .filter(Column::Revoked.eq(true))
            .group_by(Column::TenantId)
            .having(revoked().gt(i64::from(kept)))
            .limit(TENANTS_AT_ONCE)
            .into_tuple::<(Uuid, i64)>();
        let tenants = lists.with_timeout(tenants.all(&*lists)).await?;
        let surplus = |revoked: i64| u64::try_from(revoked - i64::from(kept)).unwrap_or_default();
        Ok(tenants
            .into_iter()
            .map(|(tenant, revoked)| (tenant.into(), surplus(revoked)))
            .collect())
    }

    /// The tenant's keys that were revoked first, at most `surplus`, without keys of remembered idempotent requests.
    async fn longest_revoked(
        &self,
        tenant: TenantId,
        surplus: u64,
        now: DateTime<Utc>,
    ) -> Result<Vec<Uuid>, Error> {
        use api_key::{Column, Entity};
        let remembered = Query::select()
            .column(idempotent_request::Column::KeyId)
            .from(idempotent_request::Entity)
            .cond_where(idempotent_request::Column::TenantId.eq(tenant.as_uuid()))
            .and_where(idempotent_request::Column::CreatedAt.gt(now - idempotency::REMEMBERED))
            .take();
        let lists = self.database().lists(Some(tenant)).await?;
        let ids = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::TenantId.eq(tenant.as_uuid()))
            .filter(Column::RevokedAt.is_not_null())
            .filter(Column::Id.not_in_subquery(remembered))
            .order_by_asc(Column::RevokedAt)
            .order_by_asc(Column::Id)
            .limit(Ord::min(surplus, AT_ONCE))
            .into_tuple::<Uuid>();
        lists.with_timeout(ids.all(&*lists)).await
    }

    async fn archive(&self, ids: &[Uuid], now: DateTime<Utc>) -> Result<u64, Error> {
        let now = clock::stored(now);
        let moved = self.database().write(Write::Plain, async |transaction| {
            move_rows(transaction, ids, now).await
        });
        Ok(moved.await?.value)
    }

    /// The archived key whose secret has this digest.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(crate) async fn find_archived(
        &self,
        digest: &Digest,
    ) -> Result<Option<ArchivedKey>, Error> {
        let database = self.database();
        // Without a LIMIT, as in `by_secret.rs`.
        let query = Statement::from_sql_and_values(
            database.backend(),
            "SELECT id, tenant_id FROM archived_api_keys WHERE secret_digest = $1",
            [digest.to_vec().into()],
        );
        let query = ArchivedRow::find_by_statement(query);
        let found = database.with_timeout(query.one(database.checks())).await?;
        Ok(found.map(|row| ArchivedKey {
            id: row.id.into(),
            tenant_id: row.tenant_id.into(),
        }))
    }
}

/// Moves the keys among `ids` that are revoked and not locked by another transaction. Returns their number.
async fn move_rows(
    transaction: &DatabaseTransaction,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<u64, Error> {
    use api_key::{Column, Entity};
    let mut locked = Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::RevokedAt.is_not_null());
    QueryTrait::query(&mut locked).lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let keys = locked.all(transaction).await?;
    let moved: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
    let rows: Vec<_> = keys
        .into_iter()
        .filter_map(|key| {
            Some(archived_api_key::ActiveModel {
                id: Set(key.id),
                tenant_id: Set(key.tenant_id),
                name: Set(key.name),
                hint: Set(key.hint),
                secret_digest: Set(key.secret_digest),
                created_at: Set(key.created_at),
                revoked_at: Set(key.revoked_at?),
                archived_at: Set(now),
            })
        })
        .collect();
    if rows.is_empty() {
        return Ok(0);
    }
    archived_api_key::Entity::insert_many(rows)
        .exec_without_returning(transaction)
        .await?;
    idempotent_request::Entity::delete_many()
        .filter(idempotent_request::Column::KeyId.is_in(moved.iter().copied()))
        .filter(idempotent_request::Column::CreatedAt.lte(now - idempotency::REMEMBERED))
        .exec(transaction)
        .await?;
    let deleted = Entity::delete_many()
        .filter(Column::Id.is_in(moved))
        .exec(transaction)
        .await?;
    Ok(deleted.rows_affected)
}
