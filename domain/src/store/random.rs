//! Random bytes from the operating system, and digests of stored tokens.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{Error, session::SessionToken};

/// Fills `bytes` from the operating system's random source.
///
/// # Errors
/// [`Error::Internal`] if there is none.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| Error::Internal(Box::new(error)))
}

/// A new token of 256 bits.
///
/// # Errors
/// [`Error::Internal`] if there is no random source.
pub(crate) fn token() -> Result<SessionToken, Error> {
    let mut bytes = [0; 32];
    fill(&mut bytes)?;
    Ok(SessionToken::from_bytes(bytes))
}

/// A version 7 UUID for a new row.
pub(crate) fn identifier<T: From<Uuid>>() -> T {
    T::from(Uuid::now_v7())
}

/// The output of [`sha256`].
pub(crate) type Digest = [u8; 32];

/// SHA-256. Secrets, session tokens and device tokens are stored and looked up by it.
pub(crate) fn sha256(token: &str) -> Digest {
    Sha256::digest(token.as_bytes()).into()
}

/// [`sha256`] as the value of a column.
pub(crate) fn digest(token: &str) -> Vec<u8> {
    sha256(token).to_vec()
}
