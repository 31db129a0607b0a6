//! Invitations, and links that set a new password: what a person sees who opens one, and its use.
//!
//! A link is judged twice: when it is opened, and again in the transaction that uses it up, after the tenant and the user are locked.

mod issue;

pub use issue::IssuedLink;
pub(super) use issue::make_link;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, QuerySelect, SqlErr,
};
use serde_json::json;

use super::{
    audit::Event,
    clock,
    connection::{Database, WriteTransaction},
    entity::{one_time_link, tenant, user},
    error::damaged,
    one_time_links::{self, LinkEnd, LinkPurpose, LinkToken},
    password, random,
    sign_in::throttle,
    user_changes::lock_tenant,
    users,
    write::Write,
};
use crate::{
    Error, FieldError,
    actor::{Actor, ActorKind, ActorRef},
    audit::{AuditAction, AuditTarget},
    client_address::ClientAddress,
    text,
    user::{Email, Role, User},
    user_rule::UserRule,
};

/// A link that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenLink {
    /// The purpose of the link.
    pub purpose: LinkPurpose,
    /// The address of the person.
    pub email: Email,
    /// The role that the person gets or has.
    pub role: Role,
    /// The name of the tenant; `None` for a super user.
    pub tenant: Option<String>,
    /// The name of the user; `None` for an invitation.
    pub name: Option<String>,
    /// The name of the actor who made the link.
    pub author: String,
    /// The time from which it is refused.
    pub expires_at: DateTime<Utc>,
}

/// The state of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It may be used.
    Open(OpenLink),
    /// It was used or has ended.
    Ended(LinkEnd),
    /// No link has this token.
    Unknown,
}

/// The outcome of the use of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// The user was created, or has the new password. All sessions of the user have ended.
    Accepted {
        /// The user.
        user: User,
        /// The purpose of the used link.
        purpose: LinkPurpose,
    },
    /// The link was used or has ended; nothing was changed.
    Ended(LinkEnd),
    /// No link has this token.
    Unknown,
}

/// The typed values of the form that accepts an invitation or sets a new password.
#[derive(Clone, Copy)]
pub struct AcceptedForm<'a> {
    /// The name; ignored by a link that sets a new password.
    pub name: &'a str,
    /// The password.
    pub password: &'a str,
}

/// A link and the rows on which its validity depends.
pub(super) struct ReadLink {
    pub(super) link: one_time_link::Model,
    pub(super) purpose: LinkPurpose,
    tenant: Option<tenant::Model>,
    author: Option<user::Model>,
    pub(super) user: Option<user::Model>,
}

impl ReadLink {
    /// Reads the rows of a link.
    pub(super) async fn of(
        connection: &impl ConnectionTrait,
        link: one_time_link::Model,
    ) -> Result<Self, Error> {
        let tenant = match link.tenant_id {
            Some(id) => tenant::Entity::find_by_id(id).one(connection).await?,
            None => None,
        };
        let author = match link.author_id {
            Some(id) => user::Entity::find_by_id(id).one(connection).await?,
            None => None,
        };
        let user = match link.user_id {
            Some(id) => user::Entity::find_by_id(id).one(connection).await?,
            None => None,
        };
        let purpose =
            LinkPurpose::from_word(&link.purpose).ok_or_else(|| damaged("purpose of a link"))?;
        Ok(Self {
            link,
            purpose,
            tenant,
            author,
            user,
        })
    }

    /// The reason for which the link is refused; `None` if it is open.
    pub(super) fn end(&self, now: DateTime<Utc>) -> Option<LinkEnd> {
        let is_suspended =
            (self.tenant.as_ref()).is_some_and(|tenant| tenant.suspended_at.is_some());
        let is_disabled = (self.user.as_ref()).is_some_and(|user| user.disabled_at.is_some());
        let lacks_user = self.link.user_id.is_some() && self.user.is_none();
        one_time_links::end_of(&self.link, now)
            .or(is_suspended.then_some(LinkEnd::TenantSuspended))
            .or((!self.is_author_entitled()).then_some(LinkEnd::AuthorLostRole))
            .or((is_disabled || lacks_user).then_some(LinkEnd::Withdrawn))
    }

    fn is_author_entitled(&self) -> bool {
        if self.link.author_kind == ActorKind::Cli.as_str() {
            return true;
        }
        let Some(author) = &self.author else {
            return false;
        };
        let is_super_user = author.role == Role::SuperUser.as_str();
        let is_administrator = author.role == Role::TenantAdmin.as_str()
            && author.tenant_id.is_some()
            && author.tenant_id == self.link.tenant_id;
        author.disabled_at.is_none() && (is_super_user || is_administrator)
    }

    fn email(&self) -> Result<Email, Error> {
        self.link.email.parse().map_err(|_| damaged("email"))
    }

    fn open(&self) -> Result<OpenLink, Error> {
        Ok(OpenLink {
            purpose: self.purpose,
            email: self.email()?,
            role: self.link.role.parse().map_err(|_| damaged("role"))?,
            tenant: self.tenant.as_ref().map(|tenant| tenant.name.clone()),
            name: self.user.as_ref().map(|user| user.name.clone()),
            author: self.link.author_name.clone(),
            expires_at: self.link.expires_at,
        })
    }
}

/// One-time links, for the person who opens one.
pub struct Invitations<'a> {
    pub(super) database: &'a Database,
}

impl<'a> Invitations<'a> {
    pub(crate) const fn new(database: &'a Database) -> Self {
        Self { database }
    }

    /// The state of a link. Does not use it up. A link that has ended is audited, once an hour.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn open(
        &self,
        token: &LinkToken,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) -> Result<LinkState, Error> {
        let Some(read) = self.read(token).await? else {
            return Ok(LinkState::Unknown);
        };
        match read.end(clock::stored(now)) {
            None => read.open().map(LinkState::Open),
            Some(end) => {
                self.refuse(&read.link, end, client, now).await?;
                Ok(LinkState::Ended(end))
            }
        }
    }

    /// Uses an invitation or a link that sets a new password.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `name` and `password`: the link stays open; [`Error::Unavailable`].
    pub async fn accept(
        &self,
        token: &LinkToken,
        form: AcceptedForm<'_>,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) -> Result<Acceptance, Error> {
        let now = clock::stored(now);
        let read = self.read(token).await?;
        let Some(read) = read.filter(|read| read.purpose != LinkPurpose::SignIn) else {
            return Ok(Acceptance::Unknown);
        };
        let end = match read.end(now) {
            Some(end) => end,
            None => match self.use_open(&read, form, client, now).await {
                Ok(Ok(user)) => {
                    let purpose = read.purpose;
                    return Ok(Acceptance::Accepted { user, purpose });
                }
                Ok(Err(end)) => end,
                Err(Error::UserRule(UserRule::AddressTaken)) => LinkEnd::AddressTaken,
                Err(error) => return Err(error),
            },
        };
        self.refuse(&read.link, end, client, now).await?;
        Ok(Acceptance::Ended(end))
    }

    pub(super) async fn read(&self, token: &LinkToken) -> Result<Option<ReadLink>, Error> {
        let reader = self.database.lookups();
        let read = async {
            match one_time_links::find(reader, token).await? {
                Some(link) => ReadLink::of(reader, link).await.map(Some),
                None => Ok(None),
            }
        };
        self.database.with_timeout(read).await
    }

    /// Validates the form, then uses the link up. `Err` within `Ok` if the link has ended meanwhile.
    async fn use_open(
        &self,
        read: &ReadLink,
        form: AcceptedForm<'_>,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) -> Result<Result<User, LinkEnd>, Error> {
        let mut faults = Vec::new();
        let name = match &read.user {
            Some(user) => user.name.clone(),
            None => text::display_name(form.name).unwrap_or_else(|message| {
                faults.push(FieldError::new("name", message));
                String::new()
            }),
        };
        let slots = self.database.password_slots();
        let fault = password::find_fault(slots, form.password, &read.email()?, &name).await?;
        faults.extend(fault);
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        // Hashed before the transaction begins, so that other writes do not wait for the hash.
        let hash = password::hash(slots, form.password).await?;
        let used = self.database.write(Write::Plain, async |transaction| {
            if read.purpose == LinkPurpose::NewPassword {
                // Locks the buckets before the user, in the order of a sign-in: otherwise the two could deadlock.
                throttle::forget_account(transaction, &read.link.email).await?;
            }
            if let Some(tenant) = read.link.tenant_id {
                lock_tenant(transaction, tenant).await?;
            }
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
            one_time_links::use_up(transaction, &current.link, now).await?;
            let user = match current.user.clone() {
                None => create_user(transaction, &current, name, hash, client, now).await?,
                Some(user) => set_password(transaction, user, hash, client, now).await?,
            };
            Ok(Ok(user))
        });
        Ok(used.await?.value)
    }

    /// Audits the use of a link that has ended.
    pub(super) async fn refuse(
        &self,
        link: &one_time_link::Model,
        end: LinkEnd,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let now = clock::stored(now);
        let actor = Actor {
            who: ActorRef {
                kind: ActorKind::User,
                id: link.user_id,
                name: link.email.clone(),
            },
            client: Some(client),
        };
        let target = AuditTarget::account(link.user_id, link.email.as_str());
        let changes = json!({
            "purpose": { "before": null, "after": link.purpose },
            "reason": { "before": null, "after": end.as_str() },
        });
        let refused = self.database.write(Write::Plain, async |transaction| {
            if one_time_links::mark_refusal(transaction, link, now).await? {
                let tenant = link.tenant_id.map(Into::into);
                Event::by(&actor, tenant, AuditAction::LinkRefused, target)
                    .changing(changes)
                    .append(transaction, now)
                    .await?;
            }
            Ok(())
        });
        refused.await.map(drop)
    }
}

async fn create_user(
    transaction: &WriteTransaction,
    read: &ReadLink,
    name: String,
    password_hash: String,
    client: ClientAddress,
    now: DateTime<Utc>,
) -> Result<User, Error> {
    let link = &read.link;
    let row = user::ActiveModel {
        id: Set(random::identifier()),
        tenant_id: Set(link.tenant_id),
        email: Set(link.email.clone()),
        name: Set(name),
        password_hash: Set(password_hash),
        role: Set(link.role.clone()),
        consecutive_failures: Set(0),
        disabled_at: Set(None),
        last_signed_in_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        version: Set(1),
    };
    let inserted = row.insert(&**transaction).await;
    let row = inserted.map_err(|error| match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => Error::UserRule(UserRule::AddressTaken),
        _ => error.into(),
    })?;
    let user = users::from_row(row)?;
    let others = one_time_links::invitations_for(&user.email);
    one_time_links::end(transaction, others, LinkEnd::AddressTaken, now).await?;
    let tenant = read.tenant.as_ref().map(|tenant| tenant.slug.as_str());
    let changes = json!({
        "email": { "before": null, "after": user.email },
        "name": { "before": null, "after": user.name },
        "role": { "before": null, "after": user.role },
        "tenant": { "before": null, "after": tenant },
        "invited_by": { "before": null, "after": link.author_name },
    });
    let actor = Actor::user(user.id, user.name.as_str(), client);
    Event::by(&actor, user.tenant_id, AuditAction::UserCreated, &user)
        .changing(changes)
        .append(transaction, now)
        .await?;
    Ok(user)
}

async fn set_password(
    transaction: &WriteTransaction,
    before: user::Model,
    password_hash: String,
    client: ClientAddress,
    now: DateTime<Utc>,
) -> Result<User, Error> {
    let version = before.version + 1;
    let row = user::ActiveModel {
        password_hash: Set(password_hash),
        consecutive_failures: Set(0),
        updated_at: Set(now),
        version: Set(version),
        ..before.into()
    };
    let user = users::from_row(row.update(&**transaction).await?)?;
    users::end_sessions(transaction, &user).await?;
    let others = one_time_links::for_user(user.id);
    one_time_links::end(transaction, others, LinkEnd::Replaced, now).await?;
    let actor = Actor::user(user.id, user.name.as_str(), client);
    // The event records neither password nor hash.
    Event::by(
        &actor,
        user.tenant_id,
        AuditAction::UserPasswordChanged,
        &user,
    )
    .append(transaction, now)
    .await?;
    Ok(user)
}
