//! The limit on consecutive failures of one account. It bounds guessing from many addresses that each stay within their own limit.
//!
//! The account is a digest of the typed text. Unknown accounts are counted like known ones, so that responses do not reveal which exist.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, LockBehavior, LockType, OnConflict},
};

use super::buckets::{Buckets, CLEARED_AT_ONCE};
use crate::{
    Error,
    store::{
        clock,
        entity::{sign_in_account, sign_in_single_try},
    },
};

/// Consecutive failures of one account, from any address, after which an address that has never signed in to it gets one attempt in
/// [`SINGLE_TRY`].
const CONSECUTIVE_FAILURES: i64 = 100;

/// Time that an address waits after its one attempt.
const SINGLE_TRY: TimeDelta = TimeDelta::hours(24);

/// Time for which an account is remembered after its last failure.
const MEMORY: TimeDelta = TimeDelta::days(30);

/// Maximum number of stored accounts; those with the fewest failures are deleted first. A client can name any number of accounts.
const ACCOUNTS: u64 = 100_000;

/// One in this many new accounts triggers the deletion of old ones, because a deletion reads the whole index.
const CLEARING_INTERVAL: u8 = 64;

/// The time for which the account's consecutive failures refuse this address; `None` if they do not. Only reads.
pub(super) async fn refusal(
    connection: &impl ConnectionTrait,
    buckets: &Buckets,
    now: DateTime<Utc>,
) -> Result<Option<TimeDelta>, Error> {
    let account = sign_in_account::Entity::find_by_id(buckets.account.as_str())
        .one(connection)
        .await?;
    let is_past_the_bound = account.is_some_and(|account| {
        account.failures >= CONSECUTIVE_FAILURES && account.last_failed_at > oldest_failure(now)
    });
    if is_past_the_bound {
        rest_of_day(connection, buckets, now).await
    } else {
        Ok(None)
    }
}

/// Counts one more consecutive failure. The account's row stays locked until the transaction ends, so that concurrent attempts are counted
/// one after another.
///
/// # Errors
/// [`Error::Throttled`] if the address has used its one attempt: the transaction must be rolled back.
pub(super) async fn reserve(
    transaction: &DatabaseTransaction,
    buckets: &Buckets,
    is_familiar: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let now = clock::stored(now);
    let account = count(transaction, buckets, now).await?;
    if account.failures == 1 && is_turn_to_clear(&account.account) {
        clear_away(transaction, now).await?;
    }
    if account.failures <= CONSECUTIVE_FAILURES || is_familiar {
        return Ok(());
    }
    if let Some(retry_after) = rest_of_day(transaction, buckets, now).await? {
        return Err(Error::Throttled { retry_after });
    }
    let row = sign_in_single_try::ActiveModel {
        bucket: Set(buckets.account_and_address.clone()),
        tried_at: Set(now),
    };
    let conflict = OnConflict::column(sign_in_single_try::Column::Bucket)
        .update_column(sign_in_single_try::Column::TriedAt)
        .to_owned();
    sign_in_single_try::Entity::insert(row)
        .on_conflict(conflict)
        .exec_without_returning(transaction)
        .await?;
    clear_away_tries(transaction, now).await?;
    Ok(())
}

async fn count(
    transaction: &DatabaseTransaction,
    buckets: &Buckets,
    now: DateTime<Utc>,
) -> Result<sign_in_account::Model, Error> {
    use sign_in_account::{Column, Entity};
    let is_forgotten = Expr::col((Entity, Column::LastFailedAt)).lte(oldest_failure(now));
    let one_more = Expr::col((Entity, Column::Failures)).add(1_i64);
    let conflict = OnConflict::column(Column::Account)
        .value(
            Column::Failures,
            Expr::case(is_forgotten, 1_i64).finally(one_more),
        )
        .update_column(Column::LastFailedAt)
        .to_owned();
    let row = sign_in_account::ActiveModel {
        account: Set(buckets.account.clone()),
        failures: Set(1),
        last_failed_at: Set(now),
    };
    Ok(Entity::insert(row)
        .on_conflict(conflict)
        .exec_with_returning(transaction)
        .await?)
}

/// The remaining wait of an address after its one attempt; `None` if the attempt is unused.
async fn rest_of_day(
    connection: &impl ConnectionTrait,
    buckets: &Buckets,
    now: DateTime<Utc>,
) -> Result<Option<TimeDelta>, Error> {
    let single = sign_in_single_try::Entity::find_by_id(buckets.account_and_address.as_str())
        .one(connection)
        .await?;
    Ok(single
        .map(|single| single.tried_at + SINGLE_TRY - now)
        .filter(|rest| *rest > TimeDelta::zero())
        // A clock that was set back must not refuse an address for longer than a day.
        .map(|rest| rest.min(SINGLE_TRY)))
}

/// Uncounts one attempt: earlier failures stay counted, and this address may try again.
pub(super) async fn take_back(
    transaction: &DatabaseTransaction,
    account: &str,
    account_and_address: &str,
) -> Result<(), Error> {
    sign_in_account::Entity::update_many()
        .col_expr(
            sign_in_account::Column::Failures,
            Expr::col(sign_in_account::Column::Failures).sub(1_i64),
        )
        .filter(sign_in_account::Column::Account.eq(account))
        .filter(sign_in_account::Column::Failures.gt(0))
        .exec(transaction)
        .await?;
    sign_in_single_try::Entity::delete_by_id(account_and_address)
        .exec(transaction)
        .await?;
    Ok(())
}

/// Resets the account after a successful sign-in, and restores this address's attempt.
pub(super) async fn succeed(
    transaction: &DatabaseTransaction,
    account: &str,
    account_and_address: &str,
) -> Result<(), Error> {
    sign_in_account::Entity::delete_by_id(account)
        .exec(transaction)
        .await?;
    sign_in_single_try::Entity::delete_by_id(account_and_address)
        .exec(transaction)
        .await?;
    Ok(())
}

/// Deletes the account's failures and the attempts of all addresses.
pub(super) async fn forget_account(
    transaction: &DatabaseTransaction,
    account: &str,
) -> Result<(), Error> {
    sign_in_account::Entity::delete_by_id(account)
        .exec(transaction)
        .await?;
    sign_in_single_try::Entity::delete_many()
        .filter(sign_in_single_try::Column::Bucket.starts_with(account))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Depends on the digest only, which a client cannot choose.
fn is_turn_to_clear(account: &str) -> bool {
    let first = account.get(..2);
    first
        .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        .is_some_and(|byte| byte % CLEARING_INTERVAL == 0)
}

/// Deletes accounts whose last failure is older than [`MEMORY`] and, beyond [`ACCOUNTS`], those with the fewest failures. Locked rows are
/// skipped, so it never waits.
async fn clear_away(transaction: &DatabaseTransaction, now: DateTime<Utc>) -> Result<(), Error> {
    use sign_in_account::{Column, Entity};
    let over = Entity::find()
        .select_only()
        .column(Column::Account)
        .filter(Column::LastFailedAt.lte(oldest_failure(now)))
        .limit(CLEARED_AT_ONCE * u64::from(CLEARING_INTERVAL))
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    Entity::delete_many()
        .filter(Column::Account.in_subquery(over))
        .exec(transaction)
        .await?;
    let too_many = Entity::find()
        .count(transaction)
        .await?
        .saturating_sub(ACCOUNTS);
    if too_many == 0 {
        return Ok(());
    }
    let least = Entity::find()
        .select_only()
        .column(Column::Account)
        .order_by_asc(Column::Failures)
        .order_by_asc(Column::LastFailedAt)
        .limit(too_many)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    Entity::delete_many()
        .filter(Column::Account.in_subquery(least))
        .exec(transaction)
        .await?;
    Ok(())
}

async fn clear_away_tries(
    transaction: &DatabaseTransaction,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    use sign_in_single_try::{Column, Entity};
    let over = Entity::find()
        .select_only()
        .column(Column::Bucket)
        .filter(Column::TriedAt.lte(now - SINGLE_TRY))
        .limit(CLEARED_AT_ONCE)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    Entity::delete_many()
        .filter(Column::Bucket.in_subquery(over))
        .exec(transaction)
        .await?;
    Ok(())
}

/// A failure at this time or earlier is no longer counted at `now`.
fn oldest_failure(now: DateTime<Utc>) -> DateTime<Utc> {
    now - MEMORY
}
