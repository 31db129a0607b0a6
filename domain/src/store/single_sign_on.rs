//! Single sign-on: which person of the provider is which user.
//!
//! | question | file |
//! | --- | --- |
//! | Which browser began a sign-in, and was it ended before? | `state.rs` |
//! | Which user is the person, and with which role? | `person.rs` |
//! | Why is a sign-in refused? | `refusal.rs` |
//! | How does an operator link a person to a user? | `link.rs` |
//!
//! The requests to the provider and the check of its tokens are in the server.

mod link;
mod person;
mod refusal;
mod state;

pub use person::{SsoBrowser, SsoOutcome, SsoPerson, SsoRules};
pub use refusal::{SsoRefusal, StateFault};
pub use state::{Begin, Begun, Redeemed};

use super::connection::Database;

/// Single sign-on.
pub struct SingleSignOn<'a> {
    database: &'a Database,
}

impl<'a> SingleSignOn<'a> {
    pub(crate) const fn new(database: &'a Database) -> Self {
        Self { database }
    }
}
