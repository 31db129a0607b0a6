//! The JSON API under `/api/v1`: one file a resource. It reads no cookie and sends no CORS header.

pub(crate) mod api_keys;
pub(crate) mod audit_events;
pub(crate) mod authorization_groups;
pub(crate) mod docs;
pub(crate) mod document;
mod entity_tag;
pub(crate) mod error;
pub(crate) mod forward_auth;
mod group_body;
mod input;
mod json;
mod key_body;
pub(crate) mod key_revocation;
pub(crate) mod key_simulation;
pub(crate) mod key_usage;
mod path_id;
pub(crate) mod query;
pub(crate) mod security_policy;
pub(crate) mod verify;
pub(crate) mod whoami;

/// The path prefix of the API.
pub(crate) const PREFIX: &str = "/api/v1";

/// Whether `path` is below the prefix, whether or not a route exists.
pub(crate) fn is_api(path: &str) -> bool {
    path.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
