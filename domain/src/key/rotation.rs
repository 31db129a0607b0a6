//! The effect of a rotation on a key's expiration date.

use chrono::NaiveDate;

use super::{expiry::ExpirationDate, lifetime::LifetimeRule};
use crate::FieldError;

/// The name of the date field in the JSON API.
const FIELD: &str = "expires_on";

/// The expiration date that a rotation requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotatedExpiry {
    /// The current date, even if it is past.
    Keep,
    /// This date, or never.
    Set(Option<ExpirationDate>),
    /// The latest date that the tenant's rule permits, never later than the current one.
    Latest,
}

impl RotatedExpiry {
    /// Parses the field of the dialog: empty means never. [`plan`] decides whether the date is accepted.
    ///
    /// # Errors
    /// The field's error if the text is not a date.
    pub fn from_field(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::Set(None));
        }
        text.parse()
            .map(|date| Self::Set(Some(date)))
            .map_err(|error| field_error(&error))
    }
}

/// The expiration date after the rotation. The current date is accepted even if it is past; any other must be after `today` (UTC). The
/// tenant's rule must permit either.
///
/// # Errors
/// The field's error.
pub fn plan(
    current: Option<ExpirationDate>,
    wanted: RotatedExpiry,
    rule: LifetimeRule,
    today: NaiveDate,
) -> Result<Option<ExpirationDate>, FieldError> {
    let date = match wanted {
        RotatedExpiry::Keep => current,
        RotatedExpiry::Set(wanted) if wanted == current => current,
        RotatedExpiry::Set(wanted) => wanted
            .map(|date| date.in_future(today))
            .transpose()
            .map_err(|error| field_error(&error))?,
        RotatedExpiry::Latest => return Ok(rule.latest_up_to(current, today)),
    };
    rule.check(date, today)?;
    Ok(date)
}

fn field_error(error: &impl ToString) -> FieldError {
    FieldError::new(FIELD, error.to_string())
}
