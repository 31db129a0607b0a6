//! Re-encrypts stored secrets under a new encryption key, in bounded batches.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use serde::Serialize;
use uuid::Uuid;

use super::table::place_of_seed;
use crate::{
    Error,
    store::{connection::Database, entity::second_factor, write::Write},
};

/// The number of values that one transaction re-encrypts.
const BATCH: u64 = 100;

/// The result of a rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// The number of values that are now encrypted with the current key and were not before.
    pub reencrypted: u64,
    /// The number of values that neither the current nor the previous key decrypts. They stay as they are.
    pub unreadable: u64,
}

/// Re-encrypts every stored secret that the current key did not encrypt. Can be repeated, and continued after an interruption.
///
/// # Errors
/// [`Error::EncryptionKey`] without a current key; [`Error::Unavailable`].
pub(crate) async fn rotate(database: &Database) -> Result<Rotated, Error> {
    use second_factor::{Column, Entity};
    let keys = &database.options().second_factor.keys;
    let prefix = keys.current_prefix()?;
    let mut rotated = Rotated::default();
    let mut after = Uuid::nil();
    loop {
        let old = Entity::find()
            .filter(Column::UserId.gt(after))
            .filter(Column::Seed.not_like(format!("{prefix}%")))
            .order_by_asc(Column::UserId)
            .limit(BATCH)
            .all(database.lookups());
        let old = database.with_timeout(old).await?;
        let Some(last) = old.last() else {
            return Ok(rotated);
        };
        after = last.user_id;
        let mut batch = Vec::with_capacity(old.len());
        for row in old {
            let place = place_of_seed(row.user_id);
            match keys.decrypt(place, &row.seed) {
                Ok(seed) => {
                    let new = keys.encrypt(place, &seed)?;
                    batch.push((row, new));
                }
                Err(_) => rotated.unreadable += 1,
            }
        }
        let written = database.write(Write::Plain, async |transaction| {
            let mut written = 0;
            for (row, new) in &batch {
                // A seed that was replaced meanwhile is encrypted with the key of the process that replaced it.
                let updated = Entity::update_many()
                    .col_expr(Column::Seed, Expr::value(new.as_str()))
                    .filter(Column::UserId.eq(row.user_id))
                    .filter(Column::Seed.eq(row.seed.as_str()))
                    .exec(transaction)
                    .await?;
                written += updated.rows_affected;
            }
            Ok(written)
        });
        rotated.reencrypted += written.await?.value;
    }
}
