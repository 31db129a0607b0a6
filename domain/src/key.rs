//! API keys. Only [`IssuedKey`] contains a secret.

pub mod allowlist;
pub mod expiry;
pub mod form;
pub mod format;
pub mod lifetime;
pub mod name;
pub mod own_grant;
pub mod preview;
pub mod query;
pub mod reason;
pub mod rotation;
pub mod simulation;
pub mod usage;
pub mod verdict;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    actor::ActorRef,
    group::GroupRef,
    id::{GroupId, KeyId},
};
use allowlist::Allowlist;
use expiry::{ExpirationDate, ExpirationState};
use format::Secret;
use name::{KeyDescription, KeyName};
use reason::RevocationReason;

pub use rotation::RotatedExpiry;

/// Whether a key is revoked, which is permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// Not revoked.
    Active,
    /// Revoked.
    Revoked,
}

impl KeyStatus {
    /// The word in the JSON API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
        }
    }

    /// Parses the word of the JSON API.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Revoked]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// A key at a given time, as the JSON API returns it and pages and commands show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// The identifier. Rotation keeps it.
    pub id: KeyId,
    /// The name; need not be unique.
    pub name: KeyName,
    /// The description.
    pub description: KeyDescription,
    /// The displayable part of the secret: prefix and last four characters.
    pub hint: String,
    /// The status.
    pub status: KeyStatus,
    /// The expiration state on the day of the request.
    pub expiration: ExpirationState,
    /// The last day (UTC) on which it works; `null` if it never expires.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub expires_on: Option<ExpirationDate>,
    /// The group whose permissions it has.
    pub authorization_group: GroupRef,
    /// The addresses from which it works; empty for any.
    pub ip_allowlist: Allowlist,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The actor that made it.
    pub created_by: ActorRef,
    /// The time of the last change by an administrator.
    pub updated_at: DateTime<Utc>,
    /// The time of the last rotation.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub rotated_at: Option<DateTime<Utc>>,
    /// The time of its revocation.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub revoked_at: Option<DateTime<Utc>>,
    /// The actor that revoked it; `null` also for a key that an earlier version revoked without an audit event.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub revoked_by: Option<ActorRef>,
    /// The reason of the revocation, if one was given.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub revoked_reason: Option<RevocationReason>,
    /// The time of the last accepted request; recorded within 5 seconds.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub last_used_at: Option<DateTime<Utc>>,
    /// The client address of that request.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub last_used_ip: Option<String>,
    /// Whether the key is not revoked and its expiration date breaks the tenant's security policy.
    pub outside_policy: bool,
    /// The number of changes by administrators, starting at 1, for optimistic locking. The `ETag` of the JSON API.
    #[serde(skip)]
    pub version: i64,
}

/// The input of a key's creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The name.
    pub name: KeyName,
    /// The description.
    pub description: KeyDescription,
    /// A group of the tenant, of type `tenant_api_key`.
    pub group_id: GroupId,
    /// The last day (UTC) on which it works; `None` if it never expires.
    pub expires_on: Option<ExpirationDate>,
    /// The addresses from which it works; empty for any.
    pub allowlist: Allowlist,
}

/// The input of an edit. `None` leaves a field unchanged. Only rotation changes the expiration date and the secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChanges {
    /// The name.
    pub name: Option<KeyName>,
    /// The description.
    pub description: Option<KeyDescription>,
    /// A group of the tenant, of type `tenant_api_key`.
    pub group_id: Option<GroupId>,
    /// The addresses from which it works.
    pub allowlist: Option<Allowlist>,
}

impl ApiKey {
    /// The day, UTC, from which the lifetime of its secret is counted.
    #[must_use]
    pub fn issued_on(&self) -> NaiveDate {
        today(self.rotated_at.unwrap_or(self.created_at))
    }
}

impl KeyChanges {
    /// Whether the edit would leave `key` unchanged.
    #[must_use]
    pub fn are_in(&self, key: &ApiKey) -> bool {
        self.name.as_ref().is_none_or(|name| *name == key.name)
            && (self.description.as_ref()).is_none_or(|description| *description == key.description)
            && (self.group_id).is_none_or(|group_id| group_id == key.authorization_group.id)
            && (self.allowlist.as_ref()).is_none_or(|allowlist| *allowlist == key.ip_allowlist)
    }
}

/// A key with its secret: the result of a creation or rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssuedKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// The secret, now and never again.
    pub secret: Secret,
}

/// Keys that were revoked in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedKeys {
    /// Each of the keys once, in the order of the request, as they are now.
    pub items: Vec<ApiKey>,
}

/// The date of `now` in UTC, for every rule about dates.
#[must_use]
pub fn today(now: DateTime<Utc>) -> NaiveDate {
    now.date_naive()
}
