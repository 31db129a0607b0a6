//! The one question that a replica asks PostgreSQL again and again: what is new since I asked the last time?
//!
//! What must not be missed is a transaction that commits late. A sequence number says nothing about that: it is drawn when the row is
//! written. So each note carries the number of its transaction, and a replica remembers the *snapshot* of its last question: new is
//! what the database shows now and did not show in that snapshot, whatever the order in which anything began
//! (`pg_visible_in_snapshot`, <https://www.postgresql.org/docs/current/functions-info.html>).
//!
//! The same statement moves the replica's own row in `replicas` on, which does three things at once. It says up to which snapshot
//! everything is stamped, for whoever waits in `barrier.rs`. Only the primary accepts it, with its synchronous standby, so that a
//! former primary that is cut off renews no lease. And it is the witness: where the row is gone or has gone back, this is another
//! state of the database, such as one that was restored under a server that runs.

use chrono::{DateTime, Utc};
use sea_orm::sqlx::{self, postgres::PgConnection};
use uuid::Uuid;

/// So many changes at once are stamped one by one; beyond that it is cheaper to stamp everything.
const MOST: usize = 1_000;

/// Under another name each time: a number that was written earlier must mean nothing now.
const REGISTER: &str = "
    WITH gone AS (DELETE FROM replicas WHERE id = $1)
    INSERT INTO replicas (id, beat, since) VALUES ($2, 0, clock_timestamp())";

/// The listener of the same place is ours now, so the replica that had it is gone, or serves nothing any more. Only once in the life of
/// a process: one that is just ending registers again when it is taken off, and the two must not take off each other.
const REPLACE_PREDECESSOR: &str = "DELETE FROM replicas WHERE place = $2 AND id <> $1";

const PLACE: &str = "UPDATE replicas SET place = $2 WHERE id = $1";

const DEREGISTER: &str = "DELETE FROM replicas WHERE id = $1";

/// Counts also the questions whose answers were lost, so that nobody takes a replica that asks for one that is silent.
///
/// One more than [`MOST`] is asked for, to see that there are more. A note from the future came with a dump of another cluster, and says
/// nothing here.
const POLL: &str = "
    WITH own AS (
        UPDATE replicas SET beat = beat + 1, applied = $3::text::pg_snapshot
        WHERE id = $1 AND beat >= $2
        RETURNING beat
    )
    SELECT (SELECT beat FROM own), pg_current_snapshot()::text, clock_timestamp(), ARRAY(
        SELECT subject FROM key_state_changes
        WHERE xid >= pg_snapshot_xmin($3::text::pg_snapshot)
            AND NOT pg_visible_in_snapshot(xid, $3::text::pg_snapshot)
            AND pg_visible_in_snapshot(xid, pg_current_snapshot())
        LIMIT 1001
    )";

const OTHERS: &str = "SELECT id, beat FROM replicas WHERE id <> $1";

const REMOVE: &str = "DELETE FROM replicas WHERE id = $1 AND beat = $2";

/// Up to where a replica has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Under which name.
    pub(super) id: Uuid,
    /// How often it has asked.
    beat: i64,
    /// What the database showed the last time, as PostgreSQL writes a snapshot. Everything in it is stamped. `None` before the first
    /// time.
    snapshot: Option<String>,
}

/// What came of a question.
pub(super) struct PollResult {
    /// Up to where the replica has read once it has stamped what is new.
    pub(super) seen: Cursor,
    /// What is new.
    pub(super) news: Changes,
    /// The database's clock.
    pub(super) at: DateTime<Utc>,
}

/// What has changed since a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Changes {
    /// Nothing.
    None,
    /// These keys, groups and tenants.
    Some(Vec<Uuid>),
    /// Very much, or nobody can say what.
    All,
}

/// Makes the replica known, as one that has stamped nothing; under `id`, and no longer under the name before that.
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
        beat: 0,
        snapshot: None,
    })
}

/// Takes off the list who served at that place before. Returns whether there was one.
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

/// Notes where the replica serves.
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

/// Takes the replica off the list: it uses nothing that it has in memory any more.
pub(super) async fn deregister(connection: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(DEREGISTER).bind(id).execute(connection).await?;
    Ok(())
}

/// Asks what is new since `seen`, and says that everything until then is stamped. `None` where the replica is not known, or not as it
/// should be.
pub(super) async fn poll(
    connection: &mut PgConnection,
    seen: &Cursor,
) -> Result<Option<PollResult>, sqlx::Error> {
    let answer: (Option<i64>, String, DateTime<Utc>, Vec<Option<Uuid>>) = sqlx::query_as(POLL)
        .bind(seen.id)
        .bind(seen.beat)
        .bind(&seen.snapshot)
        .fetch_one(connection)
        .await?;
    let (beat, snapshot, at, subjects) = answer;
    Ok(beat.map(|beat| PollResult {
        news: if seen.snapshot.is_none() || subjects.len() > MOST {
            Changes::All
        } else if subjects.is_empty() {
            Changes::None
        } else {
            // A note that names nothing means everything: a table was emptied.
            let subjects: Option<Vec<_>> = subjects.into_iter().collect();
            subjects.map_or(Changes::All, Changes::Some)
        },
        seen: Cursor {
            id: seen.id,
            beat,
            snapshot: Some(snapshot),
        },
        at,
    }))
}

/// The other replicas, and how often each has asked.
pub(super) async fn other_replicas(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Vec<(Uuid, i64)>, sqlx::Error> {
    sqlx::query_as(OTHERS).bind(id).fetch_all(connection).await
}

/// Takes another replica off the list, if it has not asked since. Returns whether it has not.
pub(super) async fn remove_silent(
    connection: &mut PgConnection,
    (id, beat): (Uuid, i64),
) -> Result<bool, sqlx::Error> {
    let removed = sqlx::query(REMOVE)
        .bind(id)
        .bind(beat)
        .execute(connection)
        .await?;
    Ok(removed.rows_affected() > 0)
}
