//! A page of a list.

use serde::{Deserialize, Serialize};

/// Items, and the cursor of the next page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// In the requested order.
    pub items: Vec<T>,
    /// The `cursor` of the next page; `None` at the end. Opaque and URL-safe; it grants no access.
    pub next_cursor: Option<String>,
}

/// Items, and the cursors of the pages beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwoWayPage<T> {
    /// In the requested order.
    pub items: Vec<T>,
    /// The `cursor` of the previous page; `None` at the start.
    pub previous_cursor: Option<String>,
    /// The `cursor` of the next page; `None` at the end.
    pub next_cursor: Option<String>,
}

impl<T> TwoWayPage<T> {
    /// A page without items.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            items: Vec::new(),
            previous_cursor: None,
            next_cursor: None,
        }
    }

    /// Makes a page from the rows that a query returned: `limit` rows, and one more if the list continues. `is_before` is `None` for the first
    /// page, `Some(false)` for one after a cursor, and `Some(true)` for one before a cursor, whose rows come in descending order. `write(row,
    /// is_before)` makes the cursor of the page before or after a row.
    ///
    /// # Errors
    /// The errors of `write`.
    #[cfg(feature = "store")]
    pub(crate) fn from_rows<E>(
        mut rows: Vec<T>,
        limit: usize,
        is_before: Option<bool>,
        write: impl Fn(&T, bool) -> Result<String, E>,
    ) -> Result<Self, E> {
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let (has_previous, has_next) = match is_before {
            None => (false, has_more),
            Some(false) => (true, has_more),
            Some(true) => {
                rows.reverse();
                (has_more, true)
            }
        };
        let previous = rows.first().filter(|_| has_previous);
        let previous_cursor = previous.map(|row| write(row, true)).transpose()?;
        let next = rows.last().filter(|_| has_next);
        let next_cursor = next.map(|row| write(row, false)).transpose()?;
        Ok(Self {
            items: rows,
            previous_cursor,
            next_cursor,
        })
    }
}

/// The default number of items on a page.
pub const DEFAULT_LIMIT: u32 = 25;
/// The largest accepted number of items on a page.
pub const MAX_LIMIT: u32 = 100;
