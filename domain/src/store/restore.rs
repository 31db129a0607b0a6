//! Making a backup the database again, without giving back what was taken away since.
//!
//! | question | file |
//! | --- | --- |
//! | is this a backup that can be restored? | `prepared.rs` |
//! | does what is there now know what happened since? | `witness.rs` |
//! | what was taken away since, and what becomes of it? | `differences.rs` |
//! | how does what is there become what was? | `replacement.rs` |
//!
//! **Who may do what is as it is now; everything else is as it was.** The database that is there is the witness of what happened since
//! the backup: revocations, new secrets, allowlists, groups and permissions, suspensions, disabled users, passwords. Each difference is
//! made in the restored database as a change of its own, with its event. Where there is no witness, because the disk is lost or what
//! is there has another past, the operator has to give their word, or nothing is restored. What another past knows to be revoked or
//! suspended stays so all the same.
//!
//! **Why nothing can stop half-way.** The file is not exchanged. All of the above is one transaction of SQLite in the file that is there,
//! so that a crash at any point leaves the old database or the new one; whoever has the file open waits and then sees the new one;
//! and a write-ahead log can never meet a file that it was not written for, as it could where files are renamed. The transaction begins
//! before it looks at what happened since, so that no revocation slips in between. No server runs meanwhile: its lock is held.

mod differences;
mod prepared;
mod replacement;
mod witness;

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};
use serde::Serialize;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use self::{differences::Difference, prepared::Prepared, witness::Found};
use super::{
    audit::Event,
    backup::{self, count, has_content, not_on_postgres},
    clock,
    connection::{
        file::{beside, owner_file},
        server_lock::{HeldFile, ServerLock},
        sqlite,
    },
};
use crate::{
    Error,
    actor::Actor,
    audit::{AuditAction, AuditTarget},
    id::KeyId,
};

/// What the operator says about the time since the backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Keys that are to be revoked, whatever else is known.
    pub revoke: Vec<KeyId>,
    /// No key was revoked or rotated, nothing else taken away.
    pub nothing_was_revoked: bool,
    /// Who restores, for the audit trail; `None` where nobody knows.
    pub person: Option<String>,
}

impl Word {
    fn is_given(&self) -> bool {
        self.nothing_was_revoked || !self.revoke.is_empty()
    }
}

/// How a restore ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restoration {
    /// The backup is the database.
    Done(Restored),
    /// Nothing was changed: nobody knows what was revoked since the backup, and the operator has not said so either.
    WordNeeded {
        /// When the backup was made.
        taken_at: DateTime<Utc>,
        /// Why the place of the database says nothing about it.
        reason: NoWitness,
    },
}

/// Why the place of the database says nothing about the time since the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoWitness {
    /// There is none.
    NoDatabase,
    /// It is not one that went on from this backup.
    AnotherPast,
}

impl fmt::Display for NoWitness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoDatabase => "there is no database",
            Self::AnotherPast => "the database that is there did not go on from this backup",
        })
    }
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The database.
    pub path: PathBuf,
    /// When the backup was made that it is now.
    pub taken_at: DateTime<Utc>,
    /// A backup of what was there before, with the audit trail of the time since.
    pub replaced: Option<PathBuf>,
    /// What differs from the backup, each with its event in the audit trail.
    pub changes: Vec<RestoredChange>,
}

/// Something that is not as it was when the backup was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestoredChange {
    /// What was done.
    pub action: AuditAction,
    /// To what.
    pub target: AuditTarget,
    /// Why.
    pub reason: String,
}

/// Makes `backup` the database of `database_url`, where no server serves it. Sessions, known devices and counted sign-ins are gone: who
/// had signed out stays so.
///
/// # Errors
/// [`Error::Invalid`] on PostgreSQL, for a `backup` that is none or cannot be restored by this version, for a key to `revoke` that
/// is not in it, and where something is in the way that no backup may replace; [`Error::Unavailable`], also where a server serves the
/// database.
pub async fn restore(
    database_url: &str,
    backup: &Path,
    word: &Word,
    now: DateTime<Utc>,
) -> Result<Restoration, Error> {
    if !database_url.starts_with("sqlite:") {
        return Err(not_on_postgres("restore it"));
    }
    let file = sqlite::file_of(database_url)?;
    let mut lock = ServerLock::take_name(&file).await?;
    let prepared = Prepared::of(backup, beside(&file, ".restoring")).await?;
    prepared.check_keys(&word.revoke).await?;
    if !has_content(&file) && !word.is_given() {
        return Ok(word_needed(&prepared, NoWitness::NoDatabase));
    }
    // A new one is its owner's alone.
    let held = HeldFile::of(owner_file(&file)?);
    lock.take_file(&file, &held).await?;
    let connection = sqlite::alone(&file).await?;
    let restored = replace(&connection, &file, &prepared, word, clock::stored(now)).await;
    connection.close().await?;
    restored
}

fn word_needed(prepared: &Prepared, reason: NoWitness) -> Restoration {
    Restoration::WordNeeded {
        taken_at: prepared.taken_at(),
        reason,
    }
}

async fn replace(
    connection: &DatabaseConnection,
    file: &Path,
    prepared: &Prepared,
    word: &Word,
    now: DateTime<Utc>,
) -> Result<Restoration, Error> {
    prepared.attach(connection).await?;
    let state = state(connection).await?;
    let found = witness::find(connection).await?;
    let reason = match found {
        Found::Witness => None,
        Found::Nothing => Some(NoWitness::NoDatabase),
        Found::AnotherPast => Some(NoWitness::AnotherPast),
    };
    if let Some(reason) = reason
        && !word.is_given()
    {
        return Ok(word_needed(prepared, reason));
    }
    let replaced = match found {
        Found::Nothing => None,
        Found::Witness | Found::AnotherPast => {
            let name = format!(".before-restore-{}", now.format("%Y%m%dT%H%M%S%.3fZ"));
            Some(
                backup::write(connection, &beside(file, &name), now)
                    .await?
                    .path,
            )
        }
    };
    let made = async {
        let transaction = connection
            .begin_with_options(TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await?;
        // From here on nobody else writes. What was looked at, and kept, has to be what is replaced.
        if self::state(&transaction).await? != state {
            return Err(Error::Unavailable(
                "another command changed the database meanwhile: restore it again".into(),
            ));
        }
        let mut differences = match found {
            Found::Witness => differences::find(&transaction, now).await?,
            Found::AnotherPast => differences::find_taken_away(&transaction, now).await?,
            Found::Nothing => Vec::new(),
        };
        differences::add_named(&transaction, &mut differences, &word.revoke, now).await?;
        replacement::replace(&transaction).await?;
        let actor = (word.person.as_deref()).map_or_else(Actor::cli, Actor::cli_of);
        let why = format!("restored from the backup of {}", prepared.time());
        for difference in &differences {
            make(&transaction, difference, &why, &actor, now).await?;
        }
        transaction.execute_unprepared(FORGET).await?;
        replacement::check(&transaction).await?;
        Ok((transaction, differences))
    };
    match made.await {
        Ok((transaction, differences)) => {
            // Where this fails, nobody knows what is there: what was kept stays then.
            transaction.commit().await?;
            Ok(Restoration::Done(Restored {
                path: file.to_path_buf(),
                taken_at: prepared.taken_at(),
                replaced,
                changes: differences
                    .into_iter()
                    .map(Difference::into_change)
                    .collect(),
            }))
        }
        Err(error) => {
            // Nothing was replaced.
            if let Some(replaced) = replaced {
                let _ = fs::remove_file(replaced);
            }
            Err(error)
        }
    }
}

/// Somebody who had signed out would be signed in again. The requests that count once stay: what they did is in the backup as well,
/// and a repeat must do it no second time.
const FORGET: &str = "DELETE FROM sessions; DELETE FROM known_devices; DELETE FROM known_addresses; \
    DELETE FROM sign_in_buckets; DELETE FROM sign_in_accounts; DELETE FROM sign_in_single_tries";

/// A number that is another one after anybody else has written.
async fn state(connection: &impl ConnectionTrait) -> Result<i64, Error> {
    count(connection, "PRAGMA main.data_version").await
}

/// Names on a key that the restore revokes who restored, and why it is revoked.
async fn name_revoker(
    transaction: &impl ConnectionTrait,
    key: uuid::Uuid,
    reason: &str,
    actor: &Actor,
) -> Result<(), Error> {
    let sql = "UPDATE api_keys SET revoked_by_kind = $1, revoked_by_id = $2, revoked_by_name = $3, \
               revoked_reason = $4 WHERE id = $5";
    let values = [
        actor.who.kind.as_str().into(),
        actor.who.id.into(),
        actor.who.name.as_str().into(),
        format!("Backup restored: {reason}").into(),
        key.into(),
    ];
    transaction
        .execute_raw(Statement::from_sql_and_values(
            DbBackend::Sqlite,
            sql,
            values,
        ))
        .await?;
    Ok(())
}

/// Makes one difference in the restored database, with its event.
async fn make(
    transaction: &impl ConnectionTrait,
    difference: &Difference,
    why: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (sql, values) = difference.statement.clone();
    transaction
        .execute_raw(Statement::from_sql_and_values(
            DbBackend::Sqlite,
            sql,
            values,
        ))
        .await?;
    if let (AuditAction::ApiKeyRevoked, Some(id)) = (difference.action, difference.target.id) {
        name_revoker(transaction, id, difference.reason, actor).await?;
    }
    let mut changes = difference.changes.clone();
    changes["reason"] = serde_json::json!({
        "before": null,
        "after": format!("{}: {why}", difference.reason),
    });
    let tenant_id = difference.tenant_id.map(Into::into);
    Event::by(
        actor,
        tenant_id,
        difference.action,
        difference.target.clone(),
    )
    .changing(changes)
    .append_offline(transaction, now)
    .await
}
