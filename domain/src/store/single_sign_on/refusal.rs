//! Refused sign-ins, and their events in the audit log: one for each client, reason, person and window.

use chrono::{DateTime, Utc};
use sea_orm::EntityTrait;
use serde_json::json;
use std::fmt;
use uuid::Uuid;

use super::SingleSignOn;
use crate::{
    Error,
    actor::{Actor, ActorKind, ActorRef},
    audit::{AuditAction, AuditTarget},
    client_address::ClientAddress,
    id::TenantId,
    store::{
        audit::Event,
        clock,
        connection::WriteTransaction,
        entity::{sign_in_bucket, user},
        sign_in::{buckets, throttle},
        write::Write,
    },
};

/// The reason for which the state of a callback is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFault {
    /// There is no such state, or it is long over.
    Unknown,
    /// It was used before.
    Used,
    /// Another browser began the sign-in.
    OtherBrowser,
    /// The sign-in took longer than ten minutes.
    Expired,
}

impl fmt::Display for StateFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unknown => "the state is unknown",
            Self::Used => "the state was used before",
            Self::OtherBrowser => "another browser began the sign-in",
            Self::Expired => "the sign-in took longer than 10 minutes",
        })
    }
}

/// The reason for which a person with a valid token is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SsoRefusal {
    /// A user has the person's e-mail address, which the provider has not verified.
    EmailNotVerified,
    /// A user has the person's e-mail address, whose domain is not allowed to link users.
    DomainNotAllowed,
    /// A super user has the person's e-mail address.
    SuperUser,
    /// The user with the person's e-mail address is linked to another person of the provider.
    LinkedToOther,
    /// There is no such user, and none is made: the claims lack these.
    NoUser {
        /// What is missing, as parts of a sentence.
        missing: Vec<String>,
    },
    /// The claims name another tenant than that of the user.
    OtherTenant,
    /// A claim has set the user's role before, and no claim names one now.
    NoRole,
    /// The claims would take the role from the last administrator of the tenant.
    LastAdministrator,
    /// The user is disabled.
    UserDisabled,
    /// The user's tenant is suspended.
    TenantSuspended,
}

impl fmt::Display for SsoRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::EmailNotVerified => {
                "a user has the person's e-mail address, but the provider does not state that the address is verified (claim email_verified)"
            }
            Self::DomainNotAllowed => {
                "a user has the person's e-mail address, but its domain is not in LATCHKEY_OIDC_ALLOWED_DOMAINS; `latchkey user link-sso` links the user"
            }
            Self::SuperUser => {
                "a super user has the person's e-mail address; only `latchkey user link-sso` links a super user"
            }
            Self::LinkedToOther => {
                "the user with the person's e-mail address is linked to another subject of the provider; `latchkey user link-sso` replaces it"
            }
            Self::NoUser { missing } => {
                return write!(
                    formatter,
                    "the person has no user, and none is made: {}",
                    missing.join("; ")
                );
            }
            Self::OtherTenant => "the claims name another tenant than that of the user",
            Self::NoRole => {
                "a claim has set the user's role before, but no value of the role claim is in LATCHKEY_OIDC_ROLE_MAP now"
            }
            Self::LastAdministrator => {
                "the claims name a lower role, but the user is the last enabled administrator of the tenant: make another user an administrator first"
            }
            Self::UserDisabled => "the user is disabled",
            Self::TenantSuspended => "the tenant of the user is suspended",
        })
    }
}

/// A refused sign-in for the audit log.
pub(super) struct Refused<'a> {
    /// The reason, as text for operators.
    pub(super) reason: &'a str,
    /// The subject, if the token was valid.
    pub(super) subject: Option<&'a str>,
    /// The user, if there is one.
    pub(super) user: Option<&'a user::Model>,
    /// The e-mail address that the provider named.
    pub(super) email: Option<&'a str>,
    /// The address of the client.
    pub(super) client: ClientAddress,
}

impl Refused<'_> {
    fn bucket(&self) -> String {
        buckets::of_single_sign_on(
            &format!("refused:{}:{}", self.reason, self.subject.unwrap_or("")),
            self.client,
        )
    }

    /// Writes the event unless this window has one.
    pub(super) async fn audit(
        &self,
        transaction: &WriteTransaction,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let row = throttle::count(transaction, &self.bucket(), now).await?;
        if row.failures > 1 {
            return Ok(());
        }
        let id: Option<Uuid> = self.user.map(|user| user.id);
        let account = self
            .user
            .map(|user| user.email.as_str())
            .or(self.email)
            .unwrap_or("unknown");
        let actor = Actor {
            who: ActorRef {
                kind: ActorKind::User,
                id,
                name: account.to_owned(),
            },
            client: Some(self.client),
        };
        let tenant_id: Option<TenantId> = self.user.and_then(|user| user.tenant_id).map(Into::into);
        let mut changes = json!({
            "single_sign_on": { "before": null, "after": self.reason },
        });
        if let Some(subject) = self.subject {
            changes["subject"] = json!({ "before": null, "after": subject });
        }
        let target = AuditTarget::account(id, account);
        Event::by(&actor, tenant_id, AuditAction::SignInRefused, target)
            .changing(changes)
            .append(transaction, now)
            .await
    }
}

impl SingleSignOn<'_> {
    /// Writes the audit event of a sign-in that was refused before the person was known, once for each client, reason and window.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn refuse(
        &self,
        reason: &str,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let now = clock::stored(now);
        let refused = Refused {
            reason,
            subject: None,
            user: None,
            email: None,
            client,
        };
        // Only reads, so that a flood of refused requests does not occupy the writer.
        let counted = self
            .database
            .with_timeout(
                sign_in_bucket::Entity::find_by_id(refused.bucket()).one(self.database.lookups()),
            )
            .await?;
        if counted.is_some_and(|row| throttle::is_current(&row, now)) {
            return Ok(());
        }
        let written = self.database.write(Write::Plain, async |transaction| {
            refused.audit(transaction, now).await
        });
        written.await.map(drop)
    }
}
