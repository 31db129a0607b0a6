//! The rules that browser and server share, by examples and by properties. No database.

mod allowlist;
mod client_address;
mod expiry;
mod form;
mod names;
mod own_grant;
mod permission;
mod secret;
mod verdict;
