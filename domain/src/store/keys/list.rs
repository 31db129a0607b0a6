//! One page of a tenant's keys: filtered, searched, sorted.
//!
//! Pages are cut by value and identifier (keyset), not by counting rows, so that a key which is made or revoked meanwhile moves no
//! other one out of a page, and the last page is as quick as the first.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;

use super::{
    Keys,
    cursor::{self, Place, Position, Side},
    filter::{Filter, Search},
    order,
    row::KeyRow,
};
use crate::{
    Error,
    key::query::{KeyPage, KeyQuery, KeySort},
    page,
};

pub(super) async fn list(
    keys: &Keys<'_>,
    query: &KeyQuery,
    now: DateTime<Utc>,
) -> Result<KeyPage, Error> {
    let place = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::read(cursor, query.sort))
        .transpose()?;
    let list = List {
        keys,
        filter: Filter::new(query, now, keys.soon_days()),
        sort: query.sort,
        limit: query.limit.clamp(1, page::MAX_LIMIT),
    };
    let reader = keys.database.reader();
    let page = keys
        .database
        .within(async {
            match place {
                None => list.page_after(None, 1, reader).await,
                Some(Place {
                    position,
                    side: Side::After,
                    next,
                }) => list.page_after(Some(&position), next, reader).await,
                Some(Place {
                    position,
                    side: Side::Before,
                    next,
                }) => list.page_before(&position, next, reader).await,
            }
        })
        .await?;
    Ok(KeyPage {
        next_cursor: page.next_cursor,
        previous_cursor: page.previous_cursor,
        first: page.first,
        items: page
            .rows
            .into_iter()
            .map(|row| row.into_key(now, keys.soon_days()))
            .collect::<Result<_, _>>()?,
    })
}

/// A list, whichever page of it.
struct List<'a> {
    keys: &'a Keys<'a>,
    filter: Filter,
    sort: KeySort,
    limit: u32,
}

/// [`KeyPage`] with the rows as they were read.
struct RowPage {
    rows: Vec<KeyRow>,
    next_cursor: Option<String>,
    previous_cursor: Option<String>,
    first: u64,
}

impl List<'_> {
    /// The page that begins after `position`, or with the list; its first key is the one at position `first`.
    async fn page_after(
        &self,
        position: Option<&Position>,
        first: u64,
        connection: &impl ConnectionTrait,
    ) -> Result<RowPage, Error> {
        let (rows, more) = self.read(Side::After, position, connection).await?;
        let next_cursor = match rows.last() {
            Some(last) if more => Some(self.cursor_after(last, &rows, first)?),
            _ => None,
        };
        let previous_cursor = match rows.first() {
            Some(row) if position.is_some() => Some(self.cursor_before(row, first)?),
            _ => None,
        };
        Ok(RowPage {
            rows,
            next_cursor,
            previous_cursor,
            first,
        })
    }

    /// The page that ends before `position`; the key after it is the one at position `next`.
    async fn page_before(
        &self,
        position: &Position,
        next: u64,
        connection: &impl ConnectionTrait,
    ) -> Result<RowPage, Error> {
        let (mut rows, more) = self.read(Side::Before, Some(position), connection).await?;
        let limit = u64::from(self.limit);
        // Keys were added before or taken away: so that the list's beginning is reached, and counted as such, it is read from there.
        if rows.is_empty() || (more && next <= limit + 1) {
            return Box::pin(self.page_after(None, 1, connection)).await;
        }
        rows.reverse();
        let first = if more { next - limit } else { 1 };
        let next_cursor = match rows.last() {
            Some(last) => Some(self.cursor_after(last, &rows, first)?),
            None => None,
        };
        let previous_cursor = match rows.first() {
            Some(row) if more => Some(self.cursor_before(row, first)?),
            _ => None,
        };
        Ok(RowPage {
            rows,
            next_cursor,
            previous_cursor,
            first,
        })
    }

    fn cursor_after(&self, last: &KeyRow, rows: &[KeyRow], first: u64) -> Result<String, Error> {
        let next = first.saturating_add(rows.len() as u64);
        cursor::beside(last, Side::After, next, self.sort)
    }

    fn cursor_before(&self, row: &KeyRow, first: u64) -> Result<String, Error> {
        cursor::beside(row, Side::Before, first, self.sort)
    }

    /// The rows beside `position`, nearest first, and whether there are more than the page holds.
    async fn read(
        &self,
        side: Side,
        position: Option<&Position>,
        connection: &impl ConnectionTrait,
    ) -> Result<(Vec<KeyRow>, bool), Error> {
        let limit = self.limit as usize;
        let mut rows = Vec::new();
        if matches!(self.filter.search, Search::Nothing) {
            return Ok((rows, false));
        }
        let mut position = position;
        for stretch in order::stretches(self.sort, &self.filter, side) {
            // Stretches before the one with the position are behind us.
            if position.is_some_and(|position| !stretch.has(position)) {
                continue;
            }
            // One more than is shown tells whether there is another page.
            let missing = (limit + 1 - rows.len()) as u64;
            let select = order::read(
                self.keys,
                stretch,
                (self.sort, side),
                position.take(),
                &self.filter,
                missing,
            );
            rows.extend(select.into_model::<KeyRow>().all(connection).await?);
            if rows.len() > limit {
                break;
            }
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok((rows, more))
    }
}
