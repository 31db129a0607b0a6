//! Queries for lists of keys: filters, order and pages.

use serde::{Deserialize, Serialize};

use super::{ApiKey, KeyStatus, expiry::ExpirationState};
use crate::{page, tenant::KeyQuota};

/// A column to sort by. Names are compared lower-cased; empty values come last in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySortColumn {
    /// The name.
    Name,
    /// The status: active before revoked.
    Status,
    /// The name of the group.
    AuthorizationGroup,
    /// The expiration date.
    ExpiresOn,
    /// The time of the last use.
    LastUsedAt,
    /// The time of the creation.
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

    /// The word in the parameter `sort`.
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

/// A sort order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySort {
    /// The column.
    pub column: KeySortColumn,
    /// Whether the largest, latest or alphabetically last value comes first.
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
    /// Parses the parameter `sort`: a column, with `-` before it for descending.
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

/// The lifetime of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyLifetime {
    /// The key never expires.
    Never,
}

impl KeyLifetime {
    /// The word of the parameter `lifetime`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
        }
    }

    /// The lifetime that `word` names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        (word == Self::Never.as_str()).then_some(Self::Never)
    }
}

/// The relation of keys to the tenant's security policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyFilter {
    /// Keys that are outside the policy: [`ApiKey::outside_policy`].
    Outside,
}

impl PolicyFilter {
    /// The word of the parameter `policy`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outside => "outside",
        }
    }

    /// The filter that `word` names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        (word == Self::Outside.as_str()).then_some(Self::Outside)
    }
}

/// A query for a list of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyQuery {
    /// Only keys of this status.
    pub status: Option<KeyStatus>,
    /// Only keys in this expiration state.
    pub expiration: Option<ExpirationState>,
    /// Only keys of this lifetime.
    #[serde(default)]
    pub lifetime: Option<KeyLifetime>,
    /// Only keys that were not used in this number of days, 1 to [`Self::MAX_UNUSED_DAYS`]. For a key that was never used, the days count
    /// from its creation.
    #[serde(default)]
    pub unused_days: Option<u32>,
    /// Only keys with this relation to the tenant's security policy.
    #[serde(default)]
    pub policy: Option<PolicyFilter>,
    /// Only keys whose name or description contains this text, or whose hint ends in it, ignoring case and without wildcards. At most
    /// [`Self::MAX_SEARCH`] characters; empty for no search.
    pub q: String,
    /// The order; equal values are ordered by identifier.
    pub sort: KeySort,
    /// 1 to [`page::MAX_LIMIT`].
    pub limit: u32,
    /// A cursor of a [`KeyPage`] of the same query; `None` for the first page.
    pub cursor: Option<String>,
}

impl KeyQuery {
    /// The longest search, in characters: its cost grows with the length.
    pub const MAX_SEARCH: usize = 100;
    /// The maximum of [`Self::unused_days`].
    pub const MAX_UNUSED_DAYS: u32 = 3_650;

    /// `search`, or the last four characters of what looks like a whole secret in it: they are in the key's hint, and the rest must not
    /// be in a URL.
    #[must_use]
    pub fn without_secret(search: &str) -> &str {
        search
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .find(|word| is_like_secret(word))
            .map_or(search, |word| &word[word.len() - HINT_END..])
    }
}

/// The characters of a secret's end that a hint contains.
const HINT_END: usize = 4;

/// Whether a word of letters and digits is as long as the random part of a secret, or long and mixed as one of another system.
fn is_like_secret(word: &str) -> bool {
    const LENGTH: usize = 32;
    const MIXED_LENGTH: usize = 24;
    let has = |is_one: fn(&u8) -> bool| word.bytes().any(|byte| is_one(&byte));
    word.len() >= LENGTH
        || word.len() >= MIXED_LENGTH && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

impl Default for KeyQuery {
    fn default() -> Self {
        Self {
            status: None,
            expiration: None,
            lifetime: None,
            unused_days: None,
            policy: None,
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
    /// In the requested order.
    pub items: Vec<ApiKey>,
    /// The cursor of the next page; `None` at the end. Opaque and URL-safe; it grants no access.
    pub next_cursor: Option<String>,
    /// The cursor of the previous page; `None` on the first one.
    pub previous_cursor: Option<String>,
    /// The position of the first item in the list, from 1. It is counted from page to page: keys that are created or removed meanwhile
    /// shift it, until the first page is loaded again.
    pub first: u64,
}

/// Counts of the tenant's keys, shown beside a page of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySummary {
    /// Keys that are not revoked, and the limit.
    pub quota: KeyQuota,
    /// Active keys that expire soon.
    pub expiring_soon: u64,
    /// Active keys that are expired: they count toward the limit.
    pub expired: u64,
    /// All keys of the tenant.
    pub total: u64,
    /// Keys that match the filters and the search.
    pub matching: u64,
}
