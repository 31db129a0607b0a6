//! The reason of a revocation.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

use crate::text;

/// The reason of a revocation: 1–200 Unicode scalar values after trimming and NFC, on one plain line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, min_length = 1, max_length = 200))]
#[serde(try_from = "String", into = "String")]
pub struct RevocationReason(String);

/// The reason for which a text is refused; the page shows its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReason {
    /// The text is empty. [`RevocationReason::optional`] accepts it as no reason.
    #[error("Must be at least 1 character")]
    Empty,
    /// The text is too long.
    #[error("Must be at most 200 characters")]
    Length,
    /// The text contains a line break, or a control or bidirectional control character.
    #[error("{}", text::NOT_A_PLAIN_LINE)]
    Character,
}

impl RevocationReason {
    /// The longest reason, in Unicode scalar values.
    pub const MAX_LENGTH: usize = 200;

    /// The reason as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses an optional field of a form or a body: a blank text is `None`.
    ///
    /// # Errors
    /// [`InvalidReason::Length`], [`InvalidReason::Character`].
    pub fn optional(input: &str) -> Result<Option<Self>, InvalidReason> {
        match input.parse() {
            Ok(reason) => Ok(Some(reason)),
            Err(InvalidReason::Empty) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl FromStr for RevocationReason {
    type Err = InvalidReason;

    fn from_str(input: &str) -> Result<Self, InvalidReason> {
        let reason = text::normalise(input);
        if reason.is_empty() {
            return Err(InvalidReason::Empty);
        }
        if text::length(&reason) > Self::MAX_LENGTH {
            return Err(InvalidReason::Length);
        }
        if !text::is_plain_line(&reason) {
            return Err(InvalidReason::Character);
        }
        Ok(Self(reason))
    }
}

impl TryFrom<String> for RevocationReason {
    type Error = InvalidReason;

    fn try_from(text: String) -> Result<Self, InvalidReason> {
        text.parse()
    }
}

impl From<RevocationReason> for String {
    fn from(reason: RevocationReason) -> Self {
        reason.0
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
