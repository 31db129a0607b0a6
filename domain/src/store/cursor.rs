//! Encoding of list cursors: a position as JSON with a checksum, safe for URLs.
//!
//! A cursor grants no access: each query is restricted to its tenant, whatever the cursor contains. The checksum makes a truncated or
//! mistyped cursor an error instead of a wrong position.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Datelike;
use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

/// Maximum length of a cursor in bytes; a name has at most 800 bytes.
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
/// [`Error::InvalidCursor`], also for a cursor of another list.
pub(crate) fn read<Content: DeserializeOwned>(cursor: &str) -> Result<Content, Error> {
    parse(cursor).ok_or(Error::InvalidCursor)
}

/// Whether a stored time or date can have this year: both databases store years of four digits, and PostgreSQL rejects some distant ones.
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
