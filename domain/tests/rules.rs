//! The rules that browser and server share, by examples and by properties. No database.

#[path = "rules/allowlist.rs"]
mod allowlist;
#[path = "rules/client_address.rs"]
mod client_address;
#[path = "rules/expiry.rs"]
mod expiry;
#[path = "rules/form.rs"]
mod form;
#[path = "rules/names.rs"]
mod names;
#[path = "rules/own_grant.rs"]
mod own_grant;
#[path = "rules/permission.rs"]
mod permission;
#[path = "rules/secret.rs"]
mod secret;
#[path = "rules/verdict.rs"]
mod verdict;
