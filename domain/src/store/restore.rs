//! Makes a backup the database again, without undoing what was revoked since.
//!
//! | question | file |
//! | --- | --- |
//! | is this a backup that can be restored? | `prepared.rs` |
//! | is the present database a witness of what happened since? | `witness.rs` |
//! | what was revoked or changed since? | `differences.rs` |
//! | how is the content of the database replaced? | `replacement.rs` |
//! | what becomes of second factors? | `second_factors.rs` |
//!
//! **Access is as it is now; everything else is as it was.** The present database is the witness of what happened since the backup:
//! revocations, new secrets, allowlists, groups and permissions, suspensions, security policies, disabled users, roles, passwords. Each difference is applied to the
//! restored database as a separate change, with its audit event. If there is no witness, because the disk is lost or the present database
//! has another past, the operator must make a statement about the time since the backup, or nothing is restored. Even then, keys that are
//! revoked, tenants that are suspended and users that are disabled in a database of another past stay so.
//!
//! **A restore cannot stop half-way.** The file is not exchanged. All of the above is one SQLite transaction in the present file, so that a
//! crash at any point leaves the old database or the new one; a process that has the file open waits and then sees the new one; and a
//! write-ahead log is never applied to a file for which it was not written, as it could be if files were renamed. The transaction begins
//! before the differences are read, so that no revocation is missed. No server runs meanwhile, because its lock is held.

mod differences;
mod prepared;
mod replacement;
mod second_factors;
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

/// The operator's statement about the time since the backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Keys to revoke, whatever else is found.
    pub revoke: Vec<KeyId>,
    /// Whether the operator confirms that no key was revoked or rotated and no other access withdrawn.
    pub nothing_was_revoked: bool,
    /// Login name of the person who restores, for the audit log; `None` if it is unknown.
    pub person: Option<String>,
}

impl Word {
    fn is_given(&self) -> bool {
        self.nothing_was_revoked || !self.revoke.is_empty()
    }
}

/// The result of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restoration {
    /// The backup is now the database.
    Done(Restored),
    /// Nothing was changed: the revocations since the backup are unknown, and the operator made no statement about them.
    WordNeeded {
        /// Time at which the backup was made.
        taken_at: DateTime<Utc>,
        /// Why there is no witness of the revocations.
        reason: NoWitness,
    },
}

/// Why there is no witness of the time since the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoWitness {
    /// There is no database.
    NoDatabase,
    /// The database did not continue from this backup.
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

/// A completed restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Path of the database.
    pub path: PathBuf,
    /// Time at which the restored backup was made.
    pub taken_at: DateTime<Utc>,
    /// Path of a backup of the previous database, which has the audit log of the time since; `None` if there was no database.
    pub replaced: Option<PathBuf>,
    /// The differences from the backup, each with its event in the audit log.
    pub changes: Vec<RestoredChange>,
}

/// A difference between the restored database and the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestoredChange {
    /// The action that was applied.
    pub action: AuditAction,
    /// The target of the action.
    pub target: AuditTarget,
    /// The reason, as text.
    pub reason: String,
}

/// Makes `backup` the database of `database_url`, if no server serves it. Deletes sessions, one-time links, begun single sign-ons, known devices
/// and addresses, and sign-in counters, so that users who signed out stay signed out.
///
/// # Errors
/// [`Error::Invalid`] on PostgreSQL, for a `backup` that is not one or that this version cannot restore, for a key to `revoke` that is not
/// in it, and if a backup must not replace the present file; [`Error::Unavailable`], also if a server serves the database.
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
    // Only the owner can read a new file.
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
        // From here on no other connection writes. The state that was examined and backed up must be the one that is replaced.
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
        let is_kept = found == Found::Witness && second_factors::keep(&transaction).await?;
        replacement::replace(&transaction).await?;
        second_factors::put_back(&transaction, is_kept, now).await?;
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
            // If the commit fails, its outcome is unknown, so the backup of the previous database stays.
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

/// Users who signed out must not be signed in again, and a link that was used or ended must not work again. Idempotency keys stay: the backup has the changes of their requests, and a repeated
/// request must not make them again.
const FORGET: &str = "DELETE FROM sessions; DELETE FROM known_devices; DELETE FROM known_addresses; \
    DELETE FROM pending_sign_ins; DELETE FROM sign_in_buckets; DELETE FROM sign_in_accounts; DELETE FROM sign_in_single_tries; \
    DELETE FROM one_time_links; DELETE FROM sso_states";

/// A number that differs after another connection has written.
async fn state(connection: &impl ConnectionTrait) -> Result<i64, Error> {
    count(connection, "PRAGMA main.data_version").await
}

/// Stores on a key that the restore revokes who revoked it, and why.
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

/// Applies one difference to the restored database, with its audit event.
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
