//! Authorization groups: named sets of permissions. A key has exactly one.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

use crate::{
    id::{GroupId, KeyRef},
    permission::PermissionSet,
};

/// The type of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GroupType {
    /// For keys: the only type that is offered and accepted for them.
    TenantApiKey,
    /// For people. Stored, but never offered for keys.
    User,
}

impl GroupType {
    /// The word that is stored, and used in commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenantApiKey => "tenant_api_key",
            Self::User => "user",
        }
    }
}

impl FromStr for GroupType {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, &'static str> {
        [Self::TenantApiKey, Self::User]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or("Must be tenant_api_key or user")
    }
}

/// An authorization group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthorizationGroup {
    /// The identifier.
    pub id: GroupId,
    /// The name, unique in its tenant.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: GroupType,
    /// The permissions of its keys.
    pub permissions: PermissionSet,
    /// Counts the group's changes.
    #[serde(skip)]
    pub version: i64,
}

/// The group of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupRef {
    /// The identifier.
    pub id: GroupId,
    /// The name.
    pub name: String,
}

/// The number of keys with a group, without revoked keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupKeys {
    /// Keys that are not revoked.
    pub active: u64,
    /// The number of those that were used in the last 7 days.
    pub used_lately: u64,
}

/// The keys that a change of a group affects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupEffect {
    /// The number of keys.
    pub keys: GroupKeys,
    /// The first ten by name.
    pub named: Vec<KeyRef>,
}

impl GroupEffect {
    /// A sentence for the user, such as "14 keys have this group; 9 of them were used in the last 7 days."
    #[must_use]
    pub fn sentence(&self) -> String {
        match (self.keys.active, self.keys.used_lately) {
            (0, _) => "No key has this group.".to_owned(),
            (1, 0) => "1 key has this group; it was not used in the last 7 days.".to_owned(),
            (1, _) => "1 key has this group; it was used in the last 7 days.".to_owned(),
            (keys, 1) => {
                format!("{keys} keys have this group; 1 of them was used in the last 7 days.")
            }
            (keys, used) => {
                format!("{keys} keys have this group; {used} of them were used in the last 7 days.")
            }
        }
    }
}
