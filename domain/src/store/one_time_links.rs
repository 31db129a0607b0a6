//! One-time links: creation, and what ends them before their time. The database stores a link's SHA-256.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter,
    QuerySelect, sea_query::Expr,
};
use std::fmt;
use uuid::Uuid;

use super::{
    connection::WriteTransaction,
    entity::one_time_link::{ActiveModel, Column, Entity, Model},
    random,
};
use crate::{
    Error,
    actor::Actor,
    id::{TenantId, UserId},
    user::{Email, Role},
};

/// Time after which a link that has ended is deleted.
const KEPT: TimeDelta = TimeDelta::days(30);
/// Minimum time between two audit events about refused uses of one link.
const REFUSAL_EVERY: TimeDelta = TimeDelta::hours(1);

/// The token of a one-time link: 256 random bits in base64url. Only the link contains it.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkToken(String);

impl LinkToken {
    /// Parses the last part of the link's path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_token = text.len() == 43
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        is_token.then(|| Self(text.to_owned()))
    }

    fn generate() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        random::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The token itself, for the link.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LinkToken(…)")
    }
}

/// The effect of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Creates a user.
    Invitation,
    /// Sets a new password for a user.
    NewPassword,
    /// Signs a super user in.
    SignIn,
}

impl LinkPurpose {
    const ALL: [Self; 3] = [Self::Invitation, Self::NewPassword, Self::SignIn];

    /// The word that is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::NewPassword => "new_password",
            Self::SignIn => "sign_in",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.as_str() == word)
    }

    const fn lifetime(self) -> TimeDelta {
        match self {
            Self::Invitation | Self::NewPassword => TimeDelta::hours(72),
            Self::SignIn => TimeDelta::minutes(15),
        }
    }
}

/// The reason for which a link is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// It was used.
    Used,
    /// A newer link was made for the address.
    Replaced,
    /// It was withdrawn, or the user was disabled.
    Withdrawn,
    /// The tenant was suspended.
    TenantSuspended,
    /// Its author was disabled or lost the role.
    AuthorLostRole,
    /// Another user has the address.
    AddressTaken,
    /// Its time is over.
    Expired,
}

impl LinkEnd {
    const ALL: [Self; 7] = [
        Self::Used,
        Self::Replaced,
        Self::Withdrawn,
        Self::TenantSuspended,
        Self::AuthorLostRole,
        Self::AddressTaken,
        Self::Expired,
    ];

    /// The word that is stored and audited.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Replaced => "replaced",
            Self::Withdrawn => "withdrawn",
            Self::TenantSuspended => "tenant_suspended",
            Self::AuthorLostRole => "author_lost_role",
            Self::AddressTaken => "address_taken",
            Self::Expired => "expired",
        }
    }
}

/// A new link.
pub(crate) struct NewLink<'a> {
    pub(crate) purpose: LinkPurpose,
    pub(crate) tenant_id: Option<TenantId>,
    pub(crate) user_id: Option<UserId>,
    pub(crate) email: &'a Email,
    pub(crate) role: Role,
}

/// Creates a link and deletes links that ended long ago.
pub(crate) async fn insert(
    transaction: &WriteTransaction,
    new: NewLink<'_>,
    author: &Actor,
    now: DateTime<Utc>,
) -> Result<(LinkToken, Model), Error> {
    Entity::delete_many()
        .filter(Column::ExpiresAt.lt(now - KEPT))
        .exec(&**transaction)
        .await?;
    let token = LinkToken::generate()?;
    let model = Model {
        id: random::identifier(),
        token_digest: random::digest(token.expose()),
        purpose: new.purpose.as_str().to_owned(),
        tenant_id: new.tenant_id.map(TenantId::as_uuid),
        user_id: new.user_id.map(UserId::as_uuid),
        email: new.email.as_str().to_owned(),
        role: new.role.as_str().to_owned(),
        author_kind: author.who.kind.as_str().to_owned(),
        author_id: author.who.id,
        author_name: author.who.name.clone(),
        created_at: now,
        expires_at: now + new.purpose.lifetime(),
        ended_at: None,
        ended_as: None,
        refusal_audited_at: None,
    };
    let row: ActiveModel = model.clone().into();
    Entity::insert(row.reset_all())
        .exec_without_returning(&**transaction)
        .await?;
    Ok((token, model))
}

/// The link with this token, whatever its state.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    token: &LinkToken,
) -> Result<Option<Model>, Error> {
    let link = Entity::find().filter(Column::TokenDigest.eq(random::digest(token.expose())));
    Ok(link.one(connection).await?)
}

/// Reads the link again and locks it.
pub(crate) async fn lock(
    transaction: &WriteTransaction,
    link: &Model,
) -> Result<Option<Model>, Error> {
    let link = Entity::find_by_id(link.id).lock_exclusive();
    Ok(link.one(&**transaction).await?)
}

/// The reason for which the link itself is over; `None` for an open one.
pub(crate) fn end_of(link: &Model, now: DateTime<Utc>) -> Option<LinkEnd> {
    if link.ended_at.is_some() {
        let stored = link.ended_as.as_deref();
        let end = LinkEnd::ALL
            .into_iter()
            .find(|end| Some(end.as_str()) == stored);
        return Some(end.unwrap_or(LinkEnd::Withdrawn));
    }
    (now >= link.expires_at).then_some(LinkEnd::Expired)
}

/// Ends every open link that matches. Returns their number.
pub(crate) async fn end(
    transaction: &WriteTransaction,
    which: Condition,
    end: LinkEnd,
    now: DateTime<Utc>,
) -> Result<u64, Error> {
    let ended = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .col_expr(Column::EndedAs, Expr::value(end.as_str()))
        .filter(Column::EndedAt.is_null())
        .filter(which)
        .exec(&**transaction)
        .await?;
    Ok(ended.rows_affected)
}

/// The links of a tenant.
pub(crate) fn of_tenant(tenant: Uuid) -> Condition {
    Condition::all().add(Column::TenantId.eq(tenant))
}

/// The links that a user made.
pub(crate) fn by_author(author: UserId) -> Condition {
    Condition::all().add(Column::AuthorId.eq(author.as_uuid()))
}

/// The links for a user who exists.
pub(crate) fn for_user(user: UserId) -> Condition {
    Condition::all().add(Column::UserId.eq(user.as_uuid()))
}

/// The invitations for an address, in every tenant.
pub(crate) fn invitations_for(email: &Email) -> Condition {
    Condition::all()
        .add(Column::Purpose.eq(LinkPurpose::Invitation.as_str()))
        .add(Column::Email.eq(email.as_str()))
}

/// Marks a refused use. Returns whether it is to be audited: one event in an hour, so that a client cannot fill the audit log.
pub(crate) async fn mark_refusal(
    transaction: &WriteTransaction,
    link: &Model,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let is_due = Condition::any()
        .add(Column::RefusalAuditedAt.is_null())
        .add(Column::RefusalAuditedAt.lte(now - REFUSAL_EVERY));
    let marked = Entity::update_many()
        .col_expr(Column::RefusalAuditedAt, Expr::value(now))
        .filter(Column::Id.eq(link.id))
        .filter(is_due)
        .exec(&**transaction)
        .await?;
    Ok(marked.rows_affected > 0)
}

/// Sets the end of one link that [`lock`] returned as open.
pub(crate) async fn use_up(
    transaction: &WriteTransaction,
    link: &Model,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let this = Condition::all().add(Column::Id.eq(link.id));
    end(transaction, this, LinkEnd::Used, now).await?;
    Ok(())
}
