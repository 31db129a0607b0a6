//! Usage on the page of a key and in the list: bounded numbers of rows, each found by the primary key of its table.

use chrono::{DateTime, Days, NaiveDate, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, QuerySelect,
    QueryTrait, Select,
    sea_query::{Expr, Func},
};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

use super::{
    Keys,
    usage::{OTHER, read},
};
use crate::{
    Error,
    audit::{AuditEvent, AuditQuery},
    id::KeyId,
    key::{
        today,
        usage::{
            ADDRESS_DAYS, AddressUsage, DayUsage, KeySparkline, KeyUsage, MAX_ADDRESSES, MAX_DAYS,
            RefusalReason, RefusedAddress, SPARKLINE_DAYS,
        },
    },
    page,
    store::{
        audit::AuditLog,
        entity::{address_use, api_key, refusal, refusal_address},
    },
};

/// Number of audit events on the page of a key.
const HISTORY: u32 = 10;

impl Keys<'_> {
    /// The usage of a key in the last `days` days, today (UTC) included, and its addresses in the last [`ADDRESS_DAYS`] days. `days` is
    /// clamped to 1 to [`MAX_DAYS`].
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's; [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn key_usage(
        &self,
        id: KeyId,
        days: u32,
        now: DateTime<Utc>,
    ) -> Result<KeyUsage, Error> {
        let today = today(now);
        let lists = self.lists().await?;
        let reader: &DatabaseConnection = &lists;
        lists
            .with_timeout(async {
                self.row_of(reader, id).await?;
                Ok::<_, Error>(KeyUsage {
                    days: read_days(id, period(today, days.clamp(1, MAX_DAYS)), reader).await?,
                    addresses: read_addresses(id, first_day(today, ADDRESS_DAYS), reader).await?,
                })
            })
            .await
    }

    /// The reasons for which requests with a key were refused in the last [`ADDRESS_DAYS`] days, most frequent first, with the addresses of
    /// the requests.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's; [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn refusal_reasons(
        &self,
        id: KeyId,
        now: DateTime<Utc>,
    ) -> Result<Vec<RefusalReason>, Error> {
        let first = first_day(today(now), ADDRESS_DAYS);
        let lists = self.lists().await?;
        let reader: &DatabaseConnection = &lists;
        let (counts, rows) = lists
            .with_timeout(async {
                self.row_of(reader, id).await?;
                let counts = refusals_since(id, first).all(reader).await?;
                let rows = refusal_addresses_since(id, first).all(reader).await?;
                Ok::<_, Error>((counts, rows))
            })
            .await?;
        reasons(counts, rows)
    }

    /// The number of accepted requests of each of these keys on each of the last [`SPARKLINE_DAYS`] days, in one statement. Keys beyond one
    /// page, [`page::DEFAULT_LIMIT`], and keys of other tenants are left out.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn sparklines(
        &self,
        ids: &[KeyId],
        now: DateTime<Utc>,
    ) -> Result<Vec<KeySparkline>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let period = period(today(now), SPARKLINE_DAYS);
        let Some(first) = period.first() else {
            return Ok(Vec::new());
        };
        let lists = self.lists().await?;
        let select = self.accepted_by_day(ids, *first).into_tuple();
        let rows: Vec<(Uuid, NaiveDate, i64)> = lists.with_timeout(select.all(&*lists)).await?;
        let mut counts = HashMap::new();
        for (key_id, day, count) in rows {
            counts.insert((key_id, day), read(count)?);
        }
        let sparkline = |id: &KeyId| KeySparkline {
            key_id: *id,
            accepted: (period.iter())
                .map(|day| counts.get(&(id.as_uuid(), *day)).copied().unwrap_or(0))
                .collect(),
        };
        Ok(shown(ids).iter().map(sparkline).collect())
    }

    /// The newest 10 audit events of a key, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's; [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn history(&self, id: KeyId, now: DateTime<Utc>) -> Result<Vec<AuditEvent>, Error> {
        self.get(id, now).await?;
        let query = AuditQuery {
            keys: Some(vec![id]),
            limit: HISTORY,
            ..AuditQuery::default()
        };
        let log = AuditLog::of_tenant(self.database, self.scope);
        Ok(log.list(&query).await?.items)
    }

    pub(super) fn accepted_by_day(
        &self,
        ids: &[KeyId],
        first: NaiveDate,
    ) -> Select<address_use::Entity> {
        use address_use::Column;
        let own = self
            .rows()
            .filter(api_key::Column::Id.is_in(shown(ids).iter().map(|id| id.as_uuid())))
            .select_only()
            .column(api_key::Column::Id)
            .into_query();
        address_use::Entity::find()
            .select_only()
            .column(Column::KeyId)
            .column(Column::Day)
            .expr(sum())
            .filter(Column::KeyId.in_subquery(own))
            .filter(Column::Day.gte(first))
            .group_by(Column::KeyId)
            .group_by(Column::Day)
    }
}

/// The first keys of `ids`, at most one page of them.
fn shown(ids: &[KeyId]) -> &[KeyId] {
    ids.get(..page::DEFAULT_LIMIT as usize).unwrap_or(ids)
}

/// The first of the last `days` days.
pub(super) fn first_day(today: NaiveDate, days: u32) -> NaiveDate {
    let before = Days::new(u64::from(days.saturating_sub(1)));
    today.checked_sub_days(before).unwrap_or(NaiveDate::MIN)
}

/// The last `days` days, oldest first.
fn period(today: NaiveDate, days: u32) -> Vec<NaiveDate> {
    let first = first_day(today, days);
    first.iter_days().take(days as usize).collect()
}

/// Without the cast, PostgreSQL returns the sum in another type than that of the summands.
fn sum() -> Expr {
    Func::cast_as(Func::sum(Expr::col(address_use::Column::Count)), "bigint").into()
}

pub(super) fn uses_since(id: KeyId, first: NaiveDate) -> Select<address_use::Entity> {
    use address_use::{Column, Entity};
    Entity::find()
        .filter(Column::KeyId.eq(id.as_uuid()))
        .filter(Column::Day.gte(first))
}

pub(super) fn refusals_since(id: KeyId, first: NaiveDate) -> Select<refusal::Entity> {
    use refusal::{Column, Entity};
    Entity::find()
        .filter(Column::KeyId.eq(id.as_uuid()))
        .filter(Column::Day.gte(first))
}

pub(super) fn refusal_addresses_since(
    id: KeyId,
    first: NaiveDate,
) -> Select<refusal_address::Entity> {
    use refusal_address::{Column, Entity};
    Entity::find()
        .filter(Column::KeyId.eq(id.as_uuid()))
        .filter(Column::Day.gte(first))
}

async fn read_days(
    id: KeyId,
    period: Vec<NaiveDate>,
    reader: &impl ConnectionTrait,
) -> Result<Vec<DayUsage>, Error> {
    let Some(first) = period.first().copied() else {
        return Ok(Vec::new());
    };
    let accepted: Vec<(NaiveDate, i64)> = uses_since(id, first)
        .select_only()
        .column(address_use::Column::Day)
        .expr(sum())
        .group_by(address_use::Column::Day)
        .into_tuple()
        .all(reader)
        .await?;
    let refused = refusals_since(id, first).all(reader).await?;
    let mut days: BTreeMap<_, _> = period
        .into_iter()
        .map(|date| {
            let day = DayUsage {
                date,
                accepted: 0,
                refused: BTreeMap::new(),
            };
            (date, day)
        })
        .collect();
    // Another replica's clock may be ahead: uses that it counted for tomorrow are shown tomorrow.
    for (date, count) in accepted {
        if let Some(day) = days.get_mut(&date) {
            day.accepted = read(count)?;
        }
    }
    for row in refused {
        if let Some(day) = days.get_mut(&row.day) {
            day.refused.insert(row.code, read(row.count)?);
        }
    }
    Ok(days.into_values().collect())
}

/// The counters of one address.
#[derive(Default)]
struct Counted {
    accepted: u64,
    refused: u64,
    last_accepted: Option<NaiveDate>,
    last_refused: Option<NaiveDate>,
}

async fn read_addresses(
    id: KeyId,
    first: NaiveDate,
    reader: &impl ConnectionTrait,
) -> Result<Vec<AddressUsage>, Error> {
    let mut counted = HashMap::<String, Counted>::new();
    for row in uses_since(id, first).all(reader).await? {
        let of_address = counted.entry(row.address).or_default();
        of_address.accepted += read(row.count)?;
        of_address.last_accepted = of_address.last_accepted.max(Some(row.day));
    }
    for row in refusal_addresses_since(id, first).all(reader).await? {
        let of_address = counted.entry(row.address).or_default();
        of_address.refused += read(row.count)?;
        of_address.last_refused = of_address.last_refused.max(Some(row.day));
    }
    let others = counted.remove(OTHER);
    let mut counted: Vec<_> = counted.into_iter().collect();
    counted.sort_unstable_by(|(address, of), (other_address, of_other)| {
        let order = |of: &Counted| (of.accepted, of.refused);
        order(of_other)
            .cmp(&order(of))
            .then_with(|| address.cmp(other_address))
    });
    let rest = counted.split_off(Ord::min(counted.len(), MAX_ADDRESSES));
    let others = rest
        .into_iter()
        .map(|(_, of)| of)
        .chain(others)
        .reduce(|sum, of| Counted {
            accepted: sum.accepted + of.accepted,
            refused: sum.refused + of.refused,
            last_accepted: sum.last_accepted.max(of.last_accepted),
            last_refused: sum.last_refused.max(of.last_refused),
        });
    let listed = counted.into_iter().map(|(address, of)| (Some(address), of));
    let addresses = listed
        .chain(others.map(|of| (None, of)))
        .filter_map(|(ip, of)| {
            Some(AddressUsage {
                ip,
                accepted: of.accepted,
                refused: of.refused,
                last_date: of.last_accepted.or(of.last_refused)?,
            })
        })
        .collect();
    Ok(addresses)
}

fn reasons(
    counts: Vec<refusal::Model>,
    rows: Vec<refusal_address::Model>,
) -> Result<Vec<RefusalReason>, Error> {
    let mut totals = BTreeMap::<String, u64>::new();
    for row in counts {
        *totals.entry(row.code).or_default() += read(row.count)?;
    }
    let mut addresses = HashMap::<String, HashMap<String, RefusedAddress>>::new();
    for row in rows {
        let count = read(row.count)?;
        let of_code = addresses.entry(row.code).or_default();
        let ip = (row.address != OTHER).then(|| row.address.clone());
        let address = of_code.entry(row.address).or_insert(RefusedAddress {
            ip,
            count: 0,
            last_at: row.last_at,
        });
        address.count += count;
        address.last_at = address.last_at.max(row.last_at);
    }
    let mut reasons: Vec<_> = totals
        .into_iter()
        .map(|(code, count)| {
            let addresses = most_refused(addresses.remove(&code).unwrap_or_default());
            RefusalReason {
                code,
                count,
                last_at: addresses.iter().map(|address| address.last_at).max(),
                addresses,
            }
        })
        .collect();
    // The sort is stable: reasons with equal counts stay in the order of their codes.
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    Ok(reasons)
}

/// The addresses in display order, those beyond [`MAX_ADDRESSES`] summed as one.
fn most_refused(mut addresses: HashMap<String, RefusedAddress>) -> Vec<RefusedAddress> {
    let others = addresses.remove(OTHER);
    let mut listed: Vec<_> = addresses.into_values().collect();
    listed.sort_unstable_by(|address, other| {
        (other.count.cmp(&address.count)).then_with(|| address.ip.cmp(&other.ip))
    });
    let rest = listed.split_off(Ord::min(listed.len(), MAX_ADDRESSES));
    let others = rest
        .into_iter()
        .chain(others)
        .reduce(|sum, address| RefusedAddress {
            ip: None,
            count: sum.count + address.count,
            last_at: sum.last_at.max(address.last_at),
        });
    listed.extend(others.map(|others| RefusedAddress { ip: None, ..others }));
    listed
}
