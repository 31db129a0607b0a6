//! Pending sign-ins: a right password that waits for a code.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use crate::{
    Error,
    session::SessionToken,
    store::{
        entity::{pending_sign_in, user},
        random,
    },
};

/// The time for which a right password is good.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// The maximum number of pending sign-ins of a user; the oldest are deleted.
const PENDING_OF_A_USER: u64 = 10;
/// The maximum number of ended pending sign-ins that one sign-in deletes.
const CLEARED_AT_ONCE: u64 = 100;

/// Stores a pending sign-in of the user, and returns its token.
pub(crate) async fn begin(
    transaction: &DatabaseTransaction,
    row: &user::Model,
    now: DateTime<Utc>,
) -> Result<SessionToken, Error> {
    use pending_sign_in::{Column, Entity};
    let token = random::token()?;
    Entity::insert(pending_sign_in::ActiveModel {
        token_digest: Set(random::digest(token.expose())),
        user_id: Set(row.id),
        user_version: Set(row.version),
        created_at: Set(now),
        expires_at: Set(now + LIFETIME),
    })
    .exec_without_returning(transaction)
    .await?;
    let newest = Entity::find()
        .select_only()
        .column(Column::TokenDigest)
        .filter(Column::UserId.eq(row.id))
        .order_by_desc(Column::ExpiresAt)
        .limit(PENDING_OF_A_USER)
        .into_query();
    Entity::delete_many()
        .filter(Column::UserId.eq(row.id))
        .filter(Column::TokenDigest.not_in_subquery(newest))
        .exec(transaction)
        .await?;
    let ended = Entity::find()
        .select_only()
        .column(Column::TokenDigest)
        .filter(Column::ExpiresAt.lte(now))
        .limit(CLEARED_AT_ONCE)
        .into_query();
    Entity::delete_many()
        .filter(Column::TokenDigest.in_subquery(ended))
        .exec(transaction)
        .await?;
    Ok(token)
}
