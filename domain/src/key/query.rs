//! Which keys a list shows, and in which order.

use serde::{Deserialize, Serialize};

use super::{ApiKey, KeyStatus, expiry::ExpirationState};
use crate::{page, tenant::KeyQuota};

/// A column to sort by. Names are compared lower-cased; empty values come last in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySortColumn {
    /// The key's name.
    Name,
    /// Active before revoked.
    Status,
    /// The group's name.
    AuthorizationGroup,
    /// The expiration date.
    ExpiresOn,
    /// When it was last used.
    LastUsedAt,
    /// When it was made.
    CreatedAt,
}

impl KeySortColumn {
    /// Every column.
    pub const ALL: [Self; 6] = [
        Self::Name,
        Self::Status,
        Self::AuthorizationGroup,
        Self::ExpiresOn,
        Self::LastUsedAt,
        Self::CreatedAt,
    ];

    /// The word of the parameter `sort`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Status => "status",
            Self::AuthorizationGroup => "authorization_group",
            Self::ExpiresOn => "expires_on",
            Self::LastUsedAt => "last_used_at",
            Self::CreatedAt => "created_at",
        }
    }
}

/// An order: a column, and whether it is descending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySort {
    /// By what.
    pub column: KeySortColumn,
    /// Largest, latest or Z first.
    pub descending: bool,
}

impl Default for KeySort {
    fn default() -> Self {
        Self {
            column: KeySortColumn::CreatedAt,
            descending: true,
        }
    }
}

impl KeySort {
    /// Reads the parameter `sort`: a column, with `-` before it for descending.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (descending, word) = text
            .strip_prefix('-')
            .map_or((false, text), |word| (true, word));
        KeySortColumn::ALL
            .into_iter()
            .find(|column| column.as_str() == word)
            .map(|column| Self { column, descending })
    }

    /// The parameter `sort`.
    #[must_use]
    pub fn to_parameter(self) -> String {
        format!(
            "{}{}",
            if self.descending { "-" } else { "" },
            self.column.as_str()
        )
    }
}

/// What a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyQuery {
    /// Only keys of this status.
    pub status: Option<KeyStatus>,
    /// Only keys in this state.
    pub expiration: Option<ExpirationState>,
    /// Only keys whose name or description contains this, or whose hint ends in it, whatever the case; taken literally. At most
    /// [`Self::MAX_SEARCH`] characters. Empty is no search.
    pub q: String,
    /// In which order; the identifier decides between equals.
    pub sort: KeySort,
    /// 1 to [`page::MAX_LIMIT`].
    pub limit: u32,
    /// Which page: a cursor of a [`KeyPage`] of the same query. The first page where there is none.
    pub cursor: Option<String>,
}

impl KeyQuery {
    /// Most characters of a search: what it costs grows with them.
    pub const MAX_SEARCH: usize = 100;
}

impl Default for KeyQuery {
    fn default() -> Self {
        Self {
            status: None,
            expiration: None,
            q: String::new(),
            sort: KeySort::default(),
            limit: page::DEFAULT_LIMIT,
            cursor: None,
        }
    }
}

/// One page of a list of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPage {
    /// In the order that was asked for.
    pub items: Vec<ApiKey>,
    /// Leads to the page after this one; `None` at the end. Opaque and URL-safe: data, not authority.
    pub next_cursor: Option<String>,
    /// Leads to the page before this one; `None` on the first one.
    pub previous_cursor: Option<String>,
    /// The position of the first item in the list, from 1. It is counted from page to page: keys that come and go meanwhile put it
    /// out by as many, until a page is the first one again.
    pub first: u64,
}

/// What a list says about the tenant's keys besides the page it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySummary {
    /// Keys that are not revoked, of how many.
    pub quota: KeyQuota,
    /// Active keys that expire soon.
    pub expiring_soon: u64,
    /// The tenant's keys, whatever their state.
    pub total: u64,
    /// Those of them that the filters and the search leave.
    pub matching: u64,
}
