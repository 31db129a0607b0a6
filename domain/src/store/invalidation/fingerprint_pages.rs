//! Reads the digests of all secrets in pages, in the order of their index, on both databases.
//!
//! A page must not come from an earlier state of the database than the position in the change log. On SQLite it is read on the connection
//! that reads the change log. On PostgreSQL it is read on a connection for checks, because a slow page must not delay a poll; each page also
//! checks that the row of the replica's current registration exists, which a former primary lacks.

use sea_orm::{
    DatabaseConnection, FromQueryResult, Statement,
    sqlx::{self, PgPool},
};
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

use super::{
    fingerprint_load::{Pages, TRIGGERS},
    fingerprints::Fingerprint,
};
use crate::{Error, store::deadline::with_timeout};

/// The pages of a SQLite file.
pub(super) struct SqlitePages {
    /// The connection that also reads the change log: a page delays a change by about a millisecond.
    pub(super) reader: DatabaseConnection,
}

#[derive(FromQueryResult)]
struct Triggers {
    number: i64,
}

#[derive(FromQueryResult)]
struct HexPage {
    fingerprints: Option<String>,
}

impl Pages for SqlitePages {
    const LENGTH: usize = 2_000;

    async fn begin(&mut self) -> Result<bool, Error> {
        let count = Statement::from_string(
            self.reader.get_database_backend(),
            "SELECT count(*) AS number FROM sqlite_master WHERE type = 'trigger' AND name IN (
                'api_keys_note_addition', 'api_keys_note_secret',
                'archived_api_keys_note_addition', 'archived_api_keys_note_secret')",
        );
        let triggers = with_timeout(Triggers::find_by_statement(count).one(&self.reader)).await?;
        Ok(triggers.is_some_and(|triggers| triggers.number == TRIGGERS))
    }

    async fn read(
        &mut self,
        table: &'static str,
        first: Fingerprint,
    ) -> Result<Option<Vec<Fingerprint>>, Error> {
        // One row for the page, because each row costs more than all of its fingerprints. A value that is no digest belongs to no secret.
        let sql = format!(
            "SELECT group_concat(hex(substr(secret_digest, 1, 8)), '') AS fingerprints FROM (
                SELECT secret_digest FROM {table}
                WHERE secret_digest >= $1 AND typeof(secret_digest) = 'blob' AND length(secret_digest) = 32
                ORDER BY secret_digest LIMIT {})",
            Self::LENGTH
        );
        let backend = self.reader.get_database_backend();
        let first = first.to_bytes().to_vec();
        let query = Statement::from_sql_and_values(backend, sql, [first.into()]);
        let page = with_timeout(HexPage::find_by_statement(query).one(&self.reader)).await?;
        let digits = page.and_then(|page| page.fingerprints).unwrap_or_default();
        let page = digits.as_bytes().chunks(16).map(from_hex);
        Ok(Some(page.collect::<Option<_>>().ok_or_else(unreadable)?))
    }
}

/// The fingerprint with these 16 hexadecimal digits.
fn from_hex(digits: &[u8]) -> Option<Fingerprint> {
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.len() == 16)?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    Some(Fingerprint::from_bytes(number.to_be_bytes()))
}

/// The pages of a PostgreSQL database.
pub(super) struct PostgresPages {
    /// The connections for checks of keys.
    pub(super) pool: PgPool,
    /// The identifier of the replica's current registration.
    pub(super) registration: Arc<Mutex<Option<Uuid>>>,
    /// The registration at the begin of the load that runs.
    pub(super) began_as: Option<Uuid>,
}

/// The triggers that are enabled.
const ENABLED: &str = "
    SELECT count(*) FROM pg_trigger
    WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgname IN ('note_addition', 'note_secret')
        AND tgrelid IN ('api_keys'::regclass, 'archived_api_keys'::regclass)";

impl Pages for PostgresPages {
    const LENGTH: usize = 5_000;

    async fn begin(&mut self) -> Result<bool, Error> {
        let registration = *self
            .registration
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.began_as = registration;
        if registration.is_none() {
            return Ok(false);
        }
        let count = async {
            let count = sqlx::query_scalar(ENABLED).fetch_one(&self.pool).await;
            count.map_err(unavailable)
        };
        let triggers: i64 = with_timeout(count).await?;
        Ok(triggers == TRIGGERS)
    }

    async fn read(
        &mut self,
        table: &'static str,
        first: Fingerprint,
    ) -> Result<Option<Vec<Fingerprint>>, Error> {
        let sql = format!(
            "SELECT EXISTS (SELECT FROM replicas WHERE id = $1), (
                SELECT string_agg(substring(secret_digest FROM 1 FOR 8), ''::bytea) FROM (
                    SELECT secret_digest FROM {table}
                    WHERE secret_digest >= $2 AND octet_length(secret_digest) = 32
                    ORDER BY secret_digest LIMIT {}) AS page)",
            Self::LENGTH
        );
        let query = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(self.began_as)
            .bind(first.to_bytes().to_vec());
        let row = async { query.fetch_one(&self.pool).await.map_err(unavailable) };
        let (is_registered, bytes): (bool, Option<Vec<u8>>) = with_timeout(row).await?;
        if !is_registered {
            return Ok(None);
        }
        let bytes = bytes.unwrap_or_default();
        let page = bytes.chunks(8).map(Fingerprint::parse);
        Ok(Some(page.collect::<Option<_>>().ok_or_else(unreadable)?))
    }
}

fn unreadable() -> Error {
    Error::Unavailable("a page of digests is damaged".into())
}

fn unavailable(error: sqlx::Error) -> Error {
    Error::Unavailable(Box::new(error))
}
