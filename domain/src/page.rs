//! A page of a list.

use serde::{Deserialize, Serialize};

/// Some items and where the next ones begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// In the order that was asked for.
    pub items: Vec<T>,
    /// Hand it back to get what follows; `None` at the end. Opaque and URL-safe: data, not authority.
    pub next_cursor: Option<String>,
}

/// How many items a page has where nobody says.
pub const DEFAULT_LIMIT: u32 = 25;
/// The most that anybody may ask for.
pub const MAX_LIMIT: u32 = 100;
