//! Opens a session for a user who proved their identity, and remembers the browser and the address.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, LockBehavior, LockType, OnConflict},
};
use uuid::Uuid;

use super::{
    Attempt,
    buckets::{CLEARED_AT_ONCE, address_part},
};
use crate::{
    Error,
    actor::Actor,
    audit::AuditAction,
    client_address::ClientAddress,
    session::{ABSOLUTE_TIMEOUT, Authentication, IDLE_TIMEOUT, SessionToken},
    store::{
        audit::Event,
        connection::WriteTransaction,
        entity::{known_address, known_device, session, user},
        random,
    },
    user::User,
    user_agent::Browser,
};

/// Time for which a browser or address is remembered after its last sign-in.
const DEVICE_LIFETIME: TimeDelta = TimeDelta::days(365);
/// Maximum number of remembered browsers of a user; the oldest are deleted. A browser without cookies is new at each sign-in.
const DEVICES_OF_A_USER: u64 = 100;
/// Maximum number of remembered addresses of a user; the oldest are deleted.
const ADDRESSES_OF_A_USER: u64 = 100;

/// Stores a renewed password hash and locks the user for the rest of the transaction. Returns `false` if the user was disabled or got
/// another password since `read`.
pub(in crate::store) async fn confirm_user(
    transaction: &DatabaseTransaction,
    read: &user::Model,
    rehashed: Option<String>,
) -> Result<bool, Error> {
    let mut update = user::Entity::update_many()
        .col_expr(user::Column::ConsecutiveFailures, Expr::value(0_i64))
        .filter(user::Column::Id.eq(read.id))
        .filter(user::Column::Version.eq(read.version));
    if let Some(hash) = rehashed {
        update = update.col_expr(user::Column::PasswordHash, Expr::value(hash));
    }
    Ok(update.exec(transaction).await?.rows_affected > 0)
}

/// The client of a sign-in.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// The client address.
    pub address: ClientAddress,
    /// The browser.
    pub browser: Browser,
    /// The device cookie's token, if the browser signed in before.
    pub device: Option<&'a SessionToken>,
    /// The session cookie's token; a new sign-in ends that session.
    pub previous: Option<&'a SessionToken>,
}

impl<'a> Client<'a> {
    /// An attempt of this client without a password.
    pub(in crate::store) const fn attempt(self, email: &'a str) -> Attempt<'a> {
        Attempt {
            email,
            password: "",
            client: self.address,
            browser: self.browser,
            device: self.device,
            previous: self.previous,
        }
    }
}

/// Opens a session of `user`, remembers browser and address, and writes the audit event of the sign-in. Returns the tokens of the session
/// cookie and the device cookie.
pub(in crate::store) async fn open(
    transaction: &WriteTransaction,
    user: &User,
    client: Client<'_>,
    authentication: Authentication,
    now: DateTime<Utc>,
) -> Result<(SessionToken, SessionToken), Error> {
    let id = user.id.as_uuid();
    let new = NewSession {
        user: id,
        previous: client.previous,
        client: client.address,
        browser: client.browser,
        authentication,
        authenticated_at: Some(now),
    };
    let session = open_session(transaction, new, now).await?;
    let device = know_device(transaction, id, client.device, now).await?;
    know_address(transaction, id, client.address, now).await?;
    let actor = Actor::user(user.id, user.name.as_str(), client.address);
    Event::by(&actor, user.tenant_id, AuditAction::SignedIn, user)
        .append(transaction, now)
        .await?;
    forget_old_sessions(transaction, now).await?;
    Ok((session, device))
}

/// The session to open.
#[derive(Clone, Copy)]
pub(in crate::store) struct NewSession<'a> {
    pub(in crate::store) user: Uuid,
    /// The session token that the browser sent. That session ends.
    pub(in crate::store) previous: Option<&'a SessionToken>,
    pub(in crate::store) client: ClientAddress,
    pub(in crate::store) browser: Browser,
    pub(in crate::store) authentication: Authentication,
    pub(in crate::store) authenticated_at: Option<DateTime<Utc>>,
}

/// Opens a session with a new token, ends the browser's previous one, and records the time of the sign-in.
pub(in crate::store) async fn open_session(
    transaction: &DatabaseTransaction,
    new: NewSession<'_>,
    now: DateTime<Utc>,
) -> Result<SessionToken, Error> {
    if let Some(previous) = new.previous {
        session::Entity::delete_by_id(random::digest(previous.expose()))
            .exec(transaction)
            .await?;
    }
    let token = random::token()?;
    session::Entity::insert(session::ActiveModel {
        token_digest: Set(random::digest(token.expose())),
        user_id: Set(new.user),
        created_at: Set(now),
        last_seen_at: Set(now),
        expires_at: Set(now + ABSOLUTE_TIMEOUT),
        client_address: Set(new.client.ip().map(|address| address.to_string())),
        browser: Set(new.browser.name.map(str::to_owned)),
        system: Set(new.browser.system.map(str::to_owned)),
        authentication: Set(new.authentication.as_str().to_owned()),
        authenticated_at: Set(new.authenticated_at),
    })
    .exec_without_returning(transaction)
    .await?;
    user::Entity::update_many()
        .col_expr(user::Column::LastSignedInAt, Expr::value(now))
        .filter(user::Column::Id.eq(new.user))
        .exec(transaction)
        .await?;
    Ok(token)
}

/// Whether this browser or address has signed in to the account before.
pub(super) async fn is_familiar(
    connection: &impl ConnectionTrait,
    user: Uuid,
    attempt: &Attempt<'_>,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    if let Some(device) = attempt.device
        && is_known_device(connection, user, device, now).await?
    {
        return Ok(true);
    }
    let address = known_address::Entity::find_by_id((user, address_part(attempt.client)))
        .filter(known_address::Column::ExpiresAt.gt(now))
        .one(connection)
        .await?;
    // Two clients with unknown addresses may be different ones, so an unknown address is never familiar.
    Ok(address.is_some() && attempt.client.ip().is_some())
}

/// Whether the browser with this token has signed in to the account before.
async fn is_known_device(
    connection: &impl ConnectionTrait,
    user: Uuid,
    device: &SessionToken,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let known = known_device::Entity::find_by_id(random::digest(device.expose()))
        .filter(known_device::Column::UserId.eq(user))
        .filter(known_device::Column::ExpiresAt.gt(now))
        .one(connection)
        .await?;
    Ok(known.is_some())
}

/// Remembers the browser for a year, by its token if that is one of this user's, otherwise by a new token.
pub(in crate::store) async fn know_device(
    transaction: &DatabaseTransaction,
    user: Uuid,
    device: Option<&SessionToken>,
    now: DateTime<Utc>,
) -> Result<SessionToken, Error> {
    let expires_at = now + DEVICE_LIFETIME;
    if let Some(device) = device {
        let renewed = known_device::Entity::update_many()
            .col_expr(known_device::Column::ExpiresAt, Expr::value(expires_at))
            .filter(known_device::Column::TokenDigest.eq(random::digest(device.expose())))
            .filter(known_device::Column::UserId.eq(user))
            .filter(known_device::Column::ExpiresAt.gt(now))
            .exec(transaction)
            .await?;
        if renewed.rows_affected > 0 {
            return Ok(device.clone());
        }
    }
    let token = random::token()?;
    known_device::Entity::insert(known_device::ActiveModel {
        token_digest: Set(random::digest(token.expose())),
        user_id: Set(user),
        created_at: Set(now),
        expires_at: Set(expires_at),
    })
    .exec_without_returning(transaction)
    .await?;
    forget_oldest_devices(transaction, user).await?;
    Ok(token)
}

async fn forget_oldest_devices(transaction: &DatabaseTransaction, user: Uuid) -> Result<(), Error> {
    let newest = known_device::Entity::find()
        .select_only()
        .column(known_device::Column::TokenDigest)
        .filter(known_device::Column::UserId.eq(user))
        .order_by_desc(known_device::Column::ExpiresAt)
        .limit(DEVICES_OF_A_USER)
        .into_query();
    known_device::Entity::delete_many()
        .filter(known_device::Column::UserId.eq(user))
        .filter(known_device::Column::TokenDigest.not_in_subquery(newest))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Remembers the address for a year.
pub(in crate::store) async fn know_address(
    transaction: &DatabaseTransaction,
    user: Uuid,
    client: ClientAddress,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    use known_address::{Column, Entity};
    if client.ip().is_none() {
        return Ok(());
    }
    let row = known_address::ActiveModel {
        user_id: Set(user),
        address: Set(address_part(client)),
        expires_at: Set(now + DEVICE_LIFETIME),
    };
    let conflict = OnConflict::columns([Column::UserId, Column::Address])
        .update_column(Column::ExpiresAt)
        .to_owned();
    Entity::insert(row)
        .on_conflict(conflict)
        .exec_without_returning(transaction)
        .await?;
    let newest = Entity::find()
        .select_only()
        .column(Column::Address)
        .filter(Column::UserId.eq(user))
        .order_by_desc(Column::ExpiresAt)
        .limit(ADDRESSES_OF_A_USER)
        .into_query();
    Entity::delete_many()
        .filter(Column::UserId.eq(user))
        .filter(Column::Address.not_in_subquery(newest))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Deletes a few expired sessions. It never waits, because it skips locked rows and runs last.
pub(in crate::store) async fn forget_old_sessions(
    transaction: &DatabaseTransaction,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let is_over = Condition::any()
        .add(session::Column::ExpiresAt.lte(now))
        .add(session::Column::LastSeenAt.lte(now - IDLE_TIMEOUT));
    let over = session::Entity::find()
        .select_only()
        .column(session::Column::TokenDigest)
        .filter(is_over)
        .limit(CLEARED_AT_ONCE)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    session::Entity::delete_many()
        .filter(session::Column::TokenDigest.in_subquery(over))
        .exec(transaction)
        .await?;
    Ok(())
}
