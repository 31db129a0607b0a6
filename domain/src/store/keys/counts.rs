//! Numbers of keys. Triggers count them on each change (`migration/m0002_lists_and_repeats.rs`), so that a number is read without a scan of
//! all keys.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, QuerySelect,
    Select,
    sea_query::{CaseStatement, Expr, ExprTrait, Func},
};

use super::{
    Keys,
    filter::{Calendar, Filter, Search, never_used_since, used_before},
};
use crate::{
    Error,
    key::{
        KeyStatus,
        expiry::ExpirationState,
        query::{KeyLifetime, KeyQuery, KeySummary},
    },
    store::{
        connection::lists::ListConnection,
        entity::{
            api_key,
            api_key_count::{Column, Entity},
            tenant,
        },
        error::damaged,
    },
    tenant::KeyQuota,
};

/// The counts for `query`. `matching` is the number of keys that a search finds, if it is known already.
pub(super) async fn summary(
    keys: &Keys<'_>,
    query: &KeyQuery,
    matching: Option<u64>,
    lists: &ListConnection,
    now: DateTime<Utc>,
) -> Result<KeySummary, Error> {
    let reader: &DatabaseConnection = lists;
    lists
        .with_timeout(async {
            let filter = keys.filter(query, reader, now).await?;
            let tenant = keys.tenant(reader).await?;
            let counts = Counts::read(keys, filter.calendar, reader).await?;
            let matching = match (&filter.search, matching) {
                (Search::Everything, _) => match filter.unused_since {
                    Some(time) => unused_count(keys, &filter, time, reader).await?,
                    None if filter.outside.is_some() => {
                        let found = search_count(keys, &filter).one(reader).await?;
                        number(found.unwrap_or_default())?
                    }
                    None => counts.of_lifetime(filter.status, filter.expiration, filter.lifetime),
                },
                (Search::Nothing, _) => 0,
                (Search::Text(_), Some(matching)) => matching,
                (Search::Text(_), None) => {
                    let found = search_count(keys, &filter).one(reader).await?;
                    number(found.unwrap_or_default())?
                }
            };
            let active = Some(KeyStatus::Active);
            Ok::<_, Error>(KeySummary {
                quota: quota_of(&tenant, counts.of(active, None))?,
                expiring_soon: counts.of(active, Some(ExpirationState::ExpiringSoon)),
                expired: counts.of(active, Some(ExpirationState::Expired)),
                total: counts.of(None, None),
                matching,
            })
        })
        .await
}

/// The tenant's key quota: used and permitted number of keys.
pub(super) async fn quota(
    keys: &Keys<'_>,
    tenant: &tenant::Model,
    connection: &impl ConnectionTrait,
) -> Result<KeyQuota, Error> {
    let active = rows(keys)
        .select_only()
        .expr(sum(Expr::col(Column::Keys)))
        .filter(Column::Revoked.eq(false))
        .into_tuple::<i64>()
        .one(connection)
        .await?;
    quota_of(tenant, number(active.unwrap_or_default())?)
}

fn quota_of(tenant: &tenant::Model, active: u64) -> Result<KeyQuota, Error> {
    Ok(KeyQuota {
        used: u32::try_from(active).map_err(|_| damaged("number of keys"))?,
        limit: u32::try_from(tenant.key_limit).map_err(|_| damaged("key limit"))?,
    })
}

/// The keys of a tenant by status and expiration state.
struct Counts {
    dated: Vec<(KeyStatus, ExpirationState, u64)>,
    /// The subset of these keys that never expires.
    never: Vec<(KeyStatus, u64)>,
}

impl Counts {
    const STATES: [ExpirationState; 3] = [
        ExpirationState::Valid,
        ExpirationState::ExpiringSoon,
        ExpirationState::Expired,
    ];

    async fn read(
        keys: &Keys<'_>,
        calendar: Calendar,
        connection: &impl ConnectionTrait,
    ) -> Result<Self, Error> {
        let mut query = rows(keys)
            .select_only()
            .column(Column::Revoked)
            .group_by(Column::Revoked);
        for state in Self::STATES {
            let of_state = CaseStatement::new()
                .case(
                    calendar.stands_at(state, Column::ExpiresOn),
                    Expr::col(Column::Keys),
                )
                .finally(0);
            query = query.expr(sum(of_state));
        }
        let never = CaseStatement::new()
            .case(
                Expr::col(Column::ExpiresOn).eq(Expr::cust("'infinity'")),
                Expr::col(Column::Keys),
            )
            .finally(0);
        query = query.expr(sum(never));
        let mut counts = Self {
            dated: Vec::new(),
            never: Vec::new(),
        };
        for (revoked, valid, soon, expired, never) in query
            .into_tuple::<(bool, i64, i64, i64, i64)>()
            .all(connection)
            .await?
        {
            let status = if revoked {
                KeyStatus::Revoked
            } else {
                KeyStatus::Active
            };
            for (state, count) in Self::STATES.into_iter().zip([valid, soon, expired]) {
                counts.dated.push((status, state, number(count)?));
            }
            counts.never.push((status, number(never)?));
        }
        Ok(counts)
    }

    /// Like [`Self::of`], restricted to keys of `lifetime`; `None` is any.
    fn of_lifetime(
        &self,
        status: Option<KeyStatus>,
        state: Option<ExpirationState>,
        lifetime: Option<KeyLifetime>,
    ) -> u64 {
        match (lifetime, state) {
            (None, state) => self.of(status, state),
            // Keys that never expire are valid.
            (Some(KeyLifetime::Never), None | Some(ExpirationState::Valid)) => (self.never.iter())
                .filter(|counted| status.is_none_or(|status| status == counted.0))
                .map(|counted| counted.1)
                .sum(),
            (Some(KeyLifetime::Never), Some(_)) => 0,
        }
    }

    /// The number of keys with this status and state; `None` is any.
    fn of(&self, status: Option<KeyStatus>, state: Option<ExpirationState>) -> u64 {
        self.dated
            .iter()
            .filter(|counted| status.is_none_or(|status| status == counted.0))
            .filter(|counted| state.is_none_or(|state| state == counted.1))
            .map(|counted| counted.2)
            .sum()
    }
}

/// The number of keys that match a filter by the last use, read from two ranges of one index.
async fn unused_count(
    keys: &Keys<'_>,
    filter: &Filter,
    time: DateTime<Utc>,
    connection: &impl ConnectionTrait,
) -> Result<u64, Error> {
    let mut sum = 0;
    for statement in unused_counts(keys, filter, time) {
        let count = statement.into_tuple::<i64>().one(connection).await?;
        sum += number(count.unwrap_or_default())?;
    }
    Ok(sum)
}

/// The statements of [`unused_count`].
pub(super) fn unused_counts(
    keys: &Keys<'_>,
    filter: &Filter,
    time: DateTime<Utc>,
) -> [Select<api_key::Entity>; 2] {
    [used_before(time), never_used_since(time)].map(|unused| {
        keys.rows()
            .filter(filter.condition_but_use(false))
            .filter(unused)
            .select_only()
            .expr(api_key::Column::Id.count())
    })
}

fn rows(keys: &Keys<'_>) -> Select<Entity> {
    Entity::find().filter(Column::TenantId.eq(keys.scope.tenant_id().as_uuid()))
}

/// The sum of `numbers`, zero for no rows. Without the cast, PostgreSQL returns it in another type than that of the summands.
fn sum(numbers: impl Into<Expr>) -> Expr {
    Expr::from(Func::coalesce([Func::sum(numbers).into(), Expr::val(0)])).cast_as("bigint")
}

pub(super) fn number(count: i64) -> Result<u64, Error> {
    u64::try_from(count).map_err(|_| damaged("number of keys"))
}

/// Counts the keys that match the filters, by reading every key.
fn search_count(
    keys: &Keys<'_>,
    filter: &Filter,
) -> sea_orm::Selector<sea_orm::SelectGetableTuple<i64>> {
    keys.rows()
        .filter(filter.condition(false))
        .select_only()
        .expr(api_key::Column::Id.count())
        .into_tuple()
}
