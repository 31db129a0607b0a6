//! The JSON API under `/api/v1`: one file a resource. It reads no cookie and sends no CORS header.

pub(crate) mod api_keys;
pub(crate) mod error;
mod query;
pub(crate) mod whoami;

/// What every path of the API begins with.
pub(crate) const PREFIX: &str = "/api/v1";

/// Whether `path` is the API's, also where it has no such route.
pub(crate) fn is_api(path: &str) -> bool {
    path.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
