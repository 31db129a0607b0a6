//! A backup that is ready to be restored: an undamaged copy of it, with the schema of this version.

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use std::path::{Path, PathBuf};

use crate::{
    Error, FieldError,
    id::KeyId,
    store::{
        backup::{find_damage, mark, name_for_sqlite, unfinished::Unfinished, vacuum_into},
        connection::sqlite,
        migration,
    },
};

/// The copy, which is removed when this is dropped.
pub(super) struct Prepared {
    copy: Unfinished,
    taken_at: DateTime<Utc>,
}

impl Prepared {
    /// Copies the backup to `place`; the backup itself is not changed.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a file that is no backup, is damaged, or was made by a newer version; [`Error::Unavailable`].
    pub(super) async fn of(backup: &Path, place: PathBuf) -> Result<Self, Error> {
        if !backup.is_file() {
            return Err(invalid(backup, "is not there"));
        }
        let source = sqlite::alone(backup).await.map_err(|error| match error {
            Error::Unavailable(source) => invalid(backup, &format!("cannot be opened: {source}")),
            error => error,
        })?;
        let prepared = Self::from(&source, backup, place).await;
        source.close().await?;
        prepared
    }

    async fn from(
        source: &DatabaseConnection,
        backup: &Path,
        place: PathBuf,
    ) -> Result<Self, Error> {
        let taken_at = match mark::find(source).await {
            Ok(Some(taken_at)) => taken_at,
            Ok(None) | Err(Error::Internal(_)) => {
                return Err(invalid(backup, "is no backup that `latchkey backup` made"));
            }
            Err(error) => return Err(error),
        };
        if let Some(damage) = find_damage(source).await? {
            return Err(invalid(backup, &format!("is damaged: {damage}")));
        }
        let copy = Unfinished::temporary(place)?;
        vacuum_into(source, copy.path()).await?;
        let prepared = Self { copy, taken_at };
        let connection = sqlite::alone(prepared.copy.path()).await?;
        let ready = async {
            connection
                .execute_unprepared("PRAGMA foreign_keys = on")
                .await?;
            migration::bring_copy_up_to_date(&connection).await
        };
        let ready = ready.await;
        connection.close().await?;
        match ready {
            Ok(()) => Ok(prepared),
            Err(Error::Unavailable(source)) => Err(Error::invalid("file", source.to_string())),
            Err(error) => Err(error),
        }
    }

    /// The time at which the backup was made.
    pub(super) const fn taken_at(&self) -> DateTime<Utc> {
        self.taken_at
    }

    /// The same time, as text for users.
    pub(super) fn time(&self) -> String {
        self.taken_at.to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// Refuses keys that are not in the backup: if a key was mistyped, the intended one would stay active.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `revoke`, with one message for each missing key.
    pub(super) async fn check_keys(&self, keys: &[KeyId]) -> Result<(), Error> {
        let copy = sqlite::alone(self.copy.path()).await?;
        let mut missing = Vec::new();
        for key in keys {
            let query = Statement::from_sql_and_values(
                DbBackend::Sqlite,
                "SELECT 1 FROM api_keys WHERE id = $1",
                [key.as_uuid().into()],
            );
            if copy.query_one_raw(query).await?.is_none() {
                let message = format!("there is no API key '{key}' in the backup");
                missing.push(FieldError::new("revoke", message));
            }
        }
        copy.close().await?;
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(missing))
        }
    }

    /// Attaches the copy to `connection` as the schema `restored`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(super) async fn attach(&self, connection: &DatabaseConnection) -> Result<(), Error> {
        let name = name_for_sqlite(self.copy.path())?;
        connection
            .execute_raw(Statement::from_sql_and_values(
                DbBackend::Sqlite,
                "ATTACH $1 AS restored",
                [name.into()],
            ))
            .await?;
        Ok(())
    }
}

fn invalid(backup: &Path, what: &str) -> Error {
    Error::invalid("file", format!("{} {what}", backup.display()))
}
