//! The throttle of wrong passwords by account and address, and by address alone, in a window. `consecutive` bounds many addresses together.
//!
//! The counters are in the database, so that the limits survive restarts and hold over all replicas. An attempt is counted as failed before
//! its password is hashed, and uncounted if the password is right, so that concurrent attempts cannot exceed the limit.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter,
    QuerySelect, QueryTrait,
    sea_query::{Expr, LockBehavior, LockType, OnConflict},
};

use super::{
    buckets::{Buckets, CLEARED_AT_ONCE, account_part},
    consecutive,
};
use crate::{
    Error,
    store::{clock, entity::sign_in_bucket},
};

/// Length of a window, from its first failure.
pub(super) const WINDOW: TimeDelta = TimeDelta::minutes(15);

/// An attempt that is counted as failed until [`succeed`] uncounts it.
pub(in crate::store) struct Reservation {
    account: String,
    account_and_address: String,
    address: String,
    address_window: DateTime<Utc>,
    /// Whether the audit log contains this window's refusal.
    pub(super) refusal_audited: bool,
}

/// The time for which `buckets` refuse attempts from `now` on; `None` if they do not. Only reads, so that refusing a flood is cheap.
pub(super) async fn refusal(
    connection: &impl ConnectionTrait,
    buckets: &Buckets,
    now: DateTime<Utc>,
) -> Result<Option<TimeDelta>, Error> {
    let limits = buckets.limits();
    let rows = sign_in_bucket::Entity::find()
        .filter(sign_in_bucket::Column::Bucket.is_in(limits.map(|(bucket, _)| bucket)))
        .filter(sign_in_bucket::Column::WindowStartedAt.gt(oldest_window(now)))
        .all(connection)
        .await?;
    Ok(rows
        .iter()
        .filter(|row| {
            limits
                .iter()
                .any(|(bucket, limit)| *bucket == row.bucket && row.failures >= *limit)
        })
        .map(|row| rest_of_window(row, now))
        .max())
}

/// Counts an attempt as failed in both buckets.
///
/// # Errors
/// [`Error::Throttled`] if one is full; the caller must then roll back the transaction.
pub(super) async fn reserve(
    transaction: &DatabaseTransaction,
    buckets: &Buckets,
    now: DateTime<Utc>,
) -> Result<Reservation, Error> {
    // The order is fixed, so that two transactions cannot deadlock.
    let [account_and_address, address] = buckets.limits();
    let mut begins_window = false;
    let mut rows = Vec::with_capacity(2);
    for (bucket, limit) in [account_and_address, address] {
        let row = count(transaction, bucket, now).await?;
        if row.failures > limit {
            return Err(Error::Throttled {
                retry_after: rest_of_window(&row, now),
            });
        }
        begins_window |= row.failures == 1;
        rows.push(row);
    }
    if begins_window {
        forget_old_windows(transaction, now).await?;
    }
    let refusal_audited = rows.first().is_some_and(|row| row.refusal_audited);
    let address_window = rows.last().map_or(now, |row| row.window_started_at);
    Ok(Reservation {
        account: buckets.account.clone(),
        account_and_address: account_and_address.0.to_owned(),
        address: address.0.to_owned(),
        address_window,
        refusal_audited,
    })
}

/// Counts one more failure in `bucket`, in a new window if the last one is over. A single statement keeps the row locked until the
/// transaction ends, so that concurrent attempts are counted one after another.
pub(in crate::store) async fn count(
    transaction: &DatabaseTransaction,
    bucket: &str,
    now: DateTime<Utc>,
) -> Result<sign_in_bucket::Model, Error> {
    use sign_in_bucket::{Column, Entity};
    let now = clock::stored(now);
    let is_over = Expr::col((Entity, Column::WindowStartedAt)).lte(oldest_window(now));
    let row = sign_in_bucket::ActiveModel {
        bucket: Set(bucket.to_owned()),
        window_started_at: Set(now),
        failures: Set(1),
        refusal_audited: Set(false),
    };
    let otherwise = |column: Column| Expr::col((Entity, column));
    let conflict = OnConflict::column(Column::Bucket)
        .value(
            Column::Failures,
            Expr::case(is_over.clone(), 1_i64).finally(otherwise(Column::Failures).add(1_i64)),
        )
        .value(
            Column::WindowStartedAt,
            Expr::case(is_over.clone(), now).finally(otherwise(Column::WindowStartedAt)),
        )
        .value(
            Column::RefusalAudited,
            Expr::case(is_over, false).finally(otherwise(Column::RefusalAudited)),
        )
        .to_owned();
    Ok(Entity::insert(row)
        .on_conflict(conflict)
        .exec_with_returning(transaction)
        .await?)
}

/// Uncounts the attempt: resets the account for this address, and keeps the failures of other accounts from it.
pub(super) async fn succeed(
    transaction: &DatabaseTransaction,
    reservation: &Reservation,
) -> Result<(), Error> {
    sign_in_bucket::Entity::delete_by_id(reservation.account_and_address.as_str())
        .exec(transaction)
        .await?;
    sign_in_bucket::Entity::update_many()
        .col_expr(
            sign_in_bucket::Column::Failures,
            Expr::col(sign_in_bucket::Column::Failures).sub(1_i64),
        )
        .filter(sign_in_bucket::Column::Bucket.eq(reservation.address.as_str()))
        .filter(sign_in_bucket::Column::WindowStartedAt.eq(reservation.address_window))
        .filter(sign_in_bucket::Column::Failures.gt(0))
        .exec(transaction)
        .await?;
    consecutive::succeed(
        transaction,
        &reservation.account,
        &reservation.account_and_address,
    )
    .await
}

/// Uncounts this attempt alone: earlier failures stay counted.
pub(super) async fn take_back(
    transaction: &DatabaseTransaction,
    reservation: &Reservation,
) -> Result<(), Error> {
    for bucket in [&reservation.account_and_address, &reservation.address] {
        sign_in_bucket::Entity::update_many()
            .col_expr(
                sign_in_bucket::Column::Failures,
                Expr::col(sign_in_bucket::Column::Failures).sub(1_i64),
            )
            .filter(sign_in_bucket::Column::Bucket.eq(bucket.as_str()))
            .filter(sign_in_bucket::Column::Failures.gt(0))
            .exec(transaction)
            .await?;
    }
    consecutive::take_back(
        transaction,
        &reservation.account,
        &reservation.account_and_address,
    )
    .await
}

/// Marks this window's refusal as audited. Returns whether it was not audited before, so that the caller must write the event.
pub(super) async fn note_refusal(
    transaction: &DatabaseTransaction,
    reservation: &Reservation,
) -> Result<bool, Error> {
    let noted = sign_in_bucket::Entity::update_many()
        .col_expr(sign_in_bucket::Column::RefusalAudited, Expr::value(true))
        .filter(sign_in_bucket::Column::Bucket.eq(reservation.account_and_address.as_str()))
        .filter(sign_in_bucket::Column::RefusalAudited.eq(false))
        .exec(transaction)
        .await?;
    Ok(noted.rows_affected > 0)
}

/// Deletes the failures of an account from all addresses.
pub(crate) async fn forget_account(
    transaction: &DatabaseTransaction,
    account: &str,
) -> Result<(), Error> {
    let account = account_part(account);
    sign_in_bucket::Entity::delete_many()
        .filter(sign_in_bucket::Column::Bucket.starts_with(account.as_str()))
        .exec(transaction)
        .await?;
    consecutive::forget_account(transaction, &account).await
}

/// Deletes a few past windows. It never waits, because it skips locked rows.
pub(in crate::store) async fn forget_old_windows(
    transaction: &DatabaseTransaction,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let over = sign_in_bucket::Entity::find()
        .select_only()
        .column(sign_in_bucket::Column::Bucket)
        .filter(sign_in_bucket::Column::WindowStartedAt.lte(oldest_window(now)))
        .limit(CLEARED_AT_ONCE)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    sign_in_bucket::Entity::delete_many()
        .filter(sign_in_bucket::Column::Bucket.in_subquery(over))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Whether the window of `row` lasts at `now`.
pub(in crate::store) fn is_current(row: &sign_in_bucket::Model, now: DateTime<Utc>) -> bool {
    row.window_started_at > oldest_window(now)
}

/// A window that started at this time or earlier is over at `now`.
fn oldest_window(now: DateTime<Utc>) -> DateTime<Utc> {
    now - WINDOW
}

pub(in crate::store) fn rest_of_window(
    row: &sign_in_bucket::Model,
    now: DateTime<Utc>,
) -> TimeDelta {
    // A clock that was set back must not refuse an account for longer than a window.
    (row.window_started_at + WINDOW - now).clamp(TimeDelta::seconds(1), WINDOW)
}
