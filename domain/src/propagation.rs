//! Who refuses the old state when a change is answered, where several replicas serve.

use serde::{Deserialize, Serialize};

/// What the replicas said of a change before it was answered. The old state is refused on all of them: by those that are not among
/// `refused_on` because they use nothing that they have in memory any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Receipt))]
pub struct Propagation {
    /// How many replicas serve.
    pub replicas: u32,
    /// How many of them said that they have applied the change.
    pub refused_on: u32,
    /// Milliseconds from the commit until then.
    pub after_ms: u64,
}

impl Propagation {
    /// In words, such as "Refused on 3 of 3 replicas after 12 ms." `what` is what they do with the old state.
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
