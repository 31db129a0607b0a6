//! Sign-in of a super user by a link that a command makes, for an operator who cannot sign in otherwise.

use chrono::{DateTime, Utc};
use sea_orm::{EntityTrait, QuerySelect};
use serde_json::json;

use super::{
    audit::Event,
    clock,
    entity::user,
    invitations::{Invitations, IssuedLink, ReadLink, make_link},
    one_time_links::{self, LinkEnd, LinkPurpose, LinkToken},
    sign_in::opening::{self, NewSession},
    users::{self, Users},
    write::Write,
};
use crate::{
    Error,
    actor::Actor,
    audit::AuditAction,
    client_address::ClientAddress,
    session::{Authentication, SessionToken},
    user::{Email, Role, User},
    user_agent::Browser,
    user_rule::UserRule,
};

/// The browser that signs in.
#[derive(Clone, Copy)]
pub struct LinkBrowser<'a> {
    /// The client address.
    pub client: ClientAddress,
    /// Its name and system.
    pub browser: Browser,
    /// The device cookie's token, if the browser signed in before.
    pub device: Option<&'a SessionToken>,
    /// The session cookie's token; the new session replaces it.
    pub previous: Option<&'a SessionToken>,
}

/// The outcome of a sign-in by a link.
#[derive(Debug)]
pub enum LinkSignIn {
    /// The user is signed in. Contains the tokens for the session cookie and the device cookie.
    SignedIn {
        /// The user.
        user: User,
        /// A new token.
        session: SessionToken,
        /// The browser keeps it for a year.
        device: SessionToken,
    },
    /// The link was used or has ended.
    Ended(LinkEnd),
    /// No link has this token.
    Unknown,
}

impl Users<'_> {
    /// A link that signs a super user in once within 15 minutes. Ends the earlier one.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::UserRule`] for a user who is not a super user or is disabled; [`Error::Unavailable`].
    pub async fn sign_in_link(
        &self,
        email: &Email,
        now: DateTime<Utc>,
    ) -> Result<IssuedLink, Error> {
        let now = clock::stored(now);
        let made = self.database.write(Write::Plain, async |transaction| {
            let user = users::from_row(users::lock(transaction, email).await?)?;
            if user.role != Role::SuperUser {
                return Err(Error::UserRule(UserRule::NotASuperUser));
            }
            if user.disabled_at.is_some() {
                return Err(Error::UserRule(UserRule::UserDisabled));
            }
            let actor = self.operator.actor();
            make_link(transaction, actor, &user, LinkPurpose::SignIn, now).await
        });
        Ok(made.await?.value)
    }
}

impl Invitations<'_> {
    /// Uses a link that signs a super user in.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn sign_in(
        &self,
        token: &LinkToken,
        browser: LinkBrowser<'_>,
        now: DateTime<Utc>,
    ) -> Result<LinkSignIn, Error> {
        let now = clock::stored(now);
        let read = self.read(token).await?;
        let Some(read) = read.filter(|read| read.purpose == LinkPurpose::SignIn) else {
            return Ok(LinkSignIn::Unknown);
        };
        let signed_in = self.database.write(Write::Plain, async |transaction| {
            if let Some(user) = read.link.user_id {
                let user = user::Entity::find_by_id(user).lock_exclusive();
                user.one(&**transaction).await?;
            }
            let Some(link) = one_time_links::lock(transaction, &read.link).await? else {
                return Ok(Err(LinkEnd::Withdrawn));
            };
            let current = ReadLink::of(&**transaction, link).await?;
            if let Some(end) = current.end(now) {
                return Ok(Err(end));
            }
            let Some(row) = current
                .user
                .filter(|row| row.role == Role::SuperUser.as_str())
            else {
                return Ok(Err(LinkEnd::Withdrawn));
            };
            one_time_links::use_up(transaction, &current.link, now).await?;
            let new = NewSession {
                user: row.id,
                previous: browser.previous,
                client: browser.client,
                browser: browser.browser,
                authentication: Authentication::Password,
                authenticated_at: Some(now),
            };
            let session = opening::open_session(transaction, new, now).await?;
            let device = opening::know_device(transaction, row.id, browser.device, now).await?;
            opening::know_address(transaction, row.id, browser.client, now).await?;
            let user = users::from_row(row)?;
            let actor = Actor::user(user.id, user.name.as_str(), browser.client);
            Event::by(&actor, user.tenant_id, AuditAction::SignedIn, &user)
                .changing(json!({ "by_link": { "before": null, "after": true } }))
                .append(transaction, now)
                .await?;
            Ok(Ok((user, session, device)))
        });
        match signed_in.await?.value {
            Ok((user, session, device)) => Ok(LinkSignIn::SignedIn {
                user,
                session,
                device,
            }),
            Err(end) => {
                self.refuse(&read.link, end, browser.client, now).await?;
                Ok(LinkSignIn::Ended(end))
            }
        }
    }
}
