//! The own grant of a key: a key cannot grant another key more than it has.

use super::{allowlist::Allowlist, expiry::ExpirationDate};
use crate::{Error, id::KeyId, permission::PermissionSet};

/// The access that a key's secret gives: permissions, expiry and addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The permissions of its group.
    pub permissions: PermissionSet,
    /// The last day on which it works; `None` if it never expires.
    pub expires_on: Option<ExpirationDate>,
    /// The addresses from which it works.
    pub allowlist: Allowlist,
}

impl Reach {
    /// Whether this includes everything that `other` gives access to.
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

/// The own grant of a key that creates or changes keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnGrant {
    /// The acting key.
    pub id: KeyId,
    /// The access of its own secret.
    pub reach: Reach,
}

impl OwnGrant {
    /// Checks that the acting key may create a key with this access.
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

    /// Checks that the acting key may edit or rotate the key `id`. The access of that key must be within the own grant both before and
    /// after the change, because the actor of a rotation receives the new secret.
    ///
    /// # Errors
    /// [`Error::ExceedsOwnGrant`], also if it is the acting key itself.
    pub fn check_changed(&self, id: KeyId, before: &Reach, after: &Reach) -> Result<(), Error> {
        if id == self.id {
            return Err(Error::ExceedsOwnGrant);
        }
        self.check_new(before)?;
        self.check_new(after)
    }
}
