//! What was taken away since the backup, found by comparing the backup with the database that went on from it.
//!
//! A key that was revoked, got a new secret, or is gone, is revoked. (The new secret is not taken over: the backup is older than it, and
//! whoever restores a backup hands out a new one.) So is one whose group the backup does not have. Whatever else limits who may do
//! what is taken over as it is now, also where it is less strict than it was: of two values the newer one is what somebody wants.

mod keys;
mod people;

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
    /// For people.
    pub(super) reason: &'static str,
    /// For the audit trail.
    pub(super) changes: serde_json::Value,
    /// What makes it.
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

/// Every difference. `main` is the database that is there, `restored` the backup.
pub(super) async fn find(
    transaction: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Difference>, Error> {
    let mut differences = keys::tenants(transaction, now).await?;
    differences.extend(people::find(transaction, now).await?);
    differences.extend(keys::groups(transaction, now).await?);
    differences.extend(keys::keys(transaction, now).await?);
    Ok(differences)
}

/// What a database of another past knows for certain: tenants that are suspended, users that are disabled, and keys that are revoked or
/// got a new secret later than in the backup. What it does not have says nothing.
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

/// The rows that a query answers.
async fn rows<Row: FromQueryResult>(
    transaction: &impl ConnectionTrait,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<Row>, Error> {
    let query = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
    Ok(Row::find_by_statement(query).all(transaction).await?)
}

/// One field, as the audit trail has it.
fn field(
    name: &str,
    before: impl serde::Serialize,
    after: impl serde::Serialize,
) -> serde_json::Value {
    json!({ name: { "before": before, "after": after } })
}
