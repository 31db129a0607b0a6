//! Expiration dates and states.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The last day, UTC, on which a key works: it ends at 23:59:59 of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = String, format = Date, example = "2031-12-31")
)]
#[serde(try_from = "String", into = "String")]
pub struct ExpirationDate(NaiveDate);

/// The reason for which an expiration date is invalid; the page shows its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExpirationDate {
    /// The text is not a date of the calendar.
    #[error("Must be a date, like 2030-12-31")]
    NoDate,
    /// The date is today or past.
    #[error("Must be a future date")]
    NotFuture,
}

impl ExpirationDate {
    /// The day.
    #[must_use]
    pub const fn date(self) -> NaiveDate {
        self.0
    }

    /// Returns the date if it is after `today` (UTC), as required for a new key.
    ///
    /// # Errors
    /// [`InvalidExpirationDate::NotFuture`] for today and past dates.
    pub fn in_future(self, today: NaiveDate) -> Result<Self, InvalidExpirationDate> {
        if self.0 > today {
            Ok(self)
        } else {
            Err(InvalidExpirationDate::NotFuture)
        }
    }

    /// The first instant at which the key no longer works: the midnight after the day.
    #[must_use]
    pub fn ends_at(self) -> DateTime<Utc> {
        // Years end at 9999, so the next day always exists.
        let next = self
            .0
            .checked_add_days(Days::new(1))
            .unwrap_or(NaiveDate::MAX);
        next.and_time(NaiveTime::MIN).and_utc()
    }

    /// Whether the key is expired at `now`.
    #[must_use]
    pub fn is_over(self, now: DateTime<Utc>) -> bool {
        now >= self.ends_at()
    }
}

impl From<NaiveDate> for ExpirationDate {
    fn from(date: NaiveDate) -> Self {
        Self(date)
    }
}

impl FromStr for ExpirationDate {
    type Err = InvalidExpirationDate;

    /// Accepts only `YYYY-MM-DD`, years 0000 to 9999. [`ExpirationDate::in_future`] checks that it is in the future.
    fn from_str(text: &str) -> Result<Self, InvalidExpirationDate> {
        let shape = text.len() == 10
            && text.bytes().enumerate().all(|(index, byte)| match index {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !shape {
            return Err(InvalidExpirationDate::NoDate);
        }
        // Parsed by hand, so that the browser's bundle does not contain chrono's parser of format strings.
        let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u16>().ok();
        let date = || {
            let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
            NaiveDate::from_ymd_opt(i32::from(year), u32::from(month), u32::from(day))
        };
        date().map(Self).ok_or(InvalidExpirationDate::NoDate)
    }
}

impl TryFrom<String> for ExpirationDate {
    type Error = InvalidExpirationDate;

    fn try_from(text: String) -> Result<Self, InvalidExpirationDate> {
        text.parse()
    }
}

impl From<ExpirationDate> for String {
    fn from(date: ExpirationDate) -> Self {
        date.to_string()
    }
}

impl fmt::Display for ExpirationDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `YYYY-MM-DD`, because years have four digits.
        self.0.fmt(formatter)
    }
}

/// The expiration state of a key, independent of its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExpirationState {
    /// Never expires, or has more than `soon_days` days left.
    Valid,
    /// Its last day is today or at most `soon_days` days ahead.
    ExpiringSoon,
    /// Its last day is past.
    Expired,
}

impl ExpirationState {
    /// The state on `today` (UTC). At most `soon_days` days left count as soon.
    #[must_use]
    pub fn on(expires_on: Option<ExpirationDate>, today: NaiveDate, soon_days: u32) -> Self {
        let Some(date) = expires_on else {
            return Self::Valid;
        };
        match date.date().signed_duration_since(today).num_days() {
            ..0 => Self::Expired,
            left if left <= i64::from(soon_days) => Self::ExpiringSoon,
            _ => Self::Valid,
        }
    }

    /// The word in the JSON API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::ExpiringSoon => "expiring_soon",
            Self::Expired => "expired",
        }
    }

    /// Parses the word of the JSON API.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Valid, Self::ExpiringSoon, Self::Expired]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}
