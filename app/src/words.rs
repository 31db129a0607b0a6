//! Numbers, dates, times and commands as text. Dates and times are UTC.

use chrono::{DateTime, Datelike as _, NaiveDate, Timelike as _, Utc};

/// `1284` as `1,284`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 key`, `1,284 keys`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

/// The names of the months in a date.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `31 Jan 2027`: unambiguous in every country.
///
/// Formatted by hand, like the times below: chrono's format strings would add their parser to the browser's bundle.
#[must_use]
pub fn date(date: NaiveDate) -> String {
    let month = MONTHS
        .get(date.month0() as usize)
        .copied()
        .unwrap_or_default();
    format!("{} {month} {}", date.day(), date.year())
}

/// `2026-11-24 00:34:12 UTC`.
#[must_use]
pub fn exact(at: DateTime<Utc>) -> String {
    format!("{} {} UTC", at.date_naive(), clock(at))
}

/// `24 Nov 2026, 00:34 UTC`.
#[must_use]
pub fn minute(at: DateTime<Utc>) -> String {
    format!(
        "{}, {:02}:{:02} UTC",
        date(at.date_naive()),
        at.hour(),
        at.minute()
    )
}

/// `2026-11-24T00:34:12Z`, for `datetime`.
#[must_use]
pub fn machine(at: DateTime<Utc>) -> String {
    format!("{}T{}Z", at.date_naive(), clock(at))
}

fn clock(at: DateTime<Utc>) -> String {
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

/// The time between `at` and `now` in one unit: `2 minutes ago`, `Yesterday`, `8 weeks ago`.
#[must_use]
pub fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let ago = |number: i64, one: &str, many: &str| {
        format!("{} ago", count(number.unsigned_abs(), one, many))
    };
    let passed = now.signed_duration_since(at);
    let days = passed.num_days();
    match days {
        ..0 => "Just now".to_owned(),
        0 if passed.num_minutes() < 1 => "Just now".to_owned(),
        0 if passed.num_hours() < 1 => ago(passed.num_minutes(), "minute", "minutes"),
        0 => ago(passed.num_hours(), "hour", "hours"),
        1 => "Yesterday".to_owned(),
        2..28 => ago(days, "day", "days"),
        28..61 => ago(days / 7, "week", "weeks"),
        61..365 => ago(days / 30, "month", "months"),
        _ => ago(days / 365, "year", "years"),
    }
}

/// A shell command that tries the secret. The origin is quoted, because it can come from the client's `Host` header.
#[must_use]
pub fn curl_command(origin: &str, secret: &str) -> String {
    let origin = origin.replace('\'', r"'\''");
    format!("curl '{origin}/api/v1/whoami' \\\n  -H 'X-API-Key: {secret}'")
}
