//! Requests that count once: a form that is sent again by Reload or Back, and the JSON API's `Idempotency-Key`.
//!
//! The token is written in the transaction of the change, so that neither is there without the other. A repeat finds it and changes
//! nothing; what failed leaves no token, and may be tried again.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Statement,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    entity::idempotent_request::{ActiveModel, Column, Entity},
    error::damaged,
};
use crate::{
    Error,
    id::{KeyId, TenantId, UserId},
    key::ApiKey,
};

/// How long a token is remembered, and how long a form may lie open.
pub(crate) const REMEMBERED: TimeDelta = TimeDelta::hours(24);
/// How far the clock that a form was made by may be ahead of ours.
const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::hours(1);
/// So many outdated tokens go with each new one: more than come, few enough to be quick.
const FORGOTTEN_AT_ONCE: u64 = 100;

/// What marks a request as one that counts once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Whose token it is: the same one of somebody else is another one.
    scope: String,
    token: String,
    /// SHA-256 of what is asked for: the same token with something else is a mistake.
    digest: [u8; 32],
}

impl IdempotencyKey {
    /// Longest `Idempotency-Key`, in characters.
    pub const MAX_KEY_LENGTH: usize = 255;

    /// A form of a page. `form_id` is the UUID of version 7 that the server gave the form when it showed it to `user`; `content` is
    /// what the form asks for, in a form that is the same for the same.
    ///
    /// # Errors
    /// [`Error::FormTooOld`] for a form that was shown more than 24 hours ago: its token may be forgotten.
    pub fn form(
        user: UserId,
        form_id: Uuid,
        content: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let shown_at = shown_at(form_id).ok_or(Error::FormTooOld)?;
        if now - shown_at >= REMEMBERED || shown_at - now > CLOCK_DIFFERENCE {
            return Err(Error::FormTooOld);
        }
        Ok(Self {
            scope: format!("form:{user}"),
            token: form_id.to_string(),
            digest: Sha256::digest(content).into(),
        })
    }

    /// A request of the JSON API with the header `Idempotency-Key`, made with the API key `key`. `content` is what it asks for: the
    /// route and the body, in a form that is the same for the same.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not 1–255 printable characters of ASCII.
    pub fn header(key: KeyId, token: &str, content: &[u8]) -> Result<Self, Error> {
        let length = 1..=Self::MAX_KEY_LENGTH;
        let printable = token.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !length.contains(&token.len()) || !printable {
            return Err(Error::invalid(
                "Idempotency-Key",
                "Must be 1–255 printable ASCII characters",
            ));
        }
        Ok(Self {
            scope: format!("api_key:{key}"),
            token: token.to_owned(),
            digest: Sha256::digest(content).into(),
        })
    }

    /// The number under which PostgreSQL locks the token: two tokens that share it by chance merely wait for each other.
    fn lock_number(&self, tenant: TenantId) -> i64 {
        let mut hash = Sha256::new();
        for part in [&tenant.to_string(), &self.scope, &self.token] {
            hash.update(part);
            hash.update([0]);
        }
        let hash: [u8; 32] = hash.finalize().into();
        hash.first_chunk()
            .map_or(0, |start| i64::from_be_bytes(*start))
    }
}

/// When a form was shown, which its identifier says. `None` where it is none of ours.
fn shown_at(form_id: Uuid) -> Option<DateTime<Utc>> {
    if form_id.get_version_num() != 7 {
        return None;
    }
    let (seconds, nanoseconds) = form_id.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)
}

/// What came of a request that counts once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one in a request, taken apart where it arrives"
)]
pub enum Idempotent<T> {
    /// It was done now.
    Done(T),
    /// It had been done before, and nothing was changed. A secret that was shown then is not shown again.
    Repeated {
        /// The key that came of it, as it is now.
        key: ApiKey,
    },
}

impl<T> Idempotent<T> {
    /// With what was done made into something else.
    #[must_use]
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Idempotent<U> {
        match self {
            Self::Done(done) => Idempotent::Done(make(done)),
            Self::Repeated { key } => Idempotent::Repeated { key },
        }
    }
}

/// Which key came of this request, where it was done before. Otherwise the token is the transaction's until it ends.
///
/// # Errors
/// [`Error::RequestInFlight`] where another transaction has the token, [`Error::RequestReused`] where it was used for something else.
pub(crate) async fn find_done(
    transaction: &DatabaseTransaction,
    tenant: TenantId,
    idempotency: &IdempotencyKey,
    now: DateTime<Utc>,
) -> Result<Option<KeyId>, Error> {
    // SQLite's transactions that write wait for each other anyway.
    if transaction.get_database_backend() == DbBackend::Postgres {
        let lock = transaction
            .query_one_raw(Statement::from_sql_and_values(
                DbBackend::Postgres,
                "SELECT pg_try_advisory_xact_lock($1)",
                [idempotency.lock_number(tenant).into()],
            ))
            .await?
            .ok_or_else(|| damaged("lock"))?;
        if !lock.try_get_by_index::<bool>(0)? {
            return Err(Error::RequestInFlight);
        }
    }
    let done = Entity::find_by_id((
        tenant.as_uuid(),
        idempotency.scope.clone(),
        idempotency.token.clone(),
    ))
    .one(transaction)
    .await?;
    match done {
        Some(done) if is_outdated(done.created_at, now) => Ok(None),
        Some(done) if done.digest == idempotency.digest => Ok(Some(done.key_id.into())),
        Some(_) => Err(Error::RequestReused),
        None => Ok(None),
    }
}

/// Remembers what came of the request, after [`find_done`] in the same transaction; and forgets some of what is outdated.
pub(crate) async fn remember(
    transaction: &DatabaseTransaction,
    tenant: TenantId,
    idempotency: &IdempotencyKey,
    key: KeyId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    // An outdated row of the same token gives its place up.
    Entity::delete_by_id((
        tenant.as_uuid(),
        idempotency.scope.clone(),
        idempotency.token.clone(),
    ))
    .exec(transaction)
    .await?;
    forget_outdated(transaction, tenant, now).await?;
    let row = ActiveModel {
        tenant_id: Set(tenant.as_uuid()),
        scope: Set(idempotency.scope.clone()),
        token: Set(idempotency.token.clone()),
        digest: Set(idempotency.digest.to_vec()),
        key_id: Set(key.as_uuid()),
        created_at: Set(now),
    };
    Entity::insert(row)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

async fn forget_outdated(
    transaction: &DatabaseTransaction,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let mut outdated = Entity::find()
        .select_only()
        .columns([Column::TenantId, Column::Scope, Column::Token])
        .filter(Column::TenantId.eq(tenant.as_uuid()))
        .filter(Column::CreatedAt.lte(now - REMEMBERED))
        .order_by_asc(Column::CreatedAt)
        .limit(FORGOTTEN_AT_ONCE);
    // What another transaction is forgetting is none of ours, or two could wait for each other.
    QueryTrait::query(&mut outdated).lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let row = Expr::tuple([Column::TenantId, Column::Scope, Column::Token].map(Expr::col));
    Entity::delete_many()
        .filter(row.in_subquery(outdated.into_query()))
        .exec(transaction)
        .await?;
    Ok(())
}

fn is_outdated(created_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    created_at <= now - REMEMBERED
}
