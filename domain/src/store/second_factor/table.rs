//! The tables of second factors and recovery codes, and the use of a code.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait,
    PaginatorTrait, QueryFilter, sea_query::Expr,
};
use uuid::Uuid;

use super::code::{RECOVERY_CODES, RecoveryCode, Seed};
use crate::{
    Error,
    store::{
        encryption::{EncryptionKeys, KeyFault, Place},
        entity::{pending_sign_in, recovery_code, second_factor},
    },
    user::Email,
};

/// The place of a user's seed.
pub(crate) const fn place_of_seed(user: Uuid) -> Place {
    Place {
        table: "second_factors",
        column: "seed",
        row: user,
    }
}

/// The second factor of a user, if it is on.
pub(crate) async fn find_enabled(
    connection: &impl ConnectionTrait,
    user: Uuid,
) -> Result<Option<second_factor::Model>, Error> {
    Ok(second_factor::Entity::find_by_id(user)
        .filter(second_factor::Column::EnabledAt.is_not_null())
        .one(connection)
        .await?)
}

/// The seed in a row.
pub(crate) fn seed_of(
    keys: &EncryptionKeys,
    row: &second_factor::Model,
    email: &Email,
) -> Result<Seed, Error> {
    let bytes = keys.decrypt(place_of_seed(row.user_id), &row.seed)?;
    Seed::from_bytes(bytes, email).map_err(|_| Error::EncryptionKey(KeyFault::Wrong))
}

/// Marks a time step as used. Returns `false` if its code, or a later one, was used before, or if the second factor has been changed since
/// `row` was read. One statement decides, so that of two replicas one accepts the code.
pub(crate) async fn use_step(
    transaction: &DatabaseTransaction,
    row: &second_factor::Model,
    step: i64,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    use second_factor::Column;
    let is_unused = Condition::any()
        .add(Column::LastStep.is_null())
        .add(Column::LastStep.lt(step));
    let used = second_factor::Entity::update_many()
        .col_expr(Column::LastStep, Expr::value(step))
        .col_expr(Column::LastUsedAt, Expr::value(now))
        .filter(Column::UserId.eq(row.user_id))
        .filter(Column::CreatedAt.eq(row.created_at))
        .filter(is_unused)
        .exec(transaction)
        .await?;
    Ok(used.rows_affected > 0)
}

/// Marks a recovery code as used. Returns `false` if it is none of the user's, or was used before.
pub(crate) async fn use_recovery_code(
    transaction: &DatabaseTransaction,
    user: Uuid,
    code: &RecoveryCode,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    use recovery_code::Column;
    let used = recovery_code::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now))
        .filter(Column::UserId.eq(user))
        .filter(Column::CodeDigest.eq(code.digest(user)))
        .filter(Column::UsedAt.is_null())
        .exec(transaction)
        .await?;
    Ok(used.rows_affected > 0)
}

/// The number of unused recovery codes.
pub(crate) async fn codes_left(
    connection: &impl ConnectionTrait,
    user: Uuid,
) -> Result<u64, Error> {
    Ok(recovery_code::Entity::find()
        .filter(recovery_code::Column::UserId.eq(user))
        .filter(recovery_code::Column::UsedAt.is_null())
        .count(connection)
        .await?)
}

/// Replaces the user's recovery codes, and returns the new ones as text.
pub(crate) async fn replace_codes(
    transaction: &DatabaseTransaction,
    user: Uuid,
) -> Result<Vec<String>, Error> {
    delete_codes(transaction, user).await?;
    let mut texts = Vec::with_capacity(RECOVERY_CODES);
    let mut rows = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let code = RecoveryCode::generate()?;
        rows.push(recovery_code::ActiveModel {
            user_id: Set(user),
            code_digest: Set(code.digest(user)),
            used_at: Set(None),
        });
        texts.push(code.text());
    }
    recovery_code::Entity::insert_many(rows)
        .exec_without_returning(transaction)
        .await?;
    Ok(texts)
}

async fn delete_codes(transaction: &DatabaseTransaction, user: Uuid) -> Result<(), Error> {
    recovery_code::Entity::delete_many()
        .filter(recovery_code::Column::UserId.eq(user))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Deletes a user's second factor with its recovery codes, and ends the sign-ins that wait for a code. Returns whether it was on.
pub(crate) async fn delete(transaction: &DatabaseTransaction, user: Uuid) -> Result<bool, Error> {
    let was_on = find_enabled(transaction, user).await?.is_some();
    second_factor::Entity::delete_by_id(user)
        .exec(transaction)
        .await?;
    delete_codes(transaction, user).await?;
    pending_sign_in::Entity::delete_many()
        .filter(pending_sign_in::Column::UserId.eq(user))
        .exec(transaction)
        .await?;
    Ok(was_on)
}
