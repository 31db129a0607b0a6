//! The query parameters of lists.

use axum::extract::FromRequestParts;
use chrono::{DateTime, NaiveTime, Utc};
use domain::{
    Error,
    audit::{AuditAction, AuditQuery},
    key::{
        KeyStatus,
        expiry::{ExpirationDate, ExpirationState},
        query::{KeyLifetime, KeyQuery, KeySort, PolicyFilter},
    },
    page, text,
};
use http::request::Parts;
use utoipa::IntoParams;

use super::{error::ApiError, input::Input};

/// The parameters of every list, as the document describes them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters; `Input` reads them")]
pub(crate) struct PageParameters {
    /// 25 if absent
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// A `next_cursor` of the same list
    #[param(max_length = 2048, pattern = "^[A-Za-z0-9_-]*$")]
    cursor: Option<String>,
}

/// Refuses every parameter on a route that takes none.
pub(crate) struct NoParameters;

impl<S: Send + Sync> FromRequestParts<S> for NoParameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let parameters = Input::from_query(parts.uri.query().unwrap_or_default());
        Ok(parameters.finish(Some(Self))?)
    }
}

/// Reads the parameters of a list of keys.
///
/// # Errors
/// [`Error::Invalid`] with every unknown, repeated or invalid parameter.
pub(crate) fn parse_key_query(query: &str) -> Result<KeyQuery, Error> {
    let mut parameters = Input::from_query(query);
    let wanted = KeyQuery {
        status: parameters.non_empty_text("status", |text| {
 KeyStatus::from_word(text).ok_or("Must be active or revoked")
 }),
        expiration: parameters.non_empty_text("expiration", |text| {
            ExpirationState::from_word(text).ok_or("Must be valid, expiring_soon or expired")
        }),
        lifetime: parameters.non_empty_text("lifetime", |text| {
            KeyLifetime::from_word(text).ok_or("Must be never")
        }),
        unused_days: parameters.non_empty_text("unused_days", |text| {
            parse_number(text, KeyQuery::MAX_UNUSED_DAYS).ok_or("Must be a number from 1 to 3,650")
        }),
        policy: parameters.non_empty_text("policy", |text| {
            PolicyFilter::from_word(text).ok_or("Must be outside")
        }),
        q: parameters
            .non_empty_text("q", |text| parse_search(text).ok_or("Must be at most 100 characters, without control characters"))
            .unwrap_or_default(),
        sort: parameters
            .non_empty_text("sort", |text| KeySort::parse(text).ok_or("Must be name, status, authorization_group, expires_on, last_used_at or created_at, with - before it for descending"))
            .unwrap_or_default(),
        limit: limit(&mut parameters),
        cursor: cursor(&mut parameters),
    };
    parameters.finish(Some(wanted))
}

/// Reads the parameters of a list of audit events.
///
/// # Errors
/// As [`parse_key_query`].
pub(crate) fn parse_audit_query(query: &str) -> Result<AuditQuery, Error> {
    const TIME: &str = "Must be a date (2031-12-31) or a time (2031-12-31T23:59:59Z)";
    let mut parameters = Input::from_query(query);
    let wanted = AuditQuery {
        action: parameters.non_empty_text("action", |text| {
            AuditAction::from_word(text).ok_or("Must be an action, such as api_key.created")
        }),
        actor: parameters.non_empty_text("actor", |text| {
            text.parse().map_err(|_| "Must be an identifier or cli")
        }),
        keys: parameters.non_empty_text("key_id", |text| {
            let key = text.parse().map_err(|_| "Must be an identifier")?;
            Ok::<_, &str>(vec![key])
        }),
        from: parameters
            .non_empty_text("from", |text| parse_time(text, DayEdge::Start).ok_or(TIME)),
        to: parameters.non_empty_text("to", |text| parse_time(text, DayEdge::End).ok_or(TIME)),
        limit: limit(&mut parameters),
        cursor: cursor(&mut parameters),
    };
    parameters.finish(Some(wanted))
}

/// Reads the parameters of a list that has no filters: its limit and its cursor.
///
/// # Errors
/// As [`parse_key_query`].
pub(crate) fn parse_page_query(query: &str) -> Result<(u32, Option<String>), Error> {
    let mut parameters = Input::from_query(query);
    let wanted = (limit(&mut parameters), cursor(&mut parameters));
    parameters.finish(Some(wanted))
}

fn limit(parameters: &mut Input) -> u32 {
    let limit = parameters.non_empty_text("limit", |text| {
        parse_limit(text).ok_or("Must be a number from 1 to 100")
    });
    limit.unwrap_or(page::DEFAULT_LIMIT)
}

/// The cursor as it was sent: the list checks it.
fn cursor(parameters: &mut Input) -> Option<String> {
    parameters.non_empty_text("cursor", |text| Ok::<_, &str>(text.to_owned()))
}

fn parse_search(text: &str) -> Option<String> {
    (text::length(text) <= KeyQuery::MAX_SEARCH && !text.contains(text::is_control))
        .then(|| text.to_owned())
}

fn parse_limit(text: &str) -> Option<u32> {
    parse_number(text, page::MAX_LIMIT)
}

/// A number from 1 to `max`: decimal digits without sign or leading zero.
pub(crate) fn parse_number(text: &str, max: u32) -> Option<u32> {
    let decimal = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let number = decimal.then(|| text.parse().ok()).flatten()?;
    (1..=max).contains(&number).then_some(number)
}

/// The boundary of a day that a date without a time represents.
#[derive(Clone, Copy)]
enum DayEdge {
    Start,
    End,
}

/// A time of RFC 3339, or a date for one end of that day, UTC.
fn parse_time(text: &str, edge: DayEdge) -> Option<DateTime<Utc>> {
    let time = match (text.parse::<ExpirationDate>(), edge) {
        (Ok(date), DayEdge::Start) => date.date().and_time(NaiveTime::MIN).and_utc(),
        (Ok(date), DayEdge::End) => date.ends_at(),
        (Err(_), _) => DateTime::parse_from_rfc3339(text).ok()?.to_utc(),
    };
    // SQLite sorts times as text, which needs years of four digits.
    let last = DateTime::from_timestamp(253_402_300_799, 0)?;
    Some(time.clamp(DateTime::UNIX_EPOCH, last))
}
