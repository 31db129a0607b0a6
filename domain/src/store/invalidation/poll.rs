//! The poll: one statement with which a replica reads the changes since its last poll and confirms the earlier ones.
//!
//! A poll must not miss a transaction that commits late. A sequence number cannot ensure that, because it is drawn when the row is written,
//! not when it is committed. So each log entry carries its transaction identifier, and a replica remembers the *snapshot* of its last poll:
//! an entry is new if it is visible now and was not visible in that snapshot, in whatever order the transactions began
//! (`pg_visible_in_snapshot`, <https://www.postgresql.org/docs/current/functions-info.html>).
//!
//! The same statement updates the replica's own row in `replicas`, for three purposes. It confirms to the barrier (`barrier.rs`) the
//! snapshot up to which every change is applied. Only the primary with its synchronous standby accepts it, so an isolated former primary
//! renews no lease. And it detects another state of the database, such as one restored under a running server, because the row is then
//! missing or older.

use chrono::{DateTime, Utc};
use sea_orm::sqlx::{self, postgres::PgConnection};
use uuid::Uuid;

use super::fingerprints::Fingerprint;

/// Maximum number of changes that are applied one by one; above it, invalidating everything is cheaper.
const MOST: usize = 1_000;

/// Each registration has a new identifier, so that a number of polls stored under an earlier one has no meaning.
const REGISTER: &str = "
    WITH gone AS (DELETE FROM replicas WHERE id = $1)
    INSERT INTO replicas (id, beat, since) VALUES ($2, 0, clock_timestamp())";

/// This process has the listener of that place, so the replica that had it before has ended or no longer serves. Must run only once in a
/// process: a replica that is stopping registers again when it is deregistered, and the two must not deregister each other repeatedly.
const REPLACE_PREDECESSOR: &str = "DELETE FROM replicas WHERE place = $2 AND id <> $1";

const PLACE: &str = "UPDATE replicas SET place = $2 WHERE id = $1";

const DEREGISTER: &str = "DELETE FROM replicas WHERE id = $1";

/// `beat` also counts polls whose results were lost, so that a replica that polls is never considered silent.
///
/// The limit is [`MOST`] plus one, to detect that there are more. An entry of a future transaction came with a dump of another cluster and
/// is ignored. Without entries the arrays are NULL.
const POLL: &str = "
    WITH own AS (
        UPDATE replicas SET beat = beat + 1, applied = $3::text::pg_snapshot
        WHERE id = $1 AND beat >= $2
        RETURNING beat
    )
    SELECT (SELECT beat FROM own), pg_current_snapshot()::text, clock_timestamp(),
        array_agg(subject), array_agg(fingerprint) FILTER (WHERE fingerprint IS NOT NULL)
    FROM (
        SELECT subject, fingerprint FROM key_state_changes
        WHERE xid >= pg_snapshot_xmin($3::text::pg_snapshot)
            AND NOT pg_visible_in_snapshot(xid, $3::text::pg_snapshot)
            AND pg_visible_in_snapshot(xid, pg_current_snapshot())
        LIMIT 1001
    ) AS entries";

const OTHERS: &str = "SELECT id, beat FROM replicas WHERE id <> $1";

const REMOVE: &str = "DELETE FROM replicas WHERE id = $1 AND beat = $2";

/// The position of a replica in the change log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The replica's identifier.
    pub(super) id: Uuid,
    /// Number of its polls.
    polls: i64,
    /// Snapshot of the last poll in PostgreSQL's text form. Every change in it is applied. `None` before the first poll.
    snapshot: Option<String>,
}

/// The result of a poll.
pub(super) struct PollResult {
    /// The replica's position after `changes` are applied.
    pub(super) cursor: Cursor,
    /// The changes since the last poll.
    pub(super) changes: Changes,
    /// The time of the database's clock.
    pub(super) at: DateTime<Utc>,
}

/// The changes since a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Changes {
    /// No changes.
    None,
    /// Changes of these keys, groups and tenants, and the fingerprints of new secrets.
    Some(Vec<Uuid>, Vec<Fingerprint>),
    /// More than [`MOST`] changes, or unknown ones.
    All,
}

/// The columns of [`POLL`].
type PollRow = (
    Option<i64>,
    String,
    DateTime<Utc>,
    Option<Vec<Option<Uuid>>>,
    Option<Vec<Vec<u8>>>,
);

/// Registers the replica under `id` with no change applied, and removes its registration `before`.
pub(super) async fn register(
    connection: &mut PgConnection,
    before: Option<Uuid>,
    id: Uuid,
) -> Result<Cursor, sqlx::Error> {
    sqlx::query(REGISTER)
        .bind(before)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(Cursor {
        id,
        polls: 0,
        snapshot: None,
    })
}

/// Deregisters earlier replicas of the same place. Returns whether there was one.
pub(super) async fn replace_predecessor(
    connection: &mut PgConnection,
    id: Uuid,
    place: &str,
) -> Result<bool, sqlx::Error> {
    let removed = sqlx::query(REPLACE_PREDECESSOR)
        .bind(id)
        .bind(place)
        .execute(connection)
        .await?;
    Ok(removed.rows_affected() > 0)
}

/// Records the place at which the replica serves.
pub(super) async fn record_place(
    connection: &mut PgConnection,
    id: Uuid,
    place: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(PLACE)
        .bind(id)
        .bind(place)
        .execute(connection)
        .await?;
    Ok(())
}

/// Deregisters the replica, which must no longer use its cache.
pub(super) async fn deregister(connection: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(DEREGISTER).bind(id).execute(connection).await?;
    Ok(())
}

/// Polls for changes after `cursor` and confirms all changes up to it. `None` if the replica's row is missing or older.
pub(super) async fn poll(
    connection: &mut PgConnection,
    cursor: &Cursor,
) -> Result<Option<PollResult>, sqlx::Error> {
    let row: PollRow = sqlx::query_as(POLL)
        .bind(cursor.id)
        .bind(cursor.polls)
        .bind(&cursor.snapshot)
        .fetch_one(connection)
        .await?;
    let (polls, snapshot, at, subjects, fingerprints) = row;
    let subjects = subjects.unwrap_or_default();
    Ok(polls.map(|polls| PollResult {
        changes: if cursor.snapshot.is_none() || subjects.len() > MOST {
            Changes::All
        } else if subjects.is_empty() {
            Changes::None
        } else {
            // An entry without a subject stands for everything: a table was truncated.
            let subjects: Option<Vec<_>> = subjects.into_iter().collect();
            let fingerprints = fingerprints.unwrap_or_default();
            let fingerprints = fingerprints
                .iter()
                .filter_map(|bytes| Fingerprint::parse(bytes));
            subjects.map_or(Changes::All, |subjects| {
                Changes::Some(subjects, fingerprints.collect())
            })
        },
        cursor: Cursor {
            id: cursor.id,
            polls,
            snapshot: Some(snapshot),
        },
        at,
    }))
}

/// The other replicas, with the number of polls of each.
pub(super) async fn other_replicas(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Vec<(Uuid, i64)>, sqlx::Error> {
    sqlx::query_as(OTHERS).bind(id).fetch_all(connection).await
}

/// Deregisters another replica if it has not polled since its number of polls was read. Returns whether it was removed.
pub(super) async fn remove_silent(
    connection: &mut PgConnection,
    (id, polls): (Uuid, i64),
) -> Result<bool, sqlx::Error> {
    let removed = sqlx::query(REMOVE)
        .bind(id)
        .bind(polls)
        .execute(connection)
        .await?;
    Ok(removed.rows_affected() > 0)
}
