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

/// The default number of items on a page.
pub const DEFAULT_LIMIT: u32 = 25;
/// The largest accepted number of items on a page.
pub const MAX_LIMIT: u32 = 100;
