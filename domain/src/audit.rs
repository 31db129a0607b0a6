//! Audit events: actor, change, target, time and client address. Written in the transaction of the change; append-only.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use uuid::Uuid;

use crate::{
    actor::{ActorKind, ActorRef},
    group::AuthorizationGroup,
    id::{EventId, GroupId, InvalidId, KeyId, TenantId, UserId},
    page,
    propagation::Propagation,
    tenant::Tenant,
    user::User,
};

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// The action of an audit event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum AuditAction {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl AuditAction {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word that is stored, filtered by and shown. Words never change: old events contain them.
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
    /// A group got another name.
    GroupRenamed = "authorization_group.renamed",
    /// A group was deleted.
    GroupDeleted = "authorization_group.deleted",
    /// A tenant was made.
    TenantCreated = "tenant.created",
    /// A tenant's key limit was changed.
    TenantLimitChanged = "tenant.limit_changed",
    /// A tenant was given another name.
    TenantRenamed = "tenant.renamed",
    /// A tenant was suspended.
    TenantSuspended = "tenant.suspended",
    /// A tenant was resumed.
    TenantResumed = "tenant.resumed",
    /// A tenant's security policy was changed.
    SecurityPolicyChanged = "security_policy.changed",
    /// A user was made.
    UserCreated = "user.created",
    /// A user's password was changed.
    UserPasswordChanged = "user.password_changed",
    /// A user changed their own name.
    UserRenamed = "user.renamed",
    /// Sessions of a user were ended, all or all but one.
    UserSessionsEnded = "user.sessions_ended",
    /// A person of the provider of single sign-on was linked to a user.
    UserSsoLinked = "user.sso_linked",
    /// The link of a person to a user was removed.
    UserSsoUnlinked = "user.sso_unlinked",
    /// A user turned their second factor on.
    SecondFactorEnabled = "second_factor.enabled",
    /// A user turned their second factor off.
    SecondFactorDisabled = "second_factor.disabled",
    /// A user replaced their recovery codes.
    RecoveryCodesReplaced = "second_factor.recovery_codes_replaced",
    /// A user signed in with a recovery code.
    RecoveryCodeUsed = "second_factor.recovery_code_used",
    /// An operator removed a user's second factor.
    SecondFactorReset = "second_factor.reset",
    /// A user was disabled.
    UserDisabled = "user.disabled",
    /// A disabled user was enabled.
    UserEnabled = "user.enabled",
    /// A user got another role.
    UserRoleChanged = "user.role_changed",
    /// An address was invited.
    UserInvited = "user.invited",
    /// An invitation was withdrawn.
    InvitationWithdrawn = "user.invitation_withdrawn",
    /// A link that sets a new password was made for a user.
    PasswordLinkCreated = "user.password_link_created",
    /// A link that signs a super user in was made.
    SignInLinkCreated = "user.sign_in_link_created",
    /// The use of a link that has ended was refused.
    LinkRefused = "user.link_refused",
    /// A user signed in.
    SignedIn = "session.created",
    /// A user signed out.
    SignedOut = "session.ended",
    /// Sign-ins were refused; one event for each throttle bucket and window.
    SignInRefused = "session.refused",
}

// A derived schema would list the names of the variants.
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
    /// Parses the stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.as_str() == word)
    }
}

/// The target of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditTarget {
    /// `api_key`, `authorization_group`, `security_policy`, `tenant`, `user`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The identifier; `null` for the account of a failed sign-in without a user.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub id: Option<Uuid>,
    /// The name at that time.
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

    /// The security policy of a tenant.
    pub fn security_policy(id: TenantId, tenant: impl Into<String>) -> Self {
        Self::new("security_policy", Some(id.as_uuid()), tenant)
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

/// A query for audit events, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only this action.
    pub action: Option<AuditAction>,
    /// Only events by this actor.
    pub actor: Option<AuditedActor>,
    /// Only events about one of these keys; no event if the list is empty.
    pub keys: Option<Vec<KeyId>>,
    /// Only events at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Only events before this time.
    pub to: Option<DateTime<Utc>>,
    /// 1 to [`page::MAX_LIMIT`].
    pub limit: u32,
    /// A `next_cursor` of the same query.
    pub cursor: Option<String>,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self {
            action: None,
            actor: None,
            keys: None,
            from: None,
            to: None,
            limit: page::DEFAULT_LIMIT,
            cursor: None,
        }
    }
}

/// The actor that a query filters by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditedActor {
    /// A user or a key.
    Id(Uuid),
    /// The command line, which has no identifier.
    Cli,
}

impl FromStr for AuditedActor {
    type Err = InvalidId;

    /// Parses an identifier or the word `cli`.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text == ActorKind::Cli.as_str() {
            return Ok(Self::Cli);
        }
        // Accepts only the hyphenated form, like every identifier.
        text.parse::<UserId>().map(|id| Self::Id(id.as_uuid()))
    }
}

/// One event of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEvent {
    /// The identifier; ascending in time.
    pub id: EventId,
    /// The time of the change.
    pub at: DateTime<Utc>,
    /// The action.
    pub action: AuditAction,
    /// The actor.
    pub actor: ActorRef,
    /// The target.
    pub target: AuditTarget,
    /// The changed fields, `{ "field": { "before": …, "after": … } }`, without secrets.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub changes: serde_json::Value,
    /// The client address; `null` at the command line and if it was unknown.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub client_ip: Option<String>,
}

/// An event on pages and in exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The event.
    #[serde(flatten)]
    pub event: AuditEvent,
    /// The tenant that the event belongs to; `None` for events of the installation.
    #[serde(skip)]
    pub tenant_id: Option<TenantId>,
    /// The time at which the change was in effect on every replica. `None` on SQLite, for an event that changes no verdict, and if the
    /// server stopped between the change and its receipt.
    pub receipt: Option<EventReceipt>,
}

/// The time at which a change was in effect on every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventReceipt {
    /// The time, UTC.
    pub at: DateTime<Utc>,
    /// The number of replicas, and the duration from the commit.
    #[serde(flatten)]
    pub propagation: Propagation,
}

/// One page of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
    /// The position of the first entry in the list, from 1; `None` if the page was opened in the middle.
    pub first: Option<u64>,
    /// The cursor of the older page; `None` at the end.
    pub next_cursor: Option<String>,
    /// The cursor of the newer page; `None` at the beginning.
    pub previous_cursor: Option<String>,
}
