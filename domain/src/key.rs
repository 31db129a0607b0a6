//! API keys: what one is made of. No type in here that is kept or listed has the secret in it.

pub mod allowlist;
pub mod expiry;
pub mod form;
pub mod format;
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

/// Whether a key was revoked. Revoked is for ever.
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
    /// The word of the JSON API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
        }
    }

    /// The status that `word` names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Revoked]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// A key as it is on a given day, in the very shape of the JSON API. Pages and the command line show the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// Stays when the secret is rotated.
    pub id: KeyId,
    /// What people call it.
    pub name: KeyName,
    /// What it is for.
    pub description: KeyDescription,
    /// What can be shown of the secret.
    pub hint: String,
    /// Revoked or not.
    pub status: KeyStatus,
    /// Where it stands with its expiration date, on the day of the reading.
    pub expiration: ExpirationState,
    /// The last day on which it works.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub expires_on: Option<ExpirationDate>,
    /// What it may do.
    pub authorization_group: GroupRef,
    /// From where it works.
    pub ip_allowlist: Allowlist,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// By whom.
    pub created_by: ActorRef,
    /// When an administrator last changed anything of it.
    pub updated_at: DateTime<Utc>,
    /// When it last got a new secret.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub rotated_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub revoked_at: Option<DateTime<Utc>>,
    /// By whom it was revoked; `null` also for a key that an earlier version revoked without an audit event.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub revoked_by: Option<ActorRef>,
    /// Why it was revoked, if a reason was given.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub revoked_reason: Option<RevocationReason>,
    /// When a request with it was last accepted; up to 5 seconds late.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub last_used_at: Option<DateTime<Utc>>,
    /// From which address that request came.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub last_used_ip: Option<String>,
    /// Counts the changes an administrator made: what an edit is checked against. The JSON API says it in the `ETag`.
    #[serde(skip)]
    pub version: i64,
}

/// A key that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Its name.
    pub name: KeyName,
    /// What it is for.
    pub description: KeyDescription,
    /// A group of the tenant, of type `tenant_api_key`.
    pub group_id: GroupId,
    /// The last day on which it works; `None` for ever.
    pub expires_on: Option<ExpirationDate>,
    /// From where it works.
    pub allowlist: Allowlist,
}

/// What an edit makes of a key. What is `None` stays as it is. The expiration date and the secret are rotation's alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChanges {
    /// Its name.
    pub name: Option<KeyName>,
    /// What it is for.
    pub description: Option<KeyDescription>,
    /// A group of the tenant, of type `tenant_api_key`.
    pub group_id: Option<GroupId>,
    /// From where it works.
    pub allowlist: Option<Allowlist>,
}

impl KeyChanges {
    /// Whether `key` is already as this would make it.
    #[must_use]
    pub fn are_in(&self, key: &ApiKey) -> bool {
        self.name.as_ref().is_none_or(|name| *name == key.name)
            && (self.description.as_ref()).is_none_or(|description| *description == key.description)
            && (self.group_id).is_none_or(|group_id| group_id == key.authorization_group.id)
            && (self.allowlist.as_ref()).is_none_or(|allowlist| *allowlist == key.ip_allowlist)
    }
}

/// A key together with its secret: the one answer that carries it.
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

/// Today, UTC, at `now`: the day that every rule about dates means.
#[must_use]
pub fn today(now: DateTime<Utc>) -> NaiveDate {
    now.date_naive()
}
