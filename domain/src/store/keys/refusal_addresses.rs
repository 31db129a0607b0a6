//! Counts refused requests with a key by address. Requests without a known key are counted by code only.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};

use super::bulk_insert::{pieces, placeholders};
use crate::{
    Error,
    id::KeyId,
    usage::{MOST_ADDRESSES, OTHER, Outcome, UNKNOWN, UseKind, Uses, stored},
};

/// The refused requests with a key on one day, with one code and from one address.
struct Given<'a> {
    key_id: KeyId,
    kind: &'a UseKind,
    code: &'static str,
    address: String,
    uses: &'a Uses,
}

pub(super) async fn add(
    transaction: &DatabaseTransaction,
    counts: &[(UseKind, Uses)],
) -> Result<(), Error> {
    let given: Vec<Given> = counts
        .iter()
        .filter_map(|(kind, uses)| {
            let address = match kind.outcome {
                Outcome::Refused(_, Some(address)) => address.to_string(),
                Outcome::Refused(_, None) => UNKNOWN.to_owned(),
                Outcome::RefusedFromOthers(_) => OTHER.to_owned(),
                Outcome::Accepted(_) | Outcome::AcceptedFromOthers => return None,
            };
            Some(Given {
                key_id: kind.key_id?,
                kind,
                code: kind.outcome.code()?,
                address,
                uses,
            })
        })
        .collect();
    let backend = transaction.get_database_backend();
    for piece in pieces(&given) {
        transaction.execute_raw(insert(backend, piece)).await?;
    }
    Ok(())
}

/// Like accepted requests: a new address of a key and day gets its own rows while the day has room for it, whatever the codes. `WHERE true`
/// prevents SQLite's parser from reading `ON CONFLICT` as the condition of a join.
fn insert(backend: DbBackend, given: &[Given<'_>]) -> Statement {
    const TYPES: [&str; 6] = ["uuid", "date", "text", "text", "bigint", "timestamptz"];
    let rows = placeholders(backend, &TYPES, given.len());
    let newest = match backend {
        DbBackend::Postgres => "GREATEST",
        _ => "max",
    };
    let sql = format!(
        "WITH given (key_id, day, address, code, count, last_at) AS (VALUES {rows}), \
         places AS (SELECT known.key_id, known.day, count(DISTINCT known.address) AS taken \
             FROM refusal_addresses AS known \
             WHERE (known.key_id, known.day) IN (SELECT key_id, day FROM given) \
                 AND known.address NOT IN ('{UNKNOWN}', '{OTHER}') \
             GROUP BY known.key_id, known.day), \
         judged AS (SELECT given.*, address IN ('{UNKNOWN}', '{OTHER}') OR EXISTS ( \
             SELECT 1 FROM refusal_addresses AS known WHERE known.key_id = given.key_id \
                 AND known.day = given.day AND known.address = given.address) AS has_place \
             FROM given), \
         placed AS (SELECT judged.*, COALESCE(places.taken, 0) + \
             dense_rank() OVER (PARTITION BY judged.key_id, judged.day, has_place ORDER BY address) \
                 AS place \
             FROM judged LEFT JOIN places \
                 ON places.key_id = judged.key_id AND places.day = judged.day) \
         INSERT INTO refusal_addresses (key_id, day, address, code, count, last_at) \
         SELECT key_id, day, CASE WHEN has_place OR place <= {MOST_ADDRESSES} THEN address ELSE '{OTHER}' END \
             AS told_apart, code, CAST(sum(count) AS bigint), max(last_at) \
         FROM placed WHERE true GROUP BY key_id, day, told_apart, code \
         ON CONFLICT (key_id, day, address, code) DO UPDATE SET \
             count = refusal_addresses.count + excluded.count, \
             last_at = {newest}(refusal_addresses.last_at, excluded.last_at)"
    );
    let values = given.iter().flat_map(|given| -> [Value; 6] {
        [
            given.key_id.as_uuid().into(),
            given.kind.day.into(),
            given.address.as_str().into(),
            given.code.into(),
            stored(given.uses.count).into(),
            given.uses.newest.into(),
        ]
    });
    Statement::from_sql_and_values(backend, sql, values)
}
