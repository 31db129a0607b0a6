//! Permissions: `resource:action`, free-form, so that a tenant's own services can use them too.

use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// One permission, e.g. `orders:read`: two parts of `[a-z0-9-]+`, at most 64 characters in all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = String, max_length = 64, pattern = "^[a-z0-9-]+:[a-z0-9-]+$", example = "orders:read")
)]
#[serde(try_from = "String", into = "String")]
pub struct Permission(
    // An `Arc`, because each request that requires a permission holds a clone.
    Arc<str>,
);

/// The text is not a permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a permission: write resource:action with a–z, 0–9 and -, at most 64 characters"
)]
pub struct InvalidPermission(String);

impl Permission {
    /// The longest permission, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Permission {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, InvalidPermission> {
        let is_part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        match text.split_once(':') {
            Some((resource, action))
                if text.len() <= Self::MAX_LENGTH && is_part(resource) && is_part(action) =>
            {
                Ok(Self(text.into()))
            }
            _ => Err(InvalidPermission(text.chars().take(100).collect())),
        }
    }
}

impl TryFrom<String> for Permission {
    type Error = InvalidPermission;

    fn try_from(text: String) -> Result<Self, InvalidPermission> {
        text.parse()
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> Self {
        permission.0.as_ref().to_owned()
    }
}

impl Borrow<str> for Permission {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The permissions of an authorization group: at most 64, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = Vec<Permission>, max_items = 64)
)]
#[serde(try_from = "Vec<Permission>", into = "Vec<Permission>")]
pub struct PermissionSet(Box<[Permission]>);

/// Too many permissions for a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Must be at most 64 permissions")]
pub struct TooManyPermissions;

impl PermissionSet {
    /// The largest number of permissions of a group.
    pub const MAX: usize = 64;

    /// Collects permissions; duplicates collapse.
    ///
    /// # Errors
    /// [`TooManyPermissions`] if more than [`Self::MAX`] remain.
    pub fn new(
        permissions: impl IntoIterator<Item = Permission>,
    ) -> Result<Self, TooManyPermissions> {
        let mut permissions: Vec<_> = permissions.into_iter().collect();
        permissions.sort_unstable();
        permissions.dedup();
        if permissions.len() > Self::MAX {
            return Err(TooManyPermissions);
        }
        Ok(Self(permissions.into_boxed_slice()))
    }

    /// Whether it contains exactly `permission`: there are no wildcards.
    #[must_use]
    pub fn contains(&self, permission: &Permission) -> bool {
        self.0.binary_search(permission).is_ok()
    }

    /// Whether `other` contains all of these permissions.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|permission| other.contains(permission))
    }

    /// The permissions in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &Permission> {
        self.0.iter()
    }
}

impl TryFrom<Vec<Permission>> for PermissionSet {
    type Error = TooManyPermissions;

    fn try_from(permissions: Vec<Permission>) -> Result<Self, TooManyPermissions> {
        Self::new(permissions)
    }
}

impl From<PermissionSet> for Vec<Permission> {
    fn from(set: PermissionSet) -> Self {
        set.0.into_vec()
    }
}
