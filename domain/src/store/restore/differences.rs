//! Finds what was revoked or changed since the backup, by comparing the backup with the database that continued from it.
//!
//! A key that was revoked, got a new secret, or no longer exists, is revoked. (The new secret is not taken over: the backup is older, and
//! the operator who restores it hands out a new one.) A key whose present group is missing in the backup is revoked as well. Every other
//! limit of access is taken over as it is now, even if it is less strict than it was: the newer value is the intended one.

mod identities;
mod keys;
mod people;
mod policies;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};
use serde_json::json;
use uuid::Uuid;

use super::RestoredChange;
use crate::{
    Error,
    audit::{AuditAction, AuditTarget},
    id::KeyId,
};

/// One change to make in the restored database.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) tenant_id: Option<Uuid>,
    pub(super) action: AuditAction,
    pub(super) target: AuditTarget,
    /// The reason, as text for users.
    pub(super) reason: &'static str,
    /// The changes, for the audit log.
    pub(super) changes: serde_json::Value,
    /// The statement that applies the change, with its values.
    pub(super) statement: (&'static str, Vec<Value>),
}

impl Difference {
    pub(super) fn into_change(self) -> RestoredChange {
        RestoredChange {
            action: self.action,
            target: self.target,
            reason: self.reason.to_owned(),
        }
    }
}

/// Finds every difference. `main` is the present database, `restored` the backup.
pub(super) async fn find(
    transaction: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Difference>, Error> {
    let mut differences = keys::tenants(transaction, now).await?;
    differences.extend(policies::find(transaction, now).await?);
    differences.extend(people::find(transaction, now).await?);
    differences.extend(identities::find(transaction).await?);
    differences.extend(keys::groups(transaction, now).await?);
    differences.extend(keys::deleted_groups(transaction, now).await?);
    differences.extend(keys::keys(transaction, now).await?);
    Ok(differences)
}

/// Finds what a database of another past proves: tenants that are suspended, users that are disabled, and keys that are revoked or have a
/// later secret than in the backup. A row that is missing there proves nothing.
pub(super) async fn find_taken_away(
    transaction: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Difference>, Error> {
    let mut differences = keys::tenants(transaction, now).await?;
    differences.retain(|difference| difference.action == AuditAction::TenantSuspended);
    differences.extend(people::disabled(transaction, now).await?);
    differences.extend(keys::known_to_be_dead(transaction, now).await?);
    Ok(differences)
}

/// Adds the revocation of the keys that the operator names.
pub(super) async fn add_named(
    transaction: &impl ConnectionTrait,
    differences: &mut Vec<Difference>,
    named: &[KeyId],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    for key in named {
        let is_revoked = differences.iter().any(|difference| {
            difference.action == AuditAction::ApiKeyRevoked
                && difference.target.id == Some(key.as_uuid())
        });
        if !is_revoked {
            differences.extend(keys::revocation_of(transaction, *key, now).await?);
        }
    }
    Ok(())
}

/// The rows that a query returns.
async fn rows<Row: FromQueryResult>(
    transaction: &impl ConnectionTrait,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<Row>, Error> {
    let query = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
    Ok(Row::find_by_statement(query).all(transaction).await?)
}

/// One changed field, in the form of the audit log.
fn field(
    name: &str,
    before: impl serde::Serialize,
    after: impl serde::Serialize,
) -> serde_json::Value {
    json!({ name: { "before": before, "after": after } })
}
