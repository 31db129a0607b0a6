//! The audit trail: who changed what, when, from where. Written in the transaction of the change; append-only.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use uuid::Uuid;

use crate::{
    actor::{ActorKind, ActorRef},
    group::AuthorizationGroup,
    id::{EventId, GroupId, InvalidId, KeyId, TenantId, UserId},
    page,
    tenant::Tenant,
    user::User,
};

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum AuditAction {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl AuditAction {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word that is stored, filtered by and shown. Stored words never change: old events carry them.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

actions! {
    /// A key was made.
    ApiKeyCreated = "api_key.created",
    /// A key's name, description, group or allowlist was changed.
    ApiKeyUpdated = "api_key.updated",
    /// A key got a new secret.
    ApiKeyRotated = "api_key.rotated",
    /// A key was revoked.
    ApiKeyRevoked = "api_key.revoked",
    /// A group was made.
    GroupCreated = "authorization_group.created",
    /// A group's permissions were replaced.
    GroupPermissionsChanged = "authorization_group.permissions_changed",
    /// A tenant was made.
    TenantCreated = "tenant.created",
    /// A tenant's key limit was changed.
    TenantLimitChanged = "tenant.limit_changed",
    /// A tenant was suspended.
    TenantSuspended = "tenant.suspended",
    /// A tenant was resumed.
    TenantResumed = "tenant.resumed",
    /// A user was made.
    UserCreated = "user.created",
    /// A user's password was changed.
    UserPasswordChanged = "user.password_changed",
    /// A user was disabled.
    UserDisabled = "user.disabled",
    /// A user signed in.
    SignedIn = "session.created",
    /// A user signed out.
    SignedOut = "session.ended",
    /// Sign-ins were refused; one event for each throttle bucket and window.
    SignInRefused = "session.refused",
}

// Derived, it would list the names in the code.
#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for AuditAction {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .description(Some("What was done."))
            .enum_values(Some(Self::ALL.iter().map(|action| action.as_str())))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for AuditAction {}

impl AuditAction {
    /// The action that `word` names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.as_str() == word)
    }
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditTarget {
    /// Its kind: `api_key`, `authorization_group`, `tenant`, `user`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its identifier, where it has one.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub id: Option<Uuid>,
    /// Its name at that time.
    pub name: String,
}

impl AuditTarget {
    /// The kind of API keys, as it is stored.
    pub const API_KEY: &str = "api_key";

    fn new(kind: &str, id: Option<Uuid>, name: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            id,
            name: name.into(),
        }
    }

    /// An API key.
    pub fn api_key(id: KeyId, name: impl Into<String>) -> Self {
        Self::new(Self::API_KEY, Some(id.as_uuid()), name)
    }

    /// An authorization group.
    pub fn group(id: GroupId, name: impl Into<String>) -> Self {
        Self::new("authorization_group", Some(id.as_uuid()), name)
    }

    /// A tenant.
    pub fn tenant(id: TenantId, name: impl Into<String>) -> Self {
        Self::new("tenant", Some(id.as_uuid()), name)
    }

    /// A user by their email, which is unique. The account of a failed sign-in has no `id` if there is no such user.
    pub fn account(id: Option<Uuid>, email: impl Into<String>) -> Self {
        Self::new("user", id, email)
    }
}

impl From<&AuthorizationGroup> for AuditTarget {
    fn from(group: &AuthorizationGroup) -> Self {
        Self::group(group.id, group.name.as_str())
    }
}

impl From<&Tenant> for AuditTarget {
    fn from(tenant: &Tenant) -> Self {
        Self::tenant(tenant.id, tenant.name.as_str())
    }
}

impl From<&User> for AuditTarget {
    fn from(user: &User) -> Self {
        Self::account(Some(user.id.as_uuid()), user.email.as_str())
    }
}

/// Which events a list shows, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only this action.
    pub action: Option<AuditAction>,
    /// Only what this one did.
    pub actor: Option<AuditedActor>,
    /// Only what was done to this key.
    pub key_id: Option<KeyId>,
    /// Only what was done then or later.
    pub from: Option<DateTime<Utc>>,
    /// Only what was done before then.
    pub to: Option<DateTime<Utc>>,
    /// 1 to [`page::MAX_LIMIT`].
    pub limit: u32,
    /// Where to begin: a `next_cursor` of the same query.
    pub cursor: Option<String>,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self {
            action: None,
            actor: None,
            key_id: None,
            from: None,
            to: None,
            limit: page::DEFAULT_LIMIT,
            cursor: None,
        }
    }
}

/// Whose events a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditedActor {
    /// A user's or a key's.
    Id(Uuid),
    /// Those of the command line, which has no identifier.
    Cli,
}

impl FromStr for AuditedActor {
    type Err = InvalidId;

    /// Reads an identifier or the word `cli`.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text == ActorKind::Cli.as_str() {
            return Ok(Self::Cli);
        }
        // One form of an identifier, as everywhere.
        text.parse::<UserId>().map(|id| Self::Id(id.as_uuid()))
    }
}

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEvent {
    /// Its identifier; in the order of time.
    pub id: EventId,
    /// When.
    pub at: DateTime<Utc>,
    /// What was done.
    pub action: AuditAction,
    /// By whom.
    pub actor: ActorRef,
    /// To what.
    pub target: AuditTarget,
    /// What differs, `{ "field": { "before": …, "after": … } }`, without secrets.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub changes: serde_json::Value,
    /// From which address; `null` at the command line and where it was unknown.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub client_ip: Option<String>,
}
