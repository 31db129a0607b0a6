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
}

/// The default number of items on a page.
pub const DEFAULT_LIMIT: u32 = 25;
/// The largest accepted number of items on a page.
pub const MAX_LIMIT: u32 = 100;
