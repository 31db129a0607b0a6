//! Differences of users: state, role and password.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::{Difference, field, rows};
use crate::{
    Error,
    audit::{AuditAction, AuditTarget},
    user::Role,
};

#[derive(FromQueryResult)]
struct UserRow {
    id: Uuid,
    tenant_id: Option<Uuid>,
    email: String,
    was_disabled_at: Option<DateTime<Utc>>,
    is_gone: bool,
    disabled_at: Option<DateTime<Utc>>,
    was_role: String,
    /// The role now, if it differs from the backup's.
    role: Option<String>,
    /// The newer hash, if it differs from the backup's.
    password_hash: Option<String>,
}

/// A user never moves to another tenant. A row of the same id with another tenant is another user.
const USERS: &str = "
    SELECT old.id, old.tenant_id, old.email, old.disabled_at AS was_disabled_at,
        new.id IS NULL AS is_gone, new.disabled_at, old.role AS was_role,
        CASE WHEN new.role <> old.role THEN new.role END AS role,
        CASE WHEN new.password_hash <> old.password_hash THEN new.password_hash END AS password_hash
    FROM restored.users AS old
    LEFT JOIN main.users AS new ON new.id = old.id AND new.tenant_id IS old.tenant_id
    WHERE new.id IS NULL OR new.disabled_at IS NOT old.disabled_at OR new.role <> old.role
        OR new.password_hash <> old.password_hash
    ORDER BY old.id";

const SET_ROLE: &str =
    "UPDATE users SET role = $1, updated_at = $2, version = version + 1 WHERE id = $3";

const SET_DISABLED: &str =
    "UPDATE users SET disabled_at = $1, updated_at = $2, version = version + 1 WHERE id = $3";

const SET_PASSWORD: &str = "UPDATE users SET password_hash = $1, consecutive_failures = 0, \
     updated_at = $2, version = version + 1 WHERE id = $3";

/// Finds passwords and roles that were changed, and users that are disabled, enabled, or no longer exist.
pub(super) async fn find(
    transaction: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Difference>, Error> {
    let users = rows::<UserRow>(transaction, USERS, Vec::new()).await?;
    let differences = users.iter().flat_map(|user| {
        let gone = user.is_gone.then_some(("the user is gone since", now));
        let why = user.disabled().or(gone);
        [
            user.set_password(now),
            user.set_role(now),
            user.enable(now),
            why.and_then(|why| user.disable(why, now)),
        ]
    });
    Ok(differences.flatten().collect())
}

/// Finds users that are disabled or lost the role of an administrator. A missing user proves nothing.
pub(super) async fn disabled(
    transaction: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Difference>, Error> {
    let users = rows::<UserRow>(transaction, USERS, Vec::new()).await?;
    let differences = users.iter().flat_map(|user| {
        let lost = (user.was_role == Role::TenantAdmin.as_str()).then(|| user.set_role(now));
        let disabled = user.disabled().and_then(|why| user.disable(why, now));
        [lost.flatten(), disabled]
    });
    Ok(differences.flatten().collect())
}

/// The reason for which a user is disabled, and the time.
type Why = (&'static str, DateTime<Utc>);

impl UserRow {
    fn disabled(&self) -> Option<Why> {
        Some(("the user was disabled since", self.disabled_at?))
    }

    fn set_password(&self, now: DateTime<Utc>) -> Option<Difference> {
        let hash = self.password_hash.clone()?;
        let values = vec![hash.into(), now.into(), self.id.into()];
        Some(self.difference(
            AuditAction::UserPasswordChanged,
            "the password was changed since",
            json!({}),
            (SET_PASSWORD, values),
        ))
    }

    fn set_role(&self, now: DateTime<Utc>) -> Option<Difference> {
        let role = self.role.clone()?;
        let changes = field("role", &self.was_role, &role);
        let values = vec![role.into(), now.into(), self.id.into()];
        Some(self.difference(
            AuditAction::UserRoleChanged,
            "the role was changed since",
            changes,
            (SET_ROLE, values),
        ))
    }

    /// Returns `None` unless the user is disabled in the backup and enabled now.
    fn enable(&self, now: DateTime<Utc>) -> Option<Difference> {
        let was = self.was_disabled_at?;
        if self.is_gone || self.disabled_at.is_some() {
            return None;
        }
        let values = vec![None::<DateTime<Utc>>.into(), now.into(), self.id.into()];
        Some(self.difference(
            AuditAction::UserEnabled,
            "the user was enabled since",
            field("disabled_at", was, None::<()>),
            (SET_DISABLED, values),
        ))
    }

    /// Returns `None` if the user is already disabled in the backup.
    fn disable(&self, (reason, at): Why, now: DateTime<Utc>) -> Option<Difference> {
        if self.was_disabled_at.is_some() {
            return None;
        }
        let values = vec![at.into(), now.into(), self.id.into()];
        Some(self.difference(
            AuditAction::UserDisabled,
            reason,
            field("disabled_at", None::<()>, at),
            (SET_DISABLED, values),
        ))
    }

    fn difference(
        &self,
        action: AuditAction,
        reason: &'static str,
        changes: serde_json::Value,
        statement: (&'static str, Vec<Value>),
    ) -> Difference {
        Difference {
            tenant_id: self.tenant_id,
            action,
            target: AuditTarget::account(Some(self.id), self.email.as_str()),
            reason,
            changes,
            statement,
        }
    }
}
