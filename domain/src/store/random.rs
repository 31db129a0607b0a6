//! Random bytes of the operating system, and the digest under which tokens are kept.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Error;

/// Fills `bytes` from the operating system's random source.
///
/// # Errors
/// [`Error::Internal`] where there is none.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| Error::Internal(Box::new(error)))
}

/// An identifier for a new row.
pub(crate) fn identifier<T: From<Uuid>>() -> T {
    T::from(Uuid::now_v7())
}

/// SHA-256: how secrets, session tokens and device tokens are kept and found.
pub(crate) fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
