//! Sessions of signed-in people.

use chrono::TimeDelta;
use std::fmt;

/// A session ends after this time without a request.
pub const IDLE_TIMEOUT: TimeDelta = TimeDelta::hours(8);
/// A session ends this long after sign-in, even if it is in use.
pub const ABSOLUTE_TIMEOUT: TimeDelta = TimeDelta::days(7);

/// The proof of identity with which a session was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// A password alone.
    Password,
    /// A password and a second factor.
    SecondFactor,
    /// Single sign-on, which counts as the second factor.
    SingleSignOn,
}

impl Authentication {
    /// The word that is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::SecondFactor => "second_factor",
            Self::SingleSignOn => "single_sign_on",
        }
    }

    /// Parses the stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Password, Self::SecondFactor, Self::SingleSignOn]
            .into_iter()
            .find(|proof| proof.as_str() == word)
    }

    /// Whether it includes a second factor.
    #[must_use]
    pub const fn has_second_factor(self) -> bool {
        matches!(self, Self::SecondFactor | Self::SingleSignOn)
    }
}

/// The identifier of a session for its own user: the digest of its token, in hexadecimal. It does not authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionId(String);

impl SessionId {
    /// The identifier of the session with this token digest.
    #[must_use]
    pub fn of_digest(digest: &[u8]) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(digest.len() * 2);
        for byte in digest {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// Parses the form of [`Self::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // A digest has the length of a token.
        SessionToken::parse(text).map(|token| Self(token.0))
    }

    /// 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digest.
    #[cfg(feature = "store")]
    pub(crate) fn digest(&self) -> Vec<u8> {
        let pairs = self.0.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        pairs.filter_map(byte).collect()
    }
}

/// A session token: 256 random bits as 64 hexadecimal digits. Only the cookie contains it; the database stores its SHA-256.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(String);

impl SessionToken {
    /// Parses the value of the cookie.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let good = text.len() == 64
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        good.then(|| Self(text.to_owned()))
    }

    /// Creates a token from random bytes.
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
