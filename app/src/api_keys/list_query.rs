//! The query of the list in the URL.

use domain::key::{
    KeyStatus,
    expiry::ExpirationState,
    query::{KeyLifetime, KeyQuery, KeySort, KeySortColumn, PolicyFilter},
};
use leptos_router::params::ParamsMap;

use crate::urls::TenantQuery;

/// The days of the filter "Not used in 90 days". The page ignores other numbers.
pub const UNUSED_DAYS: u32 = 90;

/// The parameters of the URL. Unknown values are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only keys with this status.
    pub status: Option<KeyStatus>,
    /// Only keys in this expiration state.
    pub expiration: Option<ExpirationState>,
    /// Only keys with this lifetime.
    pub lifetime: Option<KeyLifetime>,
    /// Only keys that were not used in [`UNUSED_DAYS`] days.
    pub is_unused: bool,
    /// Only keys with this relation to the security policy.
    pub policy: Option<PolicyFilter>,
    /// The search.
    pub q: String,
    /// The order.
    pub sort: KeySort,
    /// The cursor of the page.
    pub cursor: Option<String>,
}

impl ListQuery {
    /// Parses the parameters of a URL.
    #[must_use]
    pub fn parse(parameters: &ParamsMap) -> Self {
        let parameter = |name: &str| parameters.get(name);
        Self {
            status: parameter("status").and_then(|parameter| KeyStatus::from_word(&parameter)),
            expiration: parameter("expiration")
                .and_then(|parameter| ExpirationState::from_word(&parameter)),
            lifetime: parameter("lifetime")
                .and_then(|parameter| KeyLifetime::from_word(&parameter)),
            is_unused: parameter("unused_days")
                .is_some_and(|parameter| parameter == UNUSED_DAYS.to_string()),
            policy: parameter("policy").and_then(|parameter| PolicyFilter::from_word(&parameter)),
            // Cut to the length of the search field that shows the search.
            q: KeyQuery::without_secret(&parameter("q").unwrap_or_default())
                .chars()
                .take(KeyQuery::MAX_SEARCH)
                .collect(),
            sort: parameter("sort")
                .and_then(|parameter| KeySort::parse(&parameter))
                .unwrap_or_default(),
            cursor: parameter("cursor").filter(|cursor| !cursor.is_empty()),
        }
    }

    /// The query for active keys that expire soon.
    #[must_use]
    pub fn expiring_soon() -> Self {
        Self {
            status: Some(KeyStatus::Active),
            expiration: Some(ExpirationState::ExpiringSoon),
            ..Self::default()
        }
    }

    /// The query for active keys.
    #[must_use]
    pub fn active() -> Self {
        Self {
            status: Some(KeyStatus::Active),
            ..Self::default()
        }
    }

    /// The query for active keys that are expired: they count toward the key limit.
    #[must_use]
    pub fn expired() -> Self {
        Self {
            status: Some(KeyStatus::Active),
            expiration: Some(ExpirationState::Expired),
            ..Self::default()
        }
    }

    /// The query with or without the filter for unused keys, from the first page. Setting it selects the active keys, unless a status is
    /// chosen: revoked keys are not used by definition.
    #[must_use]
    pub fn toggle_unused(&self) -> Self {
        let is_unused = !self.is_unused;
        let status = self.status.or(is_unused.then_some(KeyStatus::Active));
        Self {
            is_unused,
            status,
            ..self.from_cursor(None)
        }
    }

    /// The query for active keys that never expire.
    #[must_use]
    pub fn never_expiring() -> Self {
        Self {
            status: Some(KeyStatus::Active),
            lifetime: Some(KeyLifetime::Never),
            ..Self::default()
        }
    }

    /// The query for active keys that are outside the security policy.
    #[must_use]
    pub fn outside_policy() -> Self {
        Self {
            status: Some(KeyStatus::Active),
            policy: Some(PolicyFilter::Outside),
            ..Self::default()
        }
    }

    /// Whether the query filters keys.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        self.status.is_some()
            || self.expiration.is_some()
            || self.lifetime.is_some()
            || self.is_unused
            || self.policy.is_some()
            || !self.q.is_empty()
    }

    /// The filters as text, e.g. `Active, Expiring Soon`; `None` without filters.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        let status = self.status.map(|status| match status {
            KeyStatus::Active => "Active".to_owned(),
            KeyStatus::Revoked => "Revoked".to_owned(),
        });
        let expiration = self.expiration.map(|state| match state {
            ExpirationState::Valid => "Valid".to_owned(),
            ExpirationState::ExpiringSoon => "Expiring Soon".to_owned(),
            ExpirationState::Expired => "Expired".to_owned(),
        });
        let lifetime = self
            .lifetime
            .map(|KeyLifetime::Never| "Never expires".to_owned());
        let unused = self
            .is_unused
            .then(|| format!("Not used in {UNUSED_DAYS} days"));
        let policy = self
            .policy
            .map(|PolicyFilter::Outside| "Outside policy".to_owned());
        let search = (!self.q.is_empty()).then(|| format!("matching “{}”", self.q));
        let words: Vec<_> = [status, expiration, lifetime, unused, policy, search]
            .into_iter()
            .flatten()
            .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// Title and text for a list in which no key matches: `No key matches “zzzz”` for a search alone.
    #[must_use]
    pub fn describe_no_match(&self) -> (String, Option<String>) {
        let search_alone = Self {
            q: self.q.clone(),
            sort: self.sort,
            cursor: self.cursor.clone(),
            ..Self::default()
        };
        if !self.q.is_empty() && *self == search_alone {
            (format!("No key matches “{}”", self.q), None)
        } else {
            ("No key matches these filters".to_owned(), self.describe())
        }
    }

    /// The query after a click on the heading of `column`, from the first page: reverses the order if the column is sorted already; otherwise
    /// times start with the latest, other columns with the smallest.
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

    /// The query without filters and search, in the same order.
    #[must_use]
    pub fn without_filters(&self) -> Self {
        Self {
            sort: self.sort,
            ..Self::default()
        }
    }

    /// The query with the search `q`, from the first page.
    #[must_use]
    pub fn with_search(&self, q: String) -> Self {
        Self {
            q,
            cursor: None,
            ..self.clone()
        }
    }

    /// The query for the page at `cursor`.
    #[must_use]
    pub fn from_cursor(&self, cursor: Option<String>) -> Self {
        Self {
            cursor,
            ..self.clone()
        }
    }

    /// `path` with this query, in the tenant of `tenant`.
    #[must_use]
    pub fn url(&self, tenant: &TenantQuery, path: &str) -> String {
        let sort = self.sort_parameter();
        tenant.url_with(
            path,
            &[
                ("status", self.status_parameter()),
                ("expiration", self.expiration_parameter()),
                ("lifetime", self.lifetime_parameter()),
                ("unused_days", &self.unused_parameter()),
                ("policy", self.policy_parameter()),
                ("q", &self.q),
                ("sort", &sort),
                ("cursor", self.cursor.as_deref().unwrap_or_default()),
            ],
        )
    }

    /// The hidden fields of the search form: every parameter except the search and the cursor.
    #[must_use]
    pub fn search_form_fields(&self, tenant: &TenantQuery) -> Vec<(&'static str, String)> {
        [
            ("tenant", tenant.0.clone().unwrap_or_default()),
            ("status", self.status_parameter().to_owned()),
            ("expiration", self.expiration_parameter().to_owned()),
            ("lifetime", self.lifetime_parameter().to_owned()),
            ("unused_days", self.unused_parameter()),
            ("policy", self.policy_parameter().to_owned()),
            ("sort", self.sort_parameter()),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
    }

    /// The hidden fields of a form that keeps every parameter of the list.
    #[must_use]
    pub fn list_form_fields(&self, tenant: &TenantQuery) -> Vec<(&'static str, String)> {
        let mut fields = self.search_form_fields(tenant);
        let cursor = self.cursor.clone().unwrap_or_default();
        fields.extend(
            [("q", self.q.clone()), ("cursor", cursor)]
                .into_iter()
                .filter(|(_, value)| !value.is_empty()),
        );
        fields
    }

    /// The order's parameter; empty for the default order.
    fn sort_parameter(&self) -> String {
        if self.sort == KeySort::default() {
            String::new()
        } else {
            self.sort.to_parameter()
        }
    }

    fn status_parameter(&self) -> &'static str {
        self.status.map(KeyStatus::as_str).unwrap_or_default()
    }

    fn lifetime_parameter(&self) -> &'static str {
        self.lifetime.map(KeyLifetime::as_str).unwrap_or_default()
    }

    fn policy_parameter(&self) -> &'static str {
        self.policy.map(PolicyFilter::as_str).unwrap_or_default()
    }

    fn unused_parameter(&self) -> String {
        if self.is_unused {
            UNUSED_DAYS.to_string()
        } else {
            String::new()
        }
    }

    fn expiration_parameter(&self) -> &'static str {
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
            lifetime: query.lifetime,
            unused_days: query.is_unused.then_some(UNUSED_DAYS),
            policy: query.policy,
            q: query.q,
            sort: query.sort,
            cursor: query.cursor,
            ..Self::default()
        }
    }
}

impl From<&KeyQuery> for ListQuery {
    fn from(query: &KeyQuery) -> Self {
        Self {
            policy: query.policy,
            status: query.status,
            expiration: query.expiration,
            lifetime: query.lifetime,
            is_unused: query.unused_days == Some(UNUSED_DAYS),
            q: query.q.clone(),
            sort: query.sort,
            cursor: query.cursor.clone(),
        }
    }
}
