//! The format of a secret: `lk_` + 32 random base62 characters + 6 base62 digits of a checksum.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The digits in ascending order. Changing the order would invalidate the checksum of every issued secret.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Random characters: 32 × log2(62) = 190.5 bits.
const RANDOM_LENGTH: usize = 32;
/// 62^6 > 2^32: six digits hold every CRC-32.
const CHECKSUM_LENGTH: usize = 6;

/// The prefix of new secrets, before the underscore: `[a-z][a-z0-9_]{0,15}`.
///
/// An operator can brand it, and secret scanners can search for it. Secrets with an earlier prefix remain valid, because the whole secret
/// is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPrefix(String);

/// The text is not a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1–16 of a–z, 0–9 and _, beginning with a letter")]
pub struct InvalidKeyPrefix;

impl KeyPrefix {
    fn is_one(text: &str) -> bool {
        (1..=16).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    }

    /// The text, without the underscore that follows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for KeyPrefix {
    fn default() -> Self {
        Self("lk".to_owned())
    }
}

impl FromStr for KeyPrefix {
    type Err = InvalidKeyPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidKeyPrefix> {
        if Self::is_one(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKeyPrefix)
        }
    }
}

/// A secret, as an integration sends it in `X-API-Key`. Shown once: `Debug` redacts it, and it has no `Display`.
///
/// It can be serialised for the response that carries it. No stored type contains it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = String, description = "A secret: what an integration sends in `X-API-Key`. Shown once.")
)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Generates a secret from random bytes that `fill` writes.
    ///
    /// Bytes of 248 and more are discarded: 248 = 4 × 62, so each character has the same probability.
    ///
    /// # Errors
    /// The error of `fill`.
    pub fn generate<E>(
        prefix: &KeyPrefix,
        mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut token = String::with_capacity(prefix.0.len() + 1 + RANDOM_LENGTH + CHECKSUM_LENGTH);
        token.push_str(&prefix.0);
        token.push('_');
        let body = token.len();
        let mut bytes = [0_u8; 2 * RANDOM_LENGTH];
        while token.len() < body + RANDOM_LENGTH {
            fill(&mut bytes)?;
            let wanted = body + RANDOM_LENGTH - token.len();
            let digits = bytes.iter().filter(|byte| **byte < 248).take(wanted);
            token.extend(digits.map(|byte| char::from(BASE62[usize::from(byte % 62)])));
        }
        let checksum = checksum(&token);
        token.extend(checksum.map(char::from));
        Ok(Self(token))
    }

    /// Parses a presented secret. `None` if its format or checksum is wrong, so that a typing error costs no database query.
    #[must_use]
    pub fn parse(presented: &str) -> Option<Self> {
        Self::is_well_formed(presented).then(|| Self(presented.to_owned()))
    }

    /// Whether a presented text has the format of a secret and the right checksum. Does not allocate: it runs on every request.
    #[must_use]
    pub fn is_well_formed(presented: &str) -> bool {
        let Some((prefix, body)) = presented.rsplit_once('_') else {
            return false;
        };
        KeyPrefix::is_one(prefix)
            && body.len() == RANDOM_LENGTH + CHECKSUM_LENGTH
            && body.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && {
                let (covered, digits) = presented.split_at(presented.len() - CHECKSUM_LENGTH);
                checksum(covered) == digits.as_bytes()
            }
    }

    /// The secret as text. Review every use.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The hint for lists: the prefix and the last four characters, `lk_…9fQ2`.
    #[must_use]
    pub fn hint(&self) -> String {
        let prefix = self.0.rsplit_once('_').map_or("", |(prefix, _)| prefix);
        let last = &self.0[self.0.len().saturating_sub(4)..];
        format!("{prefix}_…{last}")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// CRC-32/ISO-HDLC of `text` as six base62 digits, most significant first, padded with `0`.
fn checksum(text: &str) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}
