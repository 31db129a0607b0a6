//! The propagation of a change to the replicas at the time when the call returned.

use serde::{Deserialize, Serialize};

/// Replicas that refuse the old state, counted before the change's response was sent. Those that did not confirm refuse it too: their
/// leases have expired, so they use nothing from their caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Receipt))]
pub struct Propagation {
    /// Replicas that serve.
    pub replicas: u32,
    /// Replicas that confirmed that they applied the change.
    pub refused_on: u32,
    /// Milliseconds from the commit to the last confirmation, or to the expiry of the remaining leases.
    pub after_ms: u64,
}

/// The result of a committed write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written<T> {
    /// The created or changed object, in its current state.
    #[serde(flatten)]
    pub value: T,
    /// `None` on SQLite, where a single server has the database.
    #[serde(rename = "receipt")]
    pub propagation: Option<Propagation>,
}

impl Propagation {
    /// A sentence for the user, such as "Refused on 3 of 3 replicas after 12 ms." `what` is its verb.
    #[must_use]
    pub fn sentence(self, what: &str) -> String {
        let Self {
            replicas,
            refused_on,
            after_ms,
        } = self;
        if replicas == 0 {
            return format!("{what} at once: no server runs on this database.");
        }
        let rest = if refused_on < replicas {
            "; the rest is cut off and trusts nothing in memory"
        } else {
            ""
        };
        format!("{what} on {refused_on} of {replicas} replicas after {after_ms} ms{rest}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_many_refuse_and_what_the_others_do() {
        let mut receipt = Propagation {
            replicas: 3,
            refused_on: 3,
            after_ms: 12,
        };
        assert_eq!(
            receipt.sentence("Refused"),
            "Refused on 3 of 3 replicas after 12 ms."
        );
        let alone = Propagation {
            replicas: 0,
            refused_on: 0,
            after_ms: 1,
        };
        assert_eq!(
            alone.sentence("Refused"),
            "Refused at once: no server runs on this database."
        );
        receipt.refused_on = 2;
        assert_eq!(
            receipt.sentence("Refused"),
            "Refused on 2 of 3 replicas after 12 ms; the rest is cut off and trusts nothing in memory."
        );
    }
}
