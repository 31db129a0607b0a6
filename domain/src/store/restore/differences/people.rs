//! Users: who cannot sign in any more, and by which password.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use uuid::Uuid;

use super::{Difference, field, rows, target};
use crate::{Error, audit::AuditAction};

#[derive(FromQueryResult)]
struct UserRow {
    id: Uuid,
    tenant_id: Option<Uuid>,
    email: String,
    was_disabled_at: Option<DateTime<Utc>>,
    is_gone: bool,
    disabled_at: Option<DateTime<Utc>>,
    /// The newer one, where it is another one.
    password_hash: Option<String>,
}

/// A user is made for one tenant and one role. One who has others by now is not the one who was there.
const USERS: &str = "
    SELECT old.id, old.tenant_id, old.email, old.disabled_at AS was_disabled_at,
        new.id IS NULL AS is_gone, new.disabled_at,
        CASE WHEN new.password_hash <> old.password_hash THEN new.password_hash END AS password_hash
    FROM restored.users AS old
    LEFT JOIN main.users AS new
        ON new.id = old.id AND new.role = old.role AND new.tenant_id IS old.tenant_id
    WHERE new.id IS NULL OR new.disabled_at IS NOT NULL OR new.password_hash <> old.password_hash
    ORDER BY old.id";

const DISABLE: &str =
    "UPDATE users SET disabled_at = $1, updated_at = $2, version = version + 1 WHERE id = $3";

const SET_PASSWORD: &str = "UPDATE users SET password_hash = $1, consecutive_failures = 0, \
     updated_at = $2, version = version + 1 WHERE id = $3";

pub(super) async fn find(
    transaction: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Difference>, Error> {
    let mut differences = Vec::new();
    for row in rows::<UserRow>(transaction, USERS, Vec::new()).await? {
        let difference = |action, reason, changes, statement| Difference {
            tenant_id: row.tenant_id,
            action,
            target: target("user", row.id, row.email.clone()),
            reason,
            changes,
            statement,
        };
        if let Some(hash) = row.password_hash {
            differences.push(difference(
                AuditAction::UserPasswordChanged,
                "the password was changed since",
                json!({}),
                (SET_PASSWORD, vec![hash.into(), now.into(), row.id.into()]),
            ));
        }
        if row.was_disabled_at.is_none() && (row.is_gone || row.disabled_at.is_some()) {
            let (reason, at) = match row.disabled_at {
                Some(at) => ("the user was disabled since", at),
                None => ("the user is gone since", now),
            };
            differences.push(difference(
                AuditAction::UserDisabled,
                reason,
                field("disabled_at", None::<()>, at),
                (DISABLE, vec![at.into(), now.into(), row.id.into()]),
            ));
        }
    }
    Ok(differences)
}
