//! What a query string asks for, read strictly: what is not understood is refused, all of it at once.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use chrono::{DateTime, NaiveTime, Utc};
use domain::{
    Error, FieldError,
    audit::{AuditAction, AuditQuery},
    key::{
        KeyStatus,
        expiry::{ExpirationDate, ExpirationState},
        query::{KeyQuery, KeySort},
    },
    page, text,
};
use http::request::Parts;

use super::error::ApiError;
use crate::urlencoded::decode;

/// Longest name of an unknown parameter that a message repeats, in characters.
const MAX_QUOTED: usize = 64;
/// How many wrong parameters are named; further ones are as wrong, and an answer is no mirror.
const MAX_ERRORS: usize = 100;

/// Refuses every parameter, where a route takes none.
pub(crate) struct NoParameters;

impl<S: Send + Sync> FromRequestParts<S> for NoParameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let parameters = Parameters::parse(parts.uri.query().unwrap_or_default(), &[]);
        Ok(parameters.finish(Self)?)
    }
}

/// The parameters of a request, taken out one by one: what is wrong with them is collected and said all at once.
pub(crate) struct Parameters {
    values: BTreeMap<String, String>,
    errors: Vec<FieldError>,
}

impl Parameters {
    /// Reads a query string. Whatever is not one of `known`, once, is an error.
    pub(crate) fn parse(query: &str, known: &[&str]) -> Self {
        let mut values = BTreeMap::new();
        let mut errors = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decode(name.as_bytes()), decode(value.as_bytes()))
            else {
                errors.push(wrong(name, "Must be percent-encoded UTF-8; write % as %25"));
                continue;
            };
            if !known.contains(&name.as_str()) {
                errors.push(wrong(&name, "Is not a parameter of this"));
            } else if values.insert(name.clone(), value).is_some() {
                errors.push(wrong(&name, "Must be given once"));
            }
        }
        Self { values, errors }
    }

    /// The value of the parameter `name`, where it has one that `parse` accepts; else what is wrong is noted. An empty one is as good
    /// as none.
    pub(crate) fn take<T>(
        &mut self,
        name: &str,
        message: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.values
            .remove(name)
            .filter(|value| !value.is_empty())
            .and_then(|value| self.accept(name, message, parse(&value)))
    }

    /// As [`Self::take`], but an empty value is none of its own: where leaving it out means more than anything it could say.
    pub(crate) fn take_whole<T>(
        &mut self,
        name: &str,
        message: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.values
            .remove(name)
            .and_then(|value| self.accept(name, message, parse(&value)))
    }

    fn accept<T>(&mut self, name: &str, message: &str, parsed: Option<T>) -> Option<T> {
        if parsed.is_none() {
            self.errors.push(FieldError::new(name, message));
        }
        parsed
    }

    /// `value` is what the parameters ask for, unless something is wrong with them.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all of it.
    pub(crate) fn finish<T>(mut self, value: T) -> Result<T, Error> {
        if self.errors.is_empty() {
            return Ok(value);
        }
        self.errors.truncate(MAX_ERRORS);
        Err(Error::Invalid(self.errors))
    }

    fn limit(&mut self) -> u32 {
        self.take("limit", "Must be a number from 1 to 100", parse_limit)
            .unwrap_or(page::DEFAULT_LIMIT)
    }

    fn cursor(&mut self) -> Option<String> {
        // What is wrong with one is the list's to say.
        self.take("cursor", "", |cursor| Some(cursor.to_owned()))
    }
}

/// Reads the parameters of a list of keys.
///
/// # Errors
/// [`Error::Invalid`] with every parameter that is unknown, doubled, or has a value that is none of its own.
pub(crate) fn parse_key_query(query: &str) -> Result<KeyQuery, Error> {
    const KNOWN: [&str; 6] = ["status", "expiration", "q", "sort", "limit", "cursor"];
    let mut parameters = Parameters::parse(query, &KNOWN);
    let wanted = KeyQuery {
        status: parameters.take("status", "Must be active or revoked", KeyStatus::from_word),
        expiration: parameters.take(
            "expiration",
            "Must be valid, expiring_soon or expired",
            ExpirationState::from_word,
        ),
        q: parameters
            .take(
                "q",
                "Must be at most 100 characters, without control characters",
                parse_search,
            )
            .unwrap_or_default(),
        sort: parameters
            .take(
                "sort",
                "Must be name, status, authorization_group, expires_on, last_used_at or created_at, with - before it for descending",
                KeySort::parse,
            )
            .unwrap_or_default(),
        limit: parameters.limit(),
        cursor: parameters.cursor(),
    };
    parameters.finish(wanted)
}

/// Reads the parameters of a list of audit events.
///
/// # Errors
/// As [`parse_key_query`].
pub(crate) fn parse_audit_query(query: &str) -> Result<AuditQuery, Error> {
    const KNOWN: [&str; 7] = ["action", "actor", "key_id", "from", "to", "limit", "cursor"];
    const TIME: &str = "Must be a date (2031-12-31) or a time (2031-12-31T23:59:59Z)";
    let mut parameters = Parameters::parse(query, &KNOWN);
    let wanted = AuditQuery {
        action: parameters.take(
            "action",
            "Must be an action, such as api_key.created",
            AuditAction::from_word,
        ),
        actor: parameters.take("actor", "Must be an identifier or cli", |text| {
            text.parse().ok()
        }),
        key_id: parameters.take("key_id", "Must be an identifier", |text| text.parse().ok()),
        from: parameters.take("from", TIME, |text| parse_time(text, DayEdge::Begins)),
        to: parameters.take("to", TIME, |text| parse_time(text, DayEdge::Ends)),
        limit: parameters.limit(),
        cursor: parameters.cursor(),
    };
    parameters.finish(wanted)
}

/// Reads the parameters of a list that has no filters: its limit and its cursor.
///
/// # Errors
/// As [`parse_key_query`].
pub(crate) fn parse_page_query(query: &str) -> Result<(u32, Option<String>), Error> {
    let mut parameters = Parameters::parse(query, &["limit", "cursor"]);
    let wanted = (parameters.limit(), parameters.cursor());
    parameters.finish(wanted)
}

fn wrong(name: &str, message: &str) -> FieldError {
    FieldError::new(name.chars().take(MAX_QUOTED).collect::<String>(), message)
}

fn parse_search(text: &str) -> Option<String> {
    (text::length(text) <= KeyQuery::MAX_SEARCH && !text.contains(text::is_control))
        .then(|| text.to_owned())
}

/// Decimal digits without sign or leading zero.
fn parse_limit(text: &str) -> Option<u32> {
    let decimal = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let limit = decimal.then(|| text.parse().ok()).flatten()?;
    (1..=page::MAX_LIMIT).contains(&limit).then_some(limit)
}

/// Which end of a day a bare date means.
#[derive(Clone, Copy)]
enum DayEdge {
    Begins,
    Ends,
}

/// A time of RFC 3339, or a date for one end of that day, UTC.
fn parse_time(text: &str, edge: DayEdge) -> Option<DateTime<Utc>> {
    let time = match (text.parse::<ExpirationDate>(), edge) {
        (Ok(date), DayEdge::Begins) => date.date().and_time(NaiveTime::MIN).and_utc(),
        (Ok(date), DayEdge::Ends) => date.ends_at(),
        (Err(_), _) => DateTime::parse_from_rfc3339(text).ok()?.to_utc(),
    };
    // SQLite sorts times as text, which years of other than four digits would upset; nothing happened in them.
    let last = DateTime::from_timestamp(253_402_300_799, 0)?;
    Some(time.clamp(DateTime::UNIX_EPOCH, last))
}
