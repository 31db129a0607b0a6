//! Random bytes of the operating system, and the digest under which tokens are kept.

use sha2::{Digest as _, Sha256};
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

/// What [`sha256`] makes.
pub(crate) type Digest = [u8; 32];

/// SHA-256: how secrets, session tokens and device tokens are kept and found.
pub(crate) fn sha256(token: &str) -> Digest {
    Sha256::digest(token.as_bytes()).into()
}

/// [`sha256`], as a column has it.
pub(crate) fn digest(token: &str) -> Vec<u8> {
    sha256(token).to_vec()
}
