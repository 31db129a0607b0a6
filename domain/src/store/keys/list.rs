//! One page of a tenant's keys: filtered, searched, sorted.
//!
//! Pages are cut by value and identifier (keyset pagination), not by row numbers. A key that is created or revoked meanwhile moves no other
//! key to another page, and the last page is as fast as the first.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, FromQueryResult};

use super::{
    Keys, counts,
    cursor::{self, Place, Position, Side},
    filter::{Filter, Search},
    order,
    row::KeyRow,
};
use crate::{
    Error,
    key::query::{KeyPage, KeyQuery, KeySort},
    page,
    store::connection::lists::ListConnection,
};

/// The page that `query` selects and, for a search, the number of matching keys if it was counted.
pub(super) async fn list(
    keys: &Keys<'_>,
    query: &KeyQuery,
    lists: &ListConnection,
    now: DateTime<Utc>,
) -> Result<(KeyPage, Option<u64>), Error> {
    let place = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::read(cursor, query.sort))
        .transpose()?;
    let connection: &DatabaseConnection = lists;
    let page = lists
        .with_timeout(async {
            let list = List {
                keys,
                filter: keys.filter(query, connection, now).await?,
                sort: query.sort,
                limit: query.limit.clamp(1, page::MAX_LIMIT),
            };
            match place {
                None => list.page_after(None, 1, connection).await,
                Some(Place {
                    position,
                    side: Side::After,
                    next,
                }) => list.page_after(Some(&position), next, connection).await,
                Some(Place {
                    position,
                    side: Side::Before,
                    next,
                }) => list.page_before(&position, next, connection).await,
            }
        })
        .await?;
    let soon_days = keys.soon_days();
    let rows = page.rows;
    // Parsing a page of the longest allowlists takes some milliseconds, too long for the async threads.
    let items = tokio::task::spawn_blocking(move || {
        rows.into_iter()
            .map(|row| row.into_key(now, soon_days))
            .collect::<Result<_, _>>()
    })
    .await
    .map_err(|error| Error::Internal(Box::new(error)))??;
    let key_page = KeyPage {
        next_cursor: page.next_cursor,
        previous_cursor: page.previous_cursor,
        first: page.first,
        items,
    };
    Ok((key_page, page.matching))
}

/// A filtered and sorted list of keys.
struct List<'a> {
    keys: &'a Keys<'a>,
    filter: Filter,
    sort: KeySort,
    limit: u32,
}

/// A [`KeyPage`] whose rows are not converted to keys yet.
struct RowPage {
    rows: Vec<KeyRow>,
    next_cursor: Option<String>,
    previous_cursor: Option<String>,
    first: u64,
    matching: Option<u64>,
}

/// The rows on one side of a position.
struct Stretch {
    /// Nearest to the position first.
    rows: Vec<KeyRow>,
    /// Whether the list continues beyond the page.
    more: bool,
    /// The number of keys that a search matches, if it was counted.
    matching: Option<u64>,
}

/// The columns that [`order::search`] selects.
#[derive(FromQueryResult)]
struct FoundRow {
    #[sea_orm(nested)]
    key: KeyRow,
    matching: i64,
}

impl List<'_> {
    /// The page that begins after `position`, or at the start of the list without one. `first` is the position of its first key.
    async fn page_after(
        &self,
        position: Option<&Position>,
        first: u64,
        connection: &impl ConnectionTrait,
    ) -> Result<RowPage, Error> {
        let Stretch {
            rows,
            more,
            matching,
        } = self.read(Side::After, position, connection).await?;
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
            matching,
        })
    }

    /// The page that ends before `position`. `next` is the position of the first key after it.
    async fn page_before(
        &self,
        position: &Position,
        next: u64,
        connection: &impl ConnectionTrait,
    ) -> Result<RowPage, Error> {
        let Stretch {
            mut rows,
            more,
            matching,
        } = self.read(Side::Before, Some(position), connection).await?;
        let limit = u64::from(self.limit);
        // Keys were added or removed before this page: reading from the start of the list returns a full first page with correct positions.
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
            matching,
        })
    }

    fn cursor_after(&self, last: &KeyRow, rows: &[KeyRow], first: u64) -> Result<String, Error> {
        let next = first.saturating_add(rows.len() as u64);
        cursor::beside(last, Side::After, next, self.sort)
    }

    fn cursor_before(&self, row: &KeyRow, first: u64) -> Result<String, Error> {
        cursor::beside(row, Side::Before, first, self.sort)
    }

    async fn read(
        &self,
        side: Side,
        position: Option<&Position>,
        connection: &impl ConnectionTrait,
    ) -> Result<Stretch, Error> {
        let mut matching = None;
        let mut rows = match self.filter.search {
            Search::Nothing => Vec::new(),
            Search::Everything => self.read_stretches(side, position, connection).await?,
            Search::Text(_) => {
                let select = order::search(
                    self.keys,
                    (self.sort, side),
                    position,
                    &self.filter,
                    u64::from(self.limit) + 1,
                );
                let found = select.into_model::<FoundRow>().all(connection).await?;
                matching = match found.first() {
                    Some(row) => Some(counts::number(row.matching)?),
                    None if position.is_none() => Some(0),
                    None => None,
                };
                found.into_iter().map(|row| row.key).collect()
            }
        };
        let more = rows.len() > self.limit as usize;
        rows.truncate(self.limit as usize);
        Ok(Stretch {
            rows,
            more,
            matching,
        })
    }

    /// Reads one row more than the page holds, if it exists, to detect a further page.
    async fn read_stretches(
        &self,
        side: Side,
        mut position: Option<&Position>,
        connection: &impl ConnectionTrait,
    ) -> Result<Vec<KeyRow>, Error> {
        let limit = self.limit as usize;
        let mut rows = Vec::new();
        for stretch in order::stretches(self.sort, &self.filter, side) {
            // Skips stretches that lie before the position.
            if position.is_some_and(|position| !stretch.has(position)) {
                continue;
            }
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
        Ok(rows)
    }
}
