//! What the URL asks the list for.

use domain::key::{
    KeyStatus,
    expiry::ExpirationState,
    query::{KeyQuery, KeySort, KeySortColumn},
};
use leptos_router::params::ParamsMap;

use crate::urls::TenantQuery;

/// The URL's words, each as far as it is known; what is not known asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only keys of this status.
    pub status: Option<KeyStatus>,
    /// Only keys in this state.
    pub expiration: Option<ExpirationState>,
    /// A search.
    pub q: String,
    /// An order.
    pub sort: KeySort,
    /// Where the page begins.
    pub cursor: Option<String>,
}

impl ListQuery {
    /// Reads a URL's parameters.
    #[must_use]
    pub fn of(parameters: &ParamsMap) -> Self {
        let word = |name: &str| parameters.get(name);
        Self {
            status: word("status").and_then(|word| KeyStatus::from_word(&word)),
            expiration: word("expiration").and_then(|word| ExpirationState::from_word(&word)),
            // As much of it as the field holds, which shows what was searched for.
            q: word("q")
                .unwrap_or_default()
                .chars()
                .take(KeyQuery::MAX_SEARCH)
                .collect(),
            sort: word("sort")
                .and_then(|word| KeySort::parse(&word))
                .unwrap_or_default(),
            cursor: word("cursor").filter(|cursor| !cursor.is_empty()),
        }
    }

    /// The list of the keys that expire soon.
    #[must_use]
    pub fn expiring_soon() -> Self {
        Self {
            status: Some(KeyStatus::Active),
            expiration: Some(ExpirationState::ExpiringSoon),
            ..Self::default()
        }
    }

    /// Whether it leaves keys out.
    #[must_use]
    pub fn filters(&self) -> bool {
        self.status.is_some() || self.expiration.is_some() || !self.q.is_empty()
    }

    /// The filters as a sentence says them, e.g. `Active, Expiring Soon`; `None` where nothing is left out.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        let status = self.status.map(|status| match status {
            KeyStatus::Active => "Active".to_owned(),
            KeyStatus::Revoked => "Revoked".to_owned(),
        });
        let expiration = self.expiration.map(|state| match state {
            ExpirationState::Valid => "Valid".to_owned(),
            ExpirationState::ExpiringSoon => "Expiring Soon".to_owned(),
            ExpirationState::Expired => "Expired".to_owned(),
        });
        let search = (!self.q.is_empty()).then(|| format!("matching “{}”", self.q));
        let words: Vec<_> = [status, expiration, search].into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// The same from its beginning, in the order that a click on the head of `column` asks for: the other direction where it is the
    /// order already, else times latest first and everything else smallest first.
    #[must_use]
    pub fn sorted_by(&self, column: KeySortColumn) -> Self {
        let descending = if self.sort.column == column {
            !self.sort.descending
        } else {
            matches!(column, KeySortColumn::LastUsedAt | KeySortColumn::CreatedAt)
        };
        Self {
            sort: KeySort { column, descending },
            cursor: None,
            ..self.clone()
        }
    }

    /// The same without filters and search, in the same order.
    #[must_use]
    pub fn without_filters(&self) -> Self {
        Self {
            sort: self.sort,
            ..Self::default()
        }
    }

    /// The same, searching for `q`.
    #[must_use]
    pub fn searching(&self, q: String) -> Self {
        Self {
            q,
            cursor: None,
            ..self.clone()
        }
    }

    /// The same, beginning at `cursor`.
    #[must_use]
    pub fn from_cursor(&self, cursor: Option<String>) -> Self {
        Self {
            cursor,
            ..self.clone()
        }
    }

    /// `path` with this query, in that tenant.
    #[must_use]
    pub fn url(&self, tenant: &TenantQuery, path: &str) -> String {
        let sort = self.sort_word();
        tenant.url_with(
            path,
            &[
                ("status", self.status_word()),
                ("expiration", self.expiration_word()),
                ("q", &self.q),
                ("sort", &sort),
                ("cursor", self.cursor.as_deref().unwrap_or_default()),
            ],
        )
    }

    /// What the search's form carries along in hidden fields: everything of the URL but the search itself and the place in the list.
    #[must_use]
    pub fn carried_by_search(&self, tenant: &TenantQuery) -> Vec<(&'static str, String)> {
        [
            ("tenant", tenant.0.clone().unwrap_or_default()),
            ("status", self.status_word().to_owned()),
            ("expiration", self.expiration_word().to_owned()),
            ("sort", self.sort_word()),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
    }

    /// Empty for the usual order, which needs no word.
    fn sort_word(&self) -> String {
        if self.sort == KeySort::default() {
            String::new()
        } else {
            self.sort.to_parameter()
        }
    }

    fn status_word(&self) -> &'static str {
        self.status.map(KeyStatus::as_str).unwrap_or_default()
    }

    fn expiration_word(&self) -> &'static str {
        self.expiration
            .map(ExpirationState::as_str)
            .unwrap_or_default()
    }
}

impl From<ListQuery> for KeyQuery {
    fn from(query: ListQuery) -> Self {
        Self {
            status: query.status,
            expiration: query.expiration,
            q: query.q,
            sort: query.sort,
            cursor: query.cursor,
            ..Self::default()
        }
    }
}
