//! What an API key is, and where it is kept. Knows no HTTP and no screen.
//!
//! | question | room |
//! | --- | --- |
//! | which fields has a key, what is its status? | [`key`] |
//! | what may a name, a date, an allowlist line be? | [`key::name`], [`key::expiry`], [`key::allowlist`] |
//! | what does a secret look like? | [`key::format`] |
//! | is this request let through? | [`key::verdict`] |
//! | which address does the request come from? | [`client_address`] |
//! | who did it, and what is written down? | [`actor`], [`audit`] |
//! | where is it kept? (feature `store`) | [`store`] |
//! | the check on every request (feature `store`) | [`verify`] |
//! | how much one tenant may run at once (feature `store`) | [`fair_share`] |
//!
//! Everything without that feature is the same code in the browser and on the server.

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
pub mod session;
pub mod tenant;
pub mod text;
pub mod user;

#[cfg(feature = "store")]
pub mod fair_share;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "store")]
mod usage;
#[cfg(feature = "store")]
pub mod verify;

#[cfg(all(test, feature = "store"))]
mod pause;

pub use error::{Error, FieldError};

// What the tests outside of the crate share with those inside says `domain::`.
#[cfg(test)]
extern crate self as domain;
