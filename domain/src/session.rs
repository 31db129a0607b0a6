//! Sessions of people in the page.

use chrono::TimeDelta;
use std::fmt;

/// A session ends when nothing was asked for so long.
pub const IDLE_TIMEOUT: TimeDelta = TimeDelta::hours(8);
/// A session ends so long after sign-in, whatever was asked meanwhile.
pub const ABSOLUTE_TIMEOUT: TimeDelta = TimeDelta::days(7);

/// A session's token: 256 random bits as 64 hexadecimal digits. Stands in the cookie alone; the database keeps its SHA-256.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(String);

impl SessionToken {
    /// Reads a cookie's value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let good = text.len() == 64
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        good.then(|| Self(text.to_owned()))
    }

    /// Makes a token of random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The token itself, for the cookie.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionToken(…)")
    }
}
