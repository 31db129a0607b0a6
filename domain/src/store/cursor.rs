//! Cursors of lists: a position as JSON with a checksum, URL-safe.
//!
//! A cursor grants nothing: its query is bound to the tenant, whatever it contains. The checksum makes a truncated or mistyped cursor an
//! error instead of a wrong position.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Datelike;
use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

/// Longest cursor in bytes: a name has at most 800 bytes.
const MAX_LENGTH: usize = 2_048;
const CHECKSUM_LENGTH: usize = 4;

/// Encodes `content`.
pub(crate) fn write(content: &impl Serialize) -> Result<String, Error> {
    let mut bytes =
        serde_json::to_vec(content).map_err(|error| Error::Internal(Box::new(error)))?;
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Decodes `cursor`.
///
/// # Errors
/// [`Error::InvalidCursor`], also for one of another list.
pub(crate) fn read<Content: DeserializeOwned>(cursor: &str) -> Result<Content, Error> {
    parse(cursor).ok_or(Error::InvalidCursor)
}

/// Whether a stored time or date can be this one: both databases keep years of four digits, and PostgreSQL refuses some that are far off.
pub(crate) fn is_stored(date: &impl Datelike) -> bool {
    (0..=9_999).contains(&date.year())
}

fn parse<Content: DeserializeOwned>(cursor: &str) -> Option<Content> {
    if cursor.len() > MAX_LENGTH {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (json, checksum) = bytes.split_last_chunk::<CHECKSUM_LENGTH>()?;
    (crc32fast::hash(json).to_be_bytes() == *checksum)
        .then(|| serde_json::from_slice(json).ok())
        .flatten()
}
