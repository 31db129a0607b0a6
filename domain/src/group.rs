//! Authorization groups: named sets of permissions. A key has exactly one.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

use crate::{id::GroupId, permission::PermissionSet};

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
    /// The word that is stored, and typed in commands.
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
