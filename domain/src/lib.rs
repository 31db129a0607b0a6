//! API keys: their rules, their store, and their verification. Independent of HTTP and of the pages.
//!
//! | topic | module |
//! | --- | --- |
//! | the fields and status of a key | [`key`] |
//! | the rules for names, dates and allowlist lines | [`key::name`], [`key::expiry`], [`key::allowlist`] |
//! | the format of a secret | [`key::format`] |
//! | the expiration date after a rotation | [`key::rotation`] |
//! | the tenant's security policy | [`security_policy`], [`key::lifetime`] |
//! | the verdict on a request | [`key::verdict`] |
//! | the client address of a request | [`client_address`] |
//! | actors and audit events | [`actor`], [`audit`] |
//! | storage (feature `store`) | [`store`] |
//! | verification of each request (feature `store`) | [`verify`] |
//! | limits on the concurrent work of one tenant (feature `store`) | [`fair_share`] |
//! | browser and system of a `User-Agent` (feature `store`) | [`user_agent`] |
//! | limits on the log lines that a client can cause (feature `store`) | [`log_limit`] |
//!
//! Without that feature, the same code runs in the browser and on the server.

pub mod actor;
pub mod audit;
pub mod client_address;
pub mod error;
pub mod group;
pub mod id;
pub mod key;
pub mod network;
pub mod page;
pub mod permission;
pub mod propagation;
pub mod security_policy;
pub mod session;
pub mod tenant;
pub mod text;
pub mod user;
pub mod user_rule;

#[cfg(feature = "store")]
pub mod fair_share;
#[cfg(feature = "store")]
pub mod log_limit;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "store")]
mod usage;
#[cfg(feature = "store")]
pub mod user_agent;
#[cfg(feature = "store")]
pub mod verify;

#[cfg(all(test, feature = "store"))]
mod pause;

pub use error::{Error, FieldError};

// The test support shared with the integration tests imports from `domain::`.
#[cfg(test)]
extern crate self as domain;
