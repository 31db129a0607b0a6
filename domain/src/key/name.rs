//! Names and descriptions of keys.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

use crate::text;

/// A key's name: 2–200 Unicode scalar values after trimming and NFC, at least 2 of them visible, on one plain line. Need not be unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, min_length = 2, max_length = 200))]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

/// The reason for which a name or description is invalid; the page shows its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// The name is too short or too long.
    #[error("Must be 2–200 characters")]
    NameLength,
    /// The name has too few visible characters.
    #[error("Must have at least 2 visible characters")]
    Invisible,
    /// The description is too long.
    #[error("Must be at most 1,000 characters")]
    DescriptionLength,
    /// A control or bidirectional control character.
    #[error("{}", text::NOT_A_PLAIN_LINE)]
    Character,
}

impl KeyName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = InvalidText;

    /// Normalises and checks typed text.
    fn from_str(input: &str) -> Result<Self, InvalidText> {
        let name = Self::try_from(input.to_owned())?;
        if text::visible_length(&name.0) < 2 {
            return Err(InvalidText::Invisible);
        }
        Ok(name)
    }
}

impl TryFrom<String> for KeyName {
    type Error = InvalidText;

    /// Accepts a stored name. Earlier versions accepted invisible names; their keys still work.
    fn try_from(stored: String) -> Result<Self, InvalidText> {
        let name = text::normalise(&stored);
        if !(2..=200).contains(&text::length(&name)) {
            return Err(InvalidText::NameLength);
        }
        if !text::is_plain_line(&name) {
            return Err(InvalidText::Character);
        }
        Ok(Self(name))
    }
}

impl TryFrom<String> for KeyDescription {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        text.parse()
    }
}

/// A key's description: at most 1,000 Unicode scalar values after trimming and NFC; may be empty and have several lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, max_length = 1000))]
#[serde(try_from = "String", into = "String")]
pub struct KeyDescription(String);

impl KeyDescription {
    /// The longest description, in Unicode scalar values.
    pub const MAX_LENGTH: usize = 1_000;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The length of `input` for the live counter.
    #[must_use]
    pub fn length_of(input: &str) -> usize {
        text::length(&normalise_lines(input))
    }
}

impl FromStr for KeyDescription {
    type Err = InvalidText;

    fn from_str(input: &str) -> Result<Self, InvalidText> {
        let description = normalise_lines(input);
        if text::length(&description) > Self::MAX_LENGTH {
            return Err(InvalidText::DescriptionLength);
        }
        let refused = |character: char| {
            (text::is_control(character) && !matches!(character, '\n' | '\t'))
                || text::is_bidirectional_override(character)
        };
        if description.contains(refused) {
            return Err(InvalidText::Character);
        }
        Ok(Self(description))
    }
}

/// Replaces CR LF, which forms send, by LF, which scripts count, so that browser and server compute the same length.
fn normalise_lines(input: &str) -> String {
    text::normalise(&input.replace("\r\n", "\n"))
}

macro_rules! text_conversions {
    ($name:ident) => {
        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

text_conversions!(KeyName);
text_conversions!(KeyDescription);
