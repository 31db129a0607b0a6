//! Authorization groups: named sets of permissions. A key has exactly one.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

use crate::{id::GroupId, permission::PermissionSet};

/// Whom a group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GroupType {
    /// For keys: the only type that is offered and accepted for one.
    TenantApiKey,
    /// For people. Stored, and offered nowhere for keys.
    User,
}

impl GroupType {
    /// The word that is stored and typed.
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
    /// Its identifier.
    pub id: GroupId,
    /// Unique in its tenant.
    pub name: String,
    /// Whom it is for.
    #[serde(rename = "type")]
    pub kind: GroupType,
    /// What it allows.
    pub permissions: PermissionSet,
}

/// What a key shows of its group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupRef {
    /// Its identifier.
    pub id: GroupId,
    /// Its name.
    pub name: String,
}
