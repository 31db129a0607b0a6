//! The filters of the audit log in the URL.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use domain::{
    audit::{AuditAction, AuditQuery, AuditedActor},
    id::{EventId, KeyId},
    key::query::KeyQuery,
};

use crate::urls::TenantQuery;

/// The years whose dates a database can store.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// The parameters of `/audit-log` and of its exports. An invalid value is kept as text, so that the form shows it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditLogQuery {
    /// A search for keys: part of a name, or the last four characters of a secret.
    pub q: String,
    /// Only this key.
    pub key_id: Option<KeyId>,
    /// Only this action.
    pub action: Option<AuditAction>,
    /// Only this actor: an identifier or `cli`.
    pub actor: Option<String>,
    /// The first day, `YYYY-MM-DD`, UTC.
    pub from: String,
    /// The last day, `YYYY-MM-DD`, UTC.
    pub to: String,
    /// The event that is shown first and unfolded.
    pub event: Option<EventId>,
    /// The position in the list.
    pub cursor: Option<String>,
}

/// The error message of a date field without a valid date.
pub const NO_DATE: &str = "Must be a date, like 2030-12-31";

impl AuditLogQuery {
    /// Reads a URL's parameters by name.
    pub fn new(parameter: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| {
            let value = parameter(name).unwrap_or_default();
            value.chars().take(KeyQuery::MAX_SEARCH).collect::<String>()
        };
        Self {
            q: text("q").trim().to_owned(),
            key_id: parameter("key_id").and_then(|id| id.parse().ok()),
            action: parameter("action").and_then(|word| AuditAction::from_word(&word)),
            actor: parameter("actor").filter(|actor| actor.parse::<AuditedActor>().is_ok()),
            from: text("from").trim().to_owned(),
            to: text("to").trim().to_owned(),
            event: parameter("event").and_then(|id| id.parse().ok()),
            cursor: parameter("cursor").filter(|cursor| !cursor.is_empty()),
        }
    }

    /// The first day.
    ///
    /// # Errors
    /// [`NO_DATE`].
    pub fn first_day(&self) -> Result<Option<NaiveDate>, &'static str> {
        day(&self.from)
    }

    /// The last day.
    ///
    /// # Errors
    /// [`NO_DATE`].
    pub fn last_day(&self) -> Result<Option<NaiveDate>, &'static str> {
        day(&self.to)
    }

    /// Whether a filter is set.
    #[must_use]
    pub fn filters(&self) -> bool {
        !self.q.is_empty()
            || self.key_id.is_some()
            || self.action.is_some()
            || self.actor.is_some()
            || !self.from.is_empty()
            || !self.to.is_empty()
    }

    /// The store's query. `keys` are the results of the search. Invalid dates are ignored.
    #[must_use]
    pub fn to_query(&self, keys: Option<Vec<KeyId>>) -> AuditQuery {
        let start = |day: NaiveDate| {
            DateTime::<Utc>::from_naive_utc_and_offset(day.and_time(NaiveTime::MIN), Utc)
        };
        let last = self.last_day().ok().flatten();
        AuditQuery {
            action: self.action,
            actor: self.actor.as_deref().and_then(|actor| actor.parse().ok()),
            keys: match self.key_id {
                Some(key) => Some(vec![key]),
                None => keys,
            },
            from: self.first_day().ok().flatten().map(start),
            to: last
                .and_then(|day| day.checked_add_days(Days::new(1)))
                .map(start),
            cursor: self.cursor.clone(),
            ..AuditQuery::default()
        }
    }

    /// The same filters from the beginning of the list.
    #[must_use]
    pub fn from_start(&self) -> Self {
        Self {
            event: None,
            cursor: None,
            ..self.clone()
        }
    }

    /// The same filters at another position.
    #[must_use]
    pub fn at(&self, cursor: Option<String>) -> Self {
        Self {
            cursor,
            ..self.from_start()
        }
    }

    /// `path` with these parameters, in the tenant of `tenant`.
    #[must_use]
    pub fn url(&self, tenant: &TenantQuery, path: &str) -> String {
        let key = self.key_id.map(|id| id.to_string()).unwrap_or_default();
        let event = self.event.map(|id| id.to_string()).unwrap_or_default();
        tenant.url_with(
            path,
            &[
                ("q", self.q.as_str()),
                ("key_id", &key),
                (
                    "action",
                    self.action.map(AuditAction::as_str).unwrap_or_default(),
                ),
                ("actor", self.actor.as_deref().unwrap_or_default()),
                ("from", &self.from),
                ("to", &self.to),
                ("event", &event),
                ("cursor", self.cursor.as_deref().unwrap_or_default()),
            ],
        )
    }
}

fn day(text: &str) -> Result<Option<NaiveDate>, &'static str> {
    use chrono::Datelike as _;
    if text.is_empty() {
        return Ok(None);
    }
    let is_written_out = text.len() == 10;
    text.parse::<NaiveDate>()
        .ok()
        .filter(|day| is_written_out && YEARS.contains(&day.year()))
        .map(Some)
        .ok_or(NO_DATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(parameters: &[(&str, &str)]) -> AuditLogQuery {
        AuditLogQuery::new(|name| {
            let found = parameters.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_last_day_is_within_the_range_and_a_url_returns_the_same_query() {
        let parameters = [
            ("q", "erp"),
            ("action", "api_key.revoked"),
            ("actor", "cli"),
            ("from", "2026-11-17"),
            ("to", "2026-11-18"),
        ];
        let query = query(&parameters);
        let wanted = query.to_query(None);
        assert_eq!(
            (
                wanted.from.unwrap().to_rfc3339(),
                wanted.to.unwrap().to_rfc3339()
            ),
            (
                "2026-11-17T00:00:00+00:00".to_owned(),
                "2026-11-19T00:00:00+00:00".to_owned()
            )
        );
        assert_eq!(
            query.url(&TenantQuery::default(), "/audit-log"),
            "/audit-log?q=erp&action=api_key.revoked&actor=cli&from=2026-11-17&to=2026-11-18"
        );
    }

    #[test]
    fn a_date_that_is_none_filters_nothing_and_is_kept_for_the_form() {
        for text in [
            "17/11/2026",
            "2026-02-30",
            "20261-1-1",
            "+2026-11-17",
            "now",
        ] {
            let query = query(&[("from", text)]);
            assert_eq!(query.first_day(), Err(NO_DATE), "{text}");
            assert_eq!(query.from, text);
            assert_eq!(query.to_query(None).from, None);
        }
        assert_eq!(
            query(&[("actor", "nobody"), ("action", "x")]),
            AuditLogQuery::default()
        );
    }
}
