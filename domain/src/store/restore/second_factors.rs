//! Second factors across a restore: they are those of the present database, and no used code is accepted again.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{
    Error,
    store::{backup::count, second_factor::code::last_step_at},
};

const HAS_TABLES: &str = "SELECT count(*) FROM main.sqlite_schema WHERE name = 'second_factors'";

const KEEP: &str = "
    CREATE TEMP TABLE kept_users AS SELECT id FROM main.users;
    CREATE TEMP TABLE kept_factors AS SELECT * FROM main.second_factors;
    CREATE TEMP TABLE kept_codes AS SELECT * FROM main.recovery_codes;
";

/// Users that the present database does not have keep the second factors of the backup.
const PUT_BACK: &str = "
    DELETE FROM main.second_factors WHERE user_id IN (SELECT id FROM temp.kept_users);
    DELETE FROM main.recovery_codes WHERE user_id IN (SELECT id FROM temp.kept_users);
    INSERT INTO main.second_factors
        SELECT * FROM temp.kept_factors WHERE user_id IN (SELECT id FROM main.users);
    INSERT INTO main.recovery_codes
        SELECT * FROM temp.kept_codes WHERE user_id IN (SELECT id FROM main.users);
    DROP TABLE temp.kept_users;
    DROP TABLE temp.kept_factors;
    DROP TABLE temp.kept_codes;
";

/// Copies the second factors of the present database, if it is the witness of the time since the backup. Returns whether it has any tables
/// of them: an earlier version has none.
pub(super) async fn keep(transaction: &impl ConnectionTrait) -> Result<bool, Error> {
    if count(transaction, HAS_TABLES).await? == 0 {
        return Ok(false);
    }
    transaction.execute_unprepared(KEEP).await?;
    Ok(true)
}

/// Replaces the second factors of the backup by those that [`keep`] copied. If it copied none, the recovery codes are deleted, because it is
/// unknown which were used. In each case, no code of an app from before the restore is accepted.
pub(super) async fn put_back(
    transaction: &impl ConnectionTrait,
    is_kept: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if is_kept {
        transaction.execute_unprepared(PUT_BACK).await?;
    } else {
        transaction
            .execute_unprepared("DELETE FROM recovery_codes")
            .await?;
    }
    let use_up = Statement::from_sql_and_values(
        DbBackend::Sqlite,
        "UPDATE second_factors SET last_step = max(coalesce(last_step, 0), $1)",
        [last_step_at(now).into()],
    );
    transaction.execute_raw(use_up).await?;
    Ok(())
}
