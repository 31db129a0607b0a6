//! Counts accepted requests by key, day and address, and refused requests by key, day and code. Counting is no change, so it adds no audit
//! events.

use chrono::{Days, NaiveDate};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait,
    QueryFilter, QueryOrder, Select, Statement, Value,
    sea_query::{Alias, Expr, ExprTrait, OnConflict},
};
use std::collections::BTreeMap;
use uuid::Uuid;

pub use crate::usage::{MOST_ADDRESSES, OTHER, UNKNOWN};
use crate::usage::{StoredCounters, last_uses, stored as stored_count};

use super::{Keys, address_counts::AddressRows, last_used};
use crate::{
    Error,
    id::KeyId,
    store::{
        Store,
        entity::{address_use, refusal},
        error::damaged,
        write::Write,
    },
    usage::{UseKind, Uses},
};

/// Days for which counts are kept, including today.
pub const DAYS_KEPT: u64 = 90;

/// The number of PostgreSQL's advisory lock for new addresses: "lk-usage" in ASCII.
const POSTGRES_LOCK: i64 = 0x6c6b_2d75_7361_6765;

/// Rows deleted in one transaction: few, so that concurrent changes do not wait long.
const DELETED_AT_ONCE: u32 = 1_000;

/// The number of refused requests of a key with one code on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalCount {
    /// The UTC day.
    pub day: NaiveDate,
    /// The code of the refusal.
    pub code: String,
    /// The number of requests.
    pub count: u64,
}

/// The number of accepted requests of a key from one address on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressUse {
    /// The UTC day.
    pub day: NaiveDate,
    /// The address, [`UNKNOWN`] or [`OTHER`].
    pub address: String,
    /// The number of requests.
    pub count: u64,
}

impl Store {
    /// Adds these counts to the stored ones in one transaction, and records the last uses. `counts` must be sorted by key; `stored` has the
    /// counters that earlier calls wrote.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: no count was written; a repeat records the same last uses. [`Error::OutcomeUnknown`]: no count or every one
    /// was written, so a repeat could count twice.
    pub(crate) async fn write_usage(
        &self,
        counts: &[(UseKind, Uses)],
        stored: &mut StoredCounters,
    ) -> Result<(), Error> {
        let database = self.database();
        let is_postgres = database.backend() == DbBackend::Postgres;
        let last_uses = last_uses(counts);
        if is_postgres {
            last_used::write_on_postgres(database, &last_uses).await?;
        }
        let mut rows = AddressRows::of(counts, stored);
        let written = database.write(Write::Plain, async |transaction| {
            if !is_postgres {
                last_used::write_on_sqlite(transaction, &last_uses).await?;
            }
            if is_postgres && rows.has_new() {
                // Otherwise two replicas could together store more addresses of a day than the limit. Rows that exist need no lock: every
                // replica updates them in the same order.
                let lock = format!("SELECT pg_advisory_xact_lock({POSTGRES_LOCK})");
                transaction.execute_unprepared(&lock).await?;
            }
            add_refusals(transaction, counts).await?;
            rows.add(transaction).await
        });
        stored.extend(written.await?.value);
        Ok(())
    }

    /// Deletes counts older than [`DAYS_KEPT`] days, at most a thousand rows of each kind. The caller repeats the call.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn forget_old_usage(&self, today: NaiveDate) -> Result<(), Error> {
        let Some(newest) = today.checked_sub_days(Days::new(DAYS_KEPT)) else {
            return Ok(());
        };
        let database = self.database();
        for (table, last_columns) in [
            ("address_uses", "address"),
            ("refusals", "code"),
            ("refusal_addresses", "address, code"),
        ] {
            let backend = database.backend();
            let statement =
                |sql: String| Statement::from_sql_and_values(backend, sql, [Value::from(newest)]);
            let any = statement(format!("SELECT 1 FROM {table} WHERE day <= $1 LIMIT 1"));
            let any = database
                .with_timeout(database.checks().query_one_raw(any))
                .await?;
            if any.is_none() {
                continue;
            }
            let key = format!("key_id, day, {last_columns}");
            let delete = statement(format!(
                "DELETE FROM {table} WHERE ({key}) IN \
                 (SELECT {key} FROM {table} WHERE day <= $1 LIMIT {DELETED_AT_ONCE})"
            ));
            let deleted = database.write(Write::Plain, async |transaction| {
                Ok(transaction.execute_raw(delete).await?)
            });
            deleted.await?;
        }
        Ok(())
    }
}

async fn add_refusals(
    transaction: &DatabaseTransaction,
    counts: &[(UseKind, Uses)],
) -> Result<(), Error> {
    use refusal::{Column, Entity};
    // Summed over the addresses, because one PostgreSQL statement cannot update a row twice.
    let mut sums = BTreeMap::<_, u64>::new();
    for (kind, uses) in counts {
        if let Some(code) = kind.outcome.code() {
            let key_id = kind.key_id.map_or(Uuid::nil(), KeyId::as_uuid);
            *sums.entry((key_id, kind.day, code)).or_default() += uses.count;
        }
    }
    let rows: Vec<_> = sums
        .into_iter()
        .map(|((key_id, day, code), count)| refusal::ActiveModel {
            key_id: Set(key_id),
            day: Set(day),
            code: Set(code.to_owned()),
            count: Set(stored_count(count)),
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let sum =
        Expr::col((Entity, Column::Count)).add(Expr::col((Alias::new("excluded"), Column::Count)));
    Entity::insert_many(rows)
        .on_conflict(
            OnConflict::columns([Column::KeyId, Column::Day, Column::Code])
                .value(Column::Count, sum)
                .to_owned(),
        )
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

pub(super) fn read(count: i64) -> Result<u64, Error> {
    u64::try_from(count).map_err(|_| damaged("count"))
}

impl Keys<'_> {
    /// The number of refused requests with a key by day and code, newest day first; up to 5 seconds late.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's key; [`Error::Unavailable`].
    pub async fn refusals(&self, id: KeyId) -> Result<Vec<RefusalCount>, Error> {
        use refusal::{Column, Entity};
        let counts = Entity::find()
            .filter(Column::KeyId.eq(id.as_uuid()))
            .order_by_desc(Column::Day)
            .order_by_asc(Column::Code);
        let rows = self.counts_of(id, counts).await?.into_iter();
        rows.map(|row| {
            Ok(RefusalCount {
                day: row.day,
                code: row.code,
                count: read(row.count)?,
            })
        })
        .collect()
    }

    /// The number of accepted requests with a key by day and address, newest day first; up to 5 seconds late.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's key; [`Error::Unavailable`].
    pub async fn uses(&self, id: KeyId) -> Result<Vec<AddressUse>, Error> {
        use address_use::{Column, Entity};
        let counts = Entity::find()
            .filter(Column::KeyId.eq(id.as_uuid()))
            .order_by_desc(Column::Day)
            .order_by_asc(Column::Address);
        let rows = self.counts_of(id, counts).await?.into_iter();
        rows.map(|row| {
            Ok(AddressUse {
                day: row.day,
                address: row.address,
                count: read(row.count)?,
            })
        })
        .collect()
    }

    /// The rows of `counts`, which selects those of the key, after checking that the key is the tenant's.
    async fn counts_of<E: EntityTrait>(
        &self,
        id: KeyId,
        counts: Select<E>,
    ) -> Result<Vec<E::Model>, Error> {
        let lists = self.lists().await?;
        let reader: &DatabaseConnection = &lists;
        lists
            .with_timeout(async {
                self.row_of(reader, id).await?;
                Ok::<_, Error>(counts.all(reader).await?)
            })
            .await
    }
}
