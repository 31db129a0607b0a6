//! The tenant's rule for the lifetime of keys, which creation and rotation apply.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

use super::expiry::ExpirationDate;
use crate::error::FieldError;

/// The name of the date field in the JSON API.
const FIELD: &str = "expires_on";

/// A lifetime in days, 1 to [`Self::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = u32, minimum = 1, maximum = 3650, example = 90)
)]
#[serde(try_from = "u32", into = "u32")]
pub struct LifetimeDays(u32);

/// The number of days is out of bounds, or the text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Must be a whole number from 1 to 3,650")]
pub struct InvalidLifetime;

impl LifetimeDays {
    /// The longest lifetime.
    pub const MAX: Self = Self(3_650);

    /// The number of days.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The last day of a key whose lifetime begins on `day`.
    #[must_use]
    pub fn after(self, day: NaiveDate) -> ExpirationDate {
        let last = day.checked_add_days(Days::new(self.0.into()));
        last.unwrap_or(NaiveDate::MAX).into()
    }
}

impl TryFrom<u32> for LifetimeDays {
    type Error = InvalidLifetime;

    fn try_from(days: u32) -> Result<Self, InvalidLifetime> {
        if (1..=Self::MAX.0).contains(&days) {
            Ok(Self(days))
        } else {
            Err(InvalidLifetime)
        }
    }
}

impl From<LifetimeDays> for u32 {
    fn from(days: LifetimeDays) -> Self {
        days.0
    }
}

impl FromStr for LifetimeDays {
    type Err = InvalidLifetime;

    /// Accepts digits only.
    fn from_str(text: &str) -> Result<Self, InvalidLifetime> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let days = text.parse::<u32>().ok().filter(|_| is_number);
        days.ok_or(InvalidLifetime)?.try_into()
    }
}

impl fmt::Display for LifetimeDays {
    /// `90 days`, `1 day`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => formatter.write_str("1 day"),
            days if days >= 1_000 => {
                write!(formatter, "{},{:03} days", days / 1_000, days % 1_000)
            }
            days => write!(formatter, "{days} days"),
        }
    }
}

/// The rule for the expiration dates of new secrets. The default has no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifetimeRule {
    /// Whether a key must have an expiration date.
    pub expiration_required: bool,
    /// The longest lifetime, from creation or rotation. A key without an expiration date exceeds every lifetime.
    pub max_days: Option<LifetimeDays>,
}

/// The way in which a key breaks the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenLifetime {
    /// The key never expires.
    NeverExpires,
    /// The key's lifetime is longer than permitted.
    TooLong {
        /// The lifetime in days.
        days: i64,
        /// The longest lifetime that the rule permits.
        max: LifetimeDays,
    },
}

impl LifetimeRule {
    /// Whether a key needs an expiration date.
    #[must_use]
    pub const fn requires_date(self) -> bool {
        self.expiration_required || self.max_days.is_some()
    }

    /// The latest date that the rule permits for a secret that is issued on `today` (UTC); `None` if every date is permitted.
    #[must_use]
    pub fn latest(self, today: NaiveDate) -> Option<ExpirationDate> {
        self.max_days.map(|days| days.after(today))
    }

    /// The way in which a key with this date breaks the rule, if its secret was issued on `issued_on` (UTC).
    #[must_use]
    pub fn broken_by(
        self,
        expires_on: Option<ExpirationDate>,
        issued_on: NaiveDate,
    ) -> Option<BrokenLifetime> {
        let Some(date) = expires_on else {
            return self.requires_date().then_some(BrokenLifetime::NeverExpires);
        };
        let max = self.max_days?;
        let days = date.date().signed_duration_since(issued_on).num_days();
        (date > max.after(issued_on)).then_some(BrokenLifetime::TooLong { days, max })
    }

    /// Checks the date of a secret that is issued on `today` (UTC).
    ///
    /// # Errors
    /// The error of the field.
    pub fn check(
        self,
        expires_on: Option<ExpirationDate>,
        today: NaiveDate,
    ) -> Result<(), FieldError> {
        let message = match self.broken_by(expires_on, today) {
            None => return Ok(()),
            Some(BrokenLifetime::NeverExpires) => "An expiration date is required".to_owned(),
            Some(BrokenLifetime::TooLong { max, .. }) => {
                format!("Must be at most {max} from today")
            }
        };
        Err(FieldError::new(FIELD, message))
    }

    /// The latest permitted date that is not later than `current`. Without a longest lifetime, a key that never expires gets
    /// [`LifetimeDays::MAX`] if a date is required.
    #[must_use]
    pub fn latest_up_to(
        self,
        current: Option<ExpirationDate>,
        today: NaiveDate,
    ) -> Option<ExpirationDate> {
        let required = self
            .expiration_required
            .then(|| LifetimeDays::MAX.after(today));
        match (current, self.latest(today)) {
            (Some(current), Some(latest)) => Some(Ord::min(current, latest)),
            (Some(current), None) => Some(current),
            (None, latest) => latest.or(required),
        }
    }
}

impl BrokenLifetime {
    /// The reason as a sentence about an existing key. `is_rotated` determines what the lifetime is counted from.
    #[must_use]
    pub fn sentence(self, is_rotated: bool) -> String {
        match self {
            Self::NeverExpires => {
                "Never expires, the policy requires an expiration date. The key works.".to_owned()
            }
            Self::TooLong { days, max } => {
                let start = if is_rotated { "rotation" } else { "creation" };
                let max = max.get();
                format!("{days} days from {start}, the policy allows {max}. The key works.")
            }
        }
    }
}
