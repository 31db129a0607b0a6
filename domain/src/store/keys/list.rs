//! One page of a tenant's keys: filtered, searched, sorted.
//!
//! Pages are cut by value and identifier (keyset), not by counting rows, so that a key which is made or revoked meanwhile moves no
//! other one out of a page.

use chrono::{DateTime, Days, NaiveDate, Utc};
use sea_orm::{
    ColumnTrait, Condition, IntoSimpleExpr, Order, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Func, IntoCondition, LikeExpr},
};
use uuid::Uuid;

use super::{
    Keys,
    cursor::{self, Position},
    row::{self, KeyRow, lowered},
};
use crate::{
    Error,
    key::{
        ApiKey, KeyStatus,
        expiry::ExpirationState,
        name::KeyDescription,
        query::{KeyQuery, KeySort, KeySortColumn},
        today,
    },
    page::{self, Page},
    store::entity::{api_key, authorization_group},
    text,
};

pub(super) async fn list(
    keys: &Keys<'_>,
    query: &KeyQuery,
    now: DateTime<Utc>,
) -> Result<Page<ApiKey>, Error> {
    let position = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::read(cursor, query.sort))
        .transpose()?;
    let Some(found) = matches(&query.q) else {
        return Ok(Page {
            items: Vec::new(),
            next_cursor: None,
        });
    };
    let mut select = row::with_group(keys.rows()).filter(found);
    if let Some(status) = query.status {
        select = select.filter(has_status(status));
    }
    if let Some(state) = query.expiration {
        select = select.filter(stands_at(state, now, keys.soon_days()));
    }
    if let Some(position) = position {
        select = select.filter(after(query.sort, position));
    }
    if cursor::can_be_empty(query.sort.column) {
        select = select.order_by(sorted_by(query.sort.column).is_null(), Order::Asc);
    }
    let direction = if query.sort.descending {
        Order::Desc
    } else {
        Order::Asc
    };
    let limit = query.limit.clamp(1, page::MAX_LIMIT);
    // One more than is shown tells whether there is a next page.
    let select = select
        .order_by(sorted_by(query.sort.column), direction.clone())
        .order_by(api_key::Column::Id, direction)
        .limit(u64::from(limit) + 1)
        .into_model::<KeyRow>();
    let mut rows = keys
        .database
        .within(select.all(keys.database.reader()))
        .await?;

    let is_last = rows.len() <= limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = match rows.last() {
        Some(last) if !is_last => Some(cursor::after(last, query.sort)?),
        _ => None,
    };
    let items = rows
        .into_iter()
        .map(|row| row.into_key(now, keys.soon_days()))
        .collect::<Result<_, _>>()?;
    Ok(Page { items, next_cursor })
}

pub(super) fn has_status(status: KeyStatus) -> Expr {
    match status {
        KeyStatus::Active => api_key::Column::RevokedAt.is_null(),
        KeyStatus::Revoked => api_key::Column::RevokedAt.is_not_null(),
    }
}

/// [`ExpirationState::on`] as a comparison of dates.
pub(super) fn stands_at(state: ExpirationState, now: DateTime<Utc>, soon_days: u32) -> Condition {
    let column = api_key::Column::ExpiresOn;
    let today = today(now);
    // SQLite keeps dates as text, which sorts up to the year 9999; no key has a later one.
    let last_day = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(NaiveDate::MAX);
    let last_soon = today
        .checked_add_days(Days::new(soon_days.into()))
        .map_or(last_day, |date| Ord::min(date, last_day));
    match state {
        ExpirationState::Expired => column.lt(today).into_condition(),
        ExpirationState::ExpiringSoon => column.between(today, last_soon).into_condition(),
        ExpirationState::Valid => Condition::any()
            .add(column.is_null())
            .add(column.gt(last_soon)),
    }
}

/// Names and descriptions that contain `q`, taken literally, whatever the case. `None` where none can.
fn matches(q: &str) -> Option<Condition> {
    /// Not the backslash, which PostgreSQL and SQLite take differently in a pattern.
    const ESCAPE: char = '!';
    /// Lower-casing makes at most two characters of one. SQLite fails on very long patterns; nothing that is kept is that long.
    const MAX_LENGTH: usize = 2 * KeyDescription::MAX_LENGTH;

    let q = lowered(&text::normalise(q));
    if q.is_empty() {
        return Some(Condition::all());
    }
    // PostgreSQL's text cannot hold a NUL, so that nothing contains one.
    if text::length(&q) > MAX_LENGTH || q.contains('\0') {
        return None;
    }
    let mut pattern = String::from("%");
    for character in q.chars() {
        if matches!(character, '%' | '_' | ESCAPE) {
            pattern.push(ESCAPE);
        }
        pattern.push(character);
    }
    pattern.push('%');
    let like = LikeExpr::new(pattern).escape(ESCAPE);
    Some(
        Condition::any()
            .add(api_key::Column::NameLower.like(like.clone()))
            .add(api_key::Column::DescriptionLower.like(like)),
    )
}

/// What a column is sorted by.
fn sorted_by(column: KeySortColumn) -> Expr {
    match column {
        KeySortColumn::Name => api_key::Column::NameLower.into_simple_expr(),
        KeySortColumn::Status => api_key::Column::RevokedAt.is_not_null(),
        // Groups keep no lower-cased name. SQLite's `lower` knows the letters of ASCII alone, and PostgreSQL's does under the
        // column's collation "C": both give one order, in which É and é differ.
        KeySortColumn::AuthorizationGroup => {
            Func::lower(authorization_group::Column::Name.into_simple_expr()).into()
        }
        KeySortColumn::ExpiresOn => api_key::Column::ExpiresOn.into_simple_expr(),
        KeySortColumn::LastUsedAt => api_key::Column::LastUsedAt.into_simple_expr(),
        KeySortColumn::CreatedAt => api_key::Column::CreatedAt.into_simple_expr(),
    }
}

/// What comes after `position`.
fn after(sort: KeySort, Position { value, id }: Position) -> Condition {
    let column = || sorted_by(sort.column);
    let Some(value) = value else {
        return Condition::all()
            .add(column().is_null())
            .add(id_after(sort, id));
    };
    let bound = || Expr::val(value.clone());
    let (from, behind) = if sort.descending {
        (column().lte(bound()), column().lt(bound()))
    } else {
        (column().gte(bound()), column().gt(bound()))
    };
    // Written so that an index over the value finds its place by the first half.
    let rest = Condition::all()
        .add(from)
        .add(Condition::any().add(behind).add(id_after(sort, id)));
    if cursor::can_be_empty(sort.column) {
        Condition::any().add(rest).add(column().is_null())
    } else {
        rest
    }
}

fn id_after(sort: KeySort, id: Uuid) -> Expr {
    if sort.descending {
        api_key::Column::Id.lt(id)
    } else {
        api_key::Column::Id.gt(id)
    }
}
