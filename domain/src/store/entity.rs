//! The sea-orm entities: one module per table, with its columns and relations.
//!
//! Times are UTC, set by the application and truncated to microseconds, the precision of PostgreSQL. Networks and JSON are stored as text,
//! identically in both databases.

pub(crate) mod address_use;
pub(crate) mod api_key;
pub(crate) mod api_key_count;
pub(crate) mod archived_api_key;
pub(crate) mod audit_event;
pub(crate) mod audit_receipt;
pub(crate) mod authorization_group;
pub(crate) mod idempotent_request;
pub(crate) mod key_state_change;
pub(crate) mod known_address;
pub(crate) mod known_device;
pub(crate) mod one_time_link;
pub(crate) mod pending_sign_in;
pub(crate) mod recovery_code;
pub(crate) mod refusal;
pub(crate) mod refusal_address;
pub(crate) mod second_factor;
pub(crate) mod session;
pub(crate) mod sign_in_account;
pub(crate) mod sign_in_bucket;
pub(crate) mod sign_in_single_try;
pub(crate) mod sso_state;
pub(crate) mod tenant;
pub(crate) mod user;
pub(crate) mod user_identity;
