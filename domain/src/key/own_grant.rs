//! What one key may do to another: it can hand out no more than it has. The one place that says so.

use super::{allowlist::Allowlist, expiry::ExpirationDate};
use crate::{Error, id::KeyId, permission::PermissionSet};

/// What a key can do, from where, and until when: what somebody who holds its secret has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// What its group allows.
    pub permissions: PermissionSet,
    /// The last day on which it works; `None` for ever.
    pub expires_on: Option<ExpirationDate>,
    /// From where it works.
    pub allowlist: Allowlist,
}

impl Reach {
    /// Whether whoever holds this could do nothing less than with `other`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let lasts = match (self.expires_on, other.expires_on) {
            (None, _) => true,
            (Some(own), Some(other)) => other <= own,
            (Some(_), None) => false,
        };
        lasts
            && other.permissions.is_subset(&self.permissions)
            && self.allowlist.covers(&other.allowlist)
    }
}

/// A key that makes or changes keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnGrant {
    /// The key that acts.
    pub id: KeyId,
    /// What it can do itself.
    pub reach: Reach,
}

impl OwnGrant {
    /// Whether it may make a key that reaches so far.
    ///
    /// # Errors
    /// [`Error::ExceedsOwnGrant`].
    pub fn check_new(&self, reach: &Reach) -> Result<(), Error> {
        if self.reach.covers(reach) {
            Ok(())
        } else {
            Err(Error::ExceedsOwnGrant)
        }
    }

    /// Whether it may change the key `id`, or give it another secret. How far that key reaches counts before the change as well as
    /// after it: who may rotate a key holds it afterwards.
    ///
    /// # Errors
    /// [`Error::ExceedsOwnGrant`], for itself always.
    pub fn check_changed(&self, id: KeyId, before: &Reach, after: &Reach) -> Result<(), Error> {
        if id == self.id {
            return Err(Error::ExceedsOwnGrant);
        }
        self.check_new(before)?;
        self.check_new(after)
    }
}
