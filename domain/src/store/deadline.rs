//! The time limit of database work.

use std::time::Duration;

use crate::Error;

/// Longest wait for the database. A database that takes longer counts as down.
pub(crate) const DATABASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Waits for `work` for at most [`DATABASE_TIMEOUT`].
///
/// # Errors
/// The error of `work`; [`Error::Unavailable`] if it takes longer.
pub(crate) async fn with_timeout<T, E: Into<Error>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    match tokio::time::timeout(DATABASE_TIMEOUT, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(elapsed) => Err(Error::Unavailable(Box::new(elapsed))),
    }
}
