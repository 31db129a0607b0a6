//! The audit trail: who changed what, when, from where. Written in the transaction of the change; append-only.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{actor::ActorRef, id::EventId};

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
pub struct AuditTarget {
    /// Its kind: `api_key`, `authorization_group`, `tenant`, `user`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its identifier, where it has one.
    pub id: Option<Uuid>,
    /// Its name at that time.
    pub name: String,
}

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    pub changes: serde_json::Value,
    /// From which address; `None` at the command line and where it was unknown.
    pub client_ip: Option<String>,
}
