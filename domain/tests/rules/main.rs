//! Tests of the rules that browser and server share, by example and by property. They need no database.

mod allowlist;
mod client_address;
mod expiry;
mod form;
mod lifetime;
mod names;
mod own_grant;
mod permission;
mod revocation_reason;
mod rotation;
mod search;
mod secret;
mod security_policy;
mod verdict;
