//! Writes the counts of a key's requests by day and address: accepted ones, and refused ones by code. Both tables have at most
//! [`MOST_ADDRESSES`] addresses for each key and day; further ones are counted as [`OTHER`].
//!
//! Most counters have a row already, and are added to it without a query. The others are looked up first, to decide whether the day has
//! room for their addresses.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, FromQueryResult, Statement, Value};
use std::net::IpAddr;
use uuid::Uuid;

use super::bulk_insert::{pieces, placeholders};
use crate::{
    Error,
    id::KeyId,
    usage::{
        MOST_ADDRESSES, OTHER, Outcome, StoredCounters, UNKNOWN, UseKind, Uses, stored as as_stored,
    },
};

/// A table of counts by key, day and address.
struct AddressTable {
    name: &'static str,
    /// Whether its rows also have the refusal's code, as part of the key, and the time of the newest request.
    has_code_and_time: bool,
}

const USES: AddressTable = AddressTable {
    name: "address_uses",
    has_code_and_time: false,
};
const REFUSALS: AddressTable = AddressTable {
    name: "refusal_addresses",
    has_code_and_time: true,
};

/// The requests with a key on one day, from one address and, if refused, with one code. The fields of the primary key are first: rows are
/// sorted by them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    key_id: Uuid,
    day: NaiveDate,
    address: String,
    code: &'static str,
    count: u64,
    newest: DateTime<Utc>,
}

impl Row {
    fn is_same(&self, other: &Self) -> bool {
        (self.key_id, self.day, self.code) == (other.key_id, other.day, other.code)
            && self.address == other.address
    }
}

/// The rows of one table.
#[derive(Default)]
struct Rows {
    /// Those of counters that are stored.
    stored: Vec<Row>,
    /// Those that may not exist.
    new: Vec<(UseKind, Row)>,
}

/// The rows of both tables for some counters.
pub(super) struct AddressRows {
    refusals: Rows,
    uses: Rows,
}

impl AddressRows {
    /// The rows of these counters. Requests without a known key have no address.
    pub(super) fn of(counts: &[(UseKind, Uses)], stored: &StoredCounters) -> Self {
        let mut rows = Self {
            refusals: Rows::default(),
            uses: Rows::default(),
        };
        let mut texts = AddressTexts::default();
        for (kind, uses) in counts {
            let Some(key_id) = kind.key_id else {
                continue;
            };
            let row = Row {
                key_id: KeyId::as_uuid(key_id),
                day: kind.day,
                address: texts.of(kind.outcome),
                code: kind.outcome.code().unwrap_or_default(),
                count: uses.count,
                newest: uses.newest,
            };
            let of_table = match kind.outcome.code() {
                Some(_) => &mut rows.refusals,
                None => &mut rows.uses,
            };
            if stored.contains(kind) {
                of_table.stored.push(row);
            } else {
                of_table.new.push((*kind, row));
            }
        }
        rows
    }

    /// Whether a row may not exist yet.
    pub(super) fn has_new(&self) -> bool {
        !self.refusals.new.is_empty() || !self.uses.new.is_empty()
    }

    /// Adds the rows to the stored ones, in the order of the primary key. Returns the counters that have a row of their own now.
    pub(super) async fn add(
        &mut self,
        transaction: &DatabaseTransaction,
    ) -> Result<Vec<UseKind>, Error> {
        let mut stored = Vec::new();
        for (table, rows) in [(&REFUSALS, &mut self.refusals), (&USES, &mut self.uses)] {
            let Rows { stored: all, new } = rows;
            find_places(transaction, table, new).await?;
            for (kind, row) in new.drain(..) {
                if row.address != OTHER || kind.outcome == kind.outcome.without_address() {
                    stored.push(kind);
                }
                all.push(row);
            }
            all.sort_unstable();
            // One PostgreSQL statement cannot update a row twice.
            all.dedup_by(|next, row| {
                let is_same = row.is_same(next);
                if is_same {
                    row.count += next.count;
                    row.newest = row.newest.max(next.newest);
                }
                is_same
            });
            let backend = transaction.get_database_backend();
            for piece in pieces(all) {
                let statement = upsert(backend, table, piece);
                transaction.execute_raw(statement).await?;
            }
        }
        Ok(stored)
    }
}

/// The addresses of outcomes as texts; the previous text is reused, because many requests come from one address.
#[derive(Default)]
struct AddressTexts {
    previous: Option<(IpAddr, String)>,
}

impl AddressTexts {
    fn of(&mut self, outcome: Outcome) -> String {
        match outcome {
            Outcome::Accepted(Some(address)) | Outcome::Refused(_, Some(address)) => {
                match &self.previous {
                    Some((previous, text)) if *previous == address => text.clone(),
                    _ => {
                        let text = address.to_string();
                        self.previous = Some((address, text.clone()));
                        text
                    }
                }
            }
            Outcome::Accepted(None) | Outcome::Refused(_, None) => UNKNOWN.to_owned(),
            Outcome::AcceptedFromOthers | Outcome::RefusedFromOthers(_) => OTHER.to_owned(),
        }
    }
}

/// The state of an address of a key and day before the rows are added.
#[derive(FromQueryResult)]
struct Place {
    /// Number of rows with the address, whatever the codes.
    with_address: i64,
    /// Number of addresses that are counted separately.
    taken: i64,
}

/// Replaces the address by [`OTHER`] in rows for which the day has no room. A new address gets its own rows while it has, whatever the
/// codes.
async fn find_places(
    transaction: &DatabaseTransaction,
    table: &AddressTable,
    new: &mut [(UseKind, Row)],
) -> Result<(), Error> {
    new.sort_unstable_by(|(_, one), (_, other)| one.cmp(other));
    let mut places = Vec::with_capacity(new.len());
    for piece in pieces(new) {
        let query = stored_places(transaction.get_database_backend(), table, piece);
        places.extend(Place::find_by_statement(query).all(transaction).await?);
    }
    let mut day = None;
    let mut added = 0;
    let mut newest_address = String::new();
    for ((_, row), place) in new.iter_mut().zip(places) {
        if day != Some((row.key_id, row.day)) {
            day = Some((row.key_id, row.day));
            added = 0;
            newest_address.clear();
        }
        if place.with_address > 0 || [UNKNOWN, OTHER].contains(&row.address.as_str()) {
            continue;
        }
        if newest_address != row.address {
            newest_address.clone_from(&row.address);
            added += 1;
        }
        if place.taken + added > i64::from(MOST_ADDRESSES) {
            OTHER.clone_into(&mut row.address);
        }
    }
    Ok(())
}

/// Selects a [`Place`] for each row, in their order.
fn stored_places(backend: DbBackend, table: &AddressTable, new: &[(UseKind, Row)]) -> Statement {
    let name = table.name;
    let rows = placeholders(backend, &["bigint", "uuid", "date", "text"], new.len());
    let sql = format!(
        "WITH given (position, key_id, day, address) AS (VALUES {rows}) \
         SELECT (SELECT count(*) FROM {name} AS stored WHERE stored.key_id = given.key_id \
                 AND stored.day = given.day AND stored.address = given.address) AS with_address, \
             (SELECT count(DISTINCT stored.address) FROM {name} AS stored \
                 WHERE stored.key_id = given.key_id AND stored.day = given.day \
                 AND stored.address NOT IN ('{UNKNOWN}', '{OTHER}')) AS taken \
         FROM given ORDER BY position"
    );
    let values = (0_i64..)
        .zip(new)
        .flat_map(|(position, (_, row))| -> [Value; 4] {
            [
                position.into(),
                row.key_id.into(),
                row.day.into(),
                row.address.as_str().into(),
            ]
        });
    Statement::from_sql_and_values(backend, sql, values)
}

/// Adds the counts of rows to the stored ones.
fn upsert(backend: DbBackend, table: &AddressTable, given: &[Row]) -> Statement {
    let AddressTable {
        name,
        has_code_and_time,
    } = *table;
    let mut types = vec!["uuid", "date", "text", "bigint"];
    let (mut code, mut time, mut update) = ("", "", String::new());
    if has_code_and_time {
        types.extend(["text", "timestamptz"]);
        (code, time) = (", code", ", last_at");
        let greatest = match backend {
            DbBackend::Postgres => "GREATEST",
            _ => "max",
        };
        update = format!(", last_at = {greatest}({name}.last_at, excluded.last_at)");
    }
    let rows = placeholders(backend, &types, given.len());
    let sql = format!(
        "INSERT INTO {name} (key_id, day, address, count{code}{time}) VALUES {rows} \
         ON CONFLICT (key_id, day, address{code}) DO UPDATE SET \
             count = {name}.count + excluded.count{update}"
    );
    let mut values: Vec<Value> = Vec::with_capacity(given.len() * types.len());
    for row in given {
        values.extend([
            row.key_id.into(),
            row.day.into(),
            row.address.as_str().into(),
            as_stored(row.count).into(),
        ]);
        if has_code_and_time {
            values.extend([row.code.into(), row.newest.into()]);
        }
    }
    Statement::from_sql_and_values(backend, sql, values)
}
