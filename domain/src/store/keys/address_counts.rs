//! Writes the counts of a key's requests by day and address: accepted ones, and refused ones by code. Both tables have at most
//! [`MOST_ADDRESSES`] addresses for each key and day; further ones are counted as [`OTHER`].

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};

use super::bulk_insert::{pieces, placeholders};
use crate::{
    Error,
    id::KeyId,
    usage::{MOST_ADDRESSES, OTHER, Outcome, UNKNOWN, UseKind, Uses, stored},
};

/// The requests with a key on one day, from one address and, if refused, with one code.
struct Given<'a> {
    key_id: KeyId,
    day: NaiveDate,
    address: String,
    code: Option<&'static str>,
    uses: &'a Uses,
}

/// Adds these counts to the stored ones. Requests without a known key have no address.
pub(super) async fn add(
    transaction: &DatabaseTransaction,
    counts: &[(UseKind, Uses)],
) -> Result<(), Error> {
    let given = counts.iter().filter_map(|(kind, uses)| {
        let address = match kind.outcome {
            Outcome::Accepted(Some(address)) | Outcome::Refused(_, Some(address)) => {
                address.to_string()
            }
            Outcome::Accepted(None) | Outcome::Refused(_, None) => UNKNOWN.to_owned(),
            Outcome::AcceptedFromOthers | Outcome::RefusedFromOthers(_) => OTHER.to_owned(),
        };
        Some(Given {
            key_id: kind.key_id?,
            day: kind.day,
            address,
            code: kind.outcome.code(),
            uses,
        })
    });
    let (refused, accepted): (Vec<_>, Vec<_>) = given.partition(|given| given.code.is_some());
    let backend = transaction.get_database_backend();
    for (table, given) in [(&REFUSALS, refused), (&USES, accepted)] {
        for piece in pieces(&given) {
            transaction
                .execute_raw(insert(backend, table, piece))
                .await?;
        }
    }
    Ok(())
}

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

/// A new address of a key and day gets its own rows while the day has room for it, whatever the codes; the statement counts the stored
/// addresses itself. `WHERE true` prevents SQLite's parser from reading `ON CONFLICT` as the condition of a join.
fn insert(backend: DbBackend, table: &AddressTable, given: &[Given<'_>]) -> Statement {
    let AddressTable {
        name,
        has_code_and_time,
    } = *table;
    let mut types = vec!["uuid", "date", "text", "bigint"];
    let (mut code, mut time, mut newest, mut update) = ("", "", "", String::new());
    if has_code_and_time {
        types.extend(["text", "timestamptz"]);
        (code, time, newest) = (", code", ", last_at", ", max(last_at)");
        let greatest = match backend {
            DbBackend::Postgres => "GREATEST",
            _ => "max",
        };
        update = format!(", last_at = {greatest}({name}.last_at, excluded.last_at)");
    }
    let rows = placeholders(backend, &types, given.len());
    let sql = format!(
        "WITH given (key_id, day, address, count{code}{time}) AS (VALUES {rows}), \
         places AS (SELECT known.key_id, known.day, count(DISTINCT known.address) AS taken \
             FROM {name} AS known \
             WHERE (known.key_id, known.day) IN (SELECT key_id, day FROM given) \
                 AND known.address NOT IN ('{UNKNOWN}', '{OTHER}') \
             GROUP BY known.key_id, known.day), \
         judged AS (SELECT given.*, address IN ('{UNKNOWN}', '{OTHER}') OR EXISTS ( \
             SELECT 1 FROM {name} AS known WHERE known.key_id = given.key_id \
                 AND known.day = given.day AND known.address = given.address) AS has_place \
             FROM given), \
         placed AS (SELECT judged.*, COALESCE(places.taken, 0) + \
             dense_rank() OVER (PARTITION BY judged.key_id, judged.day, has_place ORDER BY address) \
                 AS place \
             FROM judged LEFT JOIN places \
                 ON places.key_id = judged.key_id AND places.day = judged.day) \
         INSERT INTO {name} (key_id, day, address, count{code}{time}) \
         SELECT key_id, day, CASE WHEN has_place OR place <= {MOST_ADDRESSES} THEN address ELSE '{OTHER}' END \
             AS told_apart, CAST(sum(count) AS bigint){code}{newest} \
         FROM placed WHERE true GROUP BY key_id, day, told_apart{code} \
         ON CONFLICT (key_id, day, address{code}) DO UPDATE SET \
             count = {name}.count + excluded.count{update}"
    );
    let values = given.iter().flat_map(|given| {
        let mut values: Vec<Value> = vec![
            given.key_id.as_uuid().into(),
            given.day.into(),
            given.address.as_str().into(),
            stored(given.uses.count).into(),
        ];
        if has_code_and_time {
            values.extend([given.code.into(), given.uses.newest.into()]);
        }
        values
    });
    Statement::from_sql_and_values(backend, sql, values)
}
