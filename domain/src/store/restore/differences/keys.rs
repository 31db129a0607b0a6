//! Differences of keys, their groups and their tenants.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Difference, field, rows};
use crate::{
    Error,
    audit::{AuditAction, AuditTarget},
    id::KeyId,
    key::KeyStatus,
    store::{backup::count, error::damaged},
};

#[derive(FromQueryResult)]
struct TenantRow {
    id: Uuid,
    name: String,
    was_suspended_at: Option<DateTime<Utc>>,
    suspended_at: Option<DateTime<Utc>>,
}

const TENANTS: &str = "
    SELECT old.id, old.name, old.suspended_at AS was_suspended_at, new.suspended_at
    FROM restored.tenants AS old JOIN main.tenants AS new ON new.id = old.id
    WHERE (new.suspended_at IS NULL) <> (old.suspended_at IS NULL)
    ORDER BY old.id";

const SET_SUSPENDED: &str =
    "UPDATE tenants SET suspended_at = $1, updated_at = $2, version = version + 1 WHERE id = $3";

/// Finds tenants that were suspended or resumed. (If a tenant no longer exists, neither do its keys.)
pub(super) async fn tenants(
    transaction: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Difference>, Error> {
    let tenants = rows::<TenantRow>(transaction, TENANTS, Vec::new()).await?;
    let difference = |row: TenantRow| {
        let (action, reason) = match row.suspended_at {
            Some(_) => (
                AuditAction::TenantSuspended,
                "the tenant was suspended since",
            ),
            None => (AuditAction::TenantResumed, "the tenant was resumed since"),
        };
        Difference {
            tenant_id: Some(row.id),
            action,
            target: AuditTarget::tenant(row.id.into(), row.name),
            reason,
            changes: field("suspended_at", row.was_suspended_at, row.suspended_at),
            statement: (
                SET_SUSPENDED,
                vec![row.suspended_at.into(), now.into(), row.id.into()],
            ),
        }
    };
    Ok(tenants.into_iter().map(difference).collect())
}

#[derive(FromQueryResult)]
struct GroupRow {
    id: Uuid,
    tenant_id: Uuid,
    name: String,
    old_permissions: String,
    permissions: String,
}

const GROUPS: &str = "
    SELECT old.id, old.tenant_id, old.name, old.permissions AS old_permissions, new.permissions
    FROM restored.authorization_groups AS old
    JOIN main.authorization_groups AS new ON new.id = old.id AND new.tenant_id = old.tenant_id
    WHERE new.permissions <> old.permissions
    ORDER BY old.id";

const SET_PERMISSIONS: &str = "UPDATE authorization_groups SET permissions = $1, updated_at = $2, \
     version = version + 1 WHERE id = $3";

#[derive(FromQueryResult)]
struct DeletedGroupRow {
    id: Uuid,
    tenant_id: Uuid,
    name: String,
    deleted_at: DateTime<Utc>,
}

const DELETED_GROUPS: &str = "
    SELECT old.id, old.tenant_id, old.name, new.deleted_at
    FROM restored.authorization_groups AS old
    JOIN main.authorization_groups AS new ON new.id = old.id AND new.tenant_id = old.tenant_id
    WHERE old.deleted_at IS NULL AND new.deleted_at IS NOT NULL
    ORDER BY old.id";

const DELETE_GROUP: &str = "UPDATE authorization_groups SET deleted_at = $1, updated_at = $2, \
     version = version + 1 WHERE id = $3";

/// Finds groups that were deleted. Their keys were revoked or got another group before, which [`keys`] finds.
pub(super) async fn deleted_groups(
    transaction: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Difference>, Error> {
    const CAN_DELETE: &str = "SELECT count(*) FROM pragma_table_info('authorization_groups', 'main') WHERE name = 'deleted_at'";
    // A present database of an earlier version deleted no group.
    if count(transaction, CAN_DELETE).await? == 0 {
        return Ok(Vec::new());
    }
    let groups = rows::<DeletedGroupRow>(transaction, DELETED_GROUPS, Vec::new()).await?;
    let difference = |row: DeletedGroupRow| Difference {
        tenant_id: Some(row.tenant_id),
        action: AuditAction::GroupDeleted,
        target: AuditTarget::group(row.id.into(), row.name),
        reason: "the group was deleted since",
        changes: field("deleted_at", None::<DateTime<Utc>>, row.deleted_at),
        statement: (
            DELETE_GROUP,
            vec![row.deleted_at.into(), now.into(), row.id.into()],
        ),
    };
    Ok(groups.into_iter().map(difference).collect())
}

/// Finds groups whose permissions were replaced.
pub(super) async fn groups(
    transaction: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Difference>, Error> {
    let groups = rows::<GroupRow>(transaction, GROUPS, Vec::new()).await?;
    let list =
        |text: &str| serde_json::from_str::<Value>(text).map_err(|_| damaged("set of permissions"));
    let difference = |row: GroupRow| {
        Ok(Difference {
            tenant_id: Some(row.tenant_id),
            action: AuditAction::GroupPermissionsChanged,
            target: AuditTarget::group(row.id.into(), row.name),
            reason: "the permissions were changed since",
            changes: field(
                "permissions",
                list(&row.old_permissions)?,
                list(&row.permissions)?,
            ),
            statement: (
                SET_PERMISSIONS,
                vec![row.permissions.into(), now.into(), row.id.into()],
            ),
        })
    };
    groups.into_iter().map(difference).collect()
}

#[derive(FromQueryResult)]
struct KeyRow {
    id: Uuid,
    tenant_id: Uuid,
    name: String,
    is_there: bool,
    revoked_at: Option<DateTime<Utc>>,
    has_same_secret: Option<bool>,
    /// Whether its secret is newer than the backup's.
    has_later_secret: bool,
    old_group_id: Uuid,
    old_group_name: String,
    group_id: Option<Uuid>,
    /// Name of the present group, if the backup has that group.
    group_name: Option<String>,
    old_allowlist: String,
    allowlist: Option<String>,
    old_expires_on: Option<NaiveDate>,
    expires_on: Option<NaiveDate>,
}

/// `{archived}` stands for the archive of the present database, if its version has one.
const KEYS: &str = "
    SELECT old.id, old.tenant_id, old.name,
        new.id IS NOT NULL OR archived.id IS NOT NULL AS is_there,
        coalesce(new.revoked_at, archived.revoked_at) AS revoked_at,
        new.secret_digest = old.secret_digest AS has_same_secret,
        coalesce(new.rotated_at > coalesce(old.rotated_at, old.created_at), FALSE) AS has_later_secret,
        old.group_id AS old_group_id, old_group.name AS old_group_name,
        new.group_id, new_group.name AS group_name,
        old.ip_allowlist AS old_allowlist, new.ip_allowlist AS allowlist,
        old.expires_on AS old_expires_on, new.expires_on
    FROM restored.api_keys AS old
    JOIN restored.authorization_groups AS old_group
        ON old_group.tenant_id = old.tenant_id AND old_group.id = old.group_id
    LEFT JOIN main.api_keys AS new ON new.id = old.id AND new.tenant_id = old.tenant_id
    LEFT JOIN {archived} AS archived ON archived.id = old.id AND archived.tenant_id = old.tenant_id
    LEFT JOIN restored.authorization_groups AS new_group
        ON new_group.tenant_id = new.tenant_id AND new_group.id = new.group_id
    WHERE old.revoked_at IS NULL AND (
        new.id IS NULL OR new.revoked_at IS NOT NULL OR new.secret_digest <> old.secret_digest
        OR new.group_id <> old.group_id OR new.ip_allowlist <> old.ip_allowlist
        OR new.expires_on IS NOT old.expires_on
    )
    ORDER BY old.id";

const REVOKE: &str =
    "UPDATE api_keys SET revoked_at = $1, updated_at = $2, version = version + 1 WHERE id = $3";

const LIMIT: &str = "UPDATE api_keys SET group_id = $1, group_name_lower = $2, ip_allowlist = $3, \
     expires_on = $4, updated_at = $5, version = version + 1 WHERE id = $6";

async fn changed_keys(transaction: &impl ConnectionTrait) -> Result<Vec<KeyRow>, Error> {
    const HAS_ARCHIVE: &str = "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = 'archived_api_keys'";
    let archived = match count(transaction, HAS_ARCHIVE).await? {
        0 => "(SELECT NULL AS id, NULL AS tenant_id, NULL AS revoked_at WHERE FALSE)",
        _ => "main.archived_api_keys",
    };
    let sql = KEYS.replace("{archived}", archived);
    rows::<KeyRow>(transaction, &sql, Vec::new()).await
}

/// Finds keys that were not revoked in the backup and have changed since.
pub(super) async fn keys(
    transaction: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Difference>, Error> {
    let keys = changed_keys(transaction).await?;
    Ok(keys.into_iter().map(|row| difference(row, now)).collect())
}

/// Finds keys that were not revoked in the backup, and that were revoked or rotated according to a database of another past.
pub(super) async fn known_to_be_dead(
    transaction: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Difference>, Error> {
    let mut keys = changed_keys(transaction).await?;
    keys.retain(|row| row.revoked_at.is_some() || row.has_later_secret);
    Ok(keys.into_iter().map(|row| difference(row, now)).collect())
}

fn difference(row: KeyRow, now: DateTime<Utc>) -> Difference {
    let why_revoked = if !row.is_there {
        Some("the key is gone since")
    } else if row.revoked_at.is_some() {
        Some("the key was revoked since")
    } else if row.has_same_secret != Some(true) {
        Some("the key got a new secret since")
    } else {
        None
    };
    if let Some(reason) = why_revoked {
        let at = row.revoked_at.unwrap_or(now);
        return revocation((row.id, row.tenant_id, row.name), reason, at, now);
    }
    let (Some(group_id), Some(group_name), Some(allowlist)) =
        (row.group_id, row.group_name, row.allowlist)
    else {
        let reason = "the key got a group since that the backup does not have";
        return revocation((row.id, row.tenant_id, row.name), reason, now, now);
    };
    let mut changes = json!({});
    if group_id != row.old_group_id {
        changes["authorization_group"] = json!({
            "before": { "id": row.old_group_id, "name": row.old_group_name },
            "after": { "id": group_id, "name": group_name },
        });
    }
    if allowlist != row.old_allowlist {
        let entries = |lines: &str| lines.lines().map(str::to_owned).collect::<Vec<_>>();
        changes["ip_allowlist"] = json!({
            "before": entries(&row.old_allowlist),
            "after": entries(&allowlist),
        });
    }
    if row.expires_on != row.old_expires_on {
        changes["expires_on"] = json!({ "before": row.old_expires_on, "after": row.expires_on });
    }
    Difference {
        tenant_id: Some(row.tenant_id),
        action: AuditAction::ApiKeyUpdated,
        target: AuditTarget::api_key(row.id.into(), row.name),
        reason: "the key's group, allowlist or date was changed since",
        changes,
        statement: (
            LIMIT,
            vec![
                group_id.into(),
                crate::text::lowered(&group_name).into(),
                allowlist.into(),
                row.expires_on.into(),
                now.into(),
                row.id.into(),
            ],
        ),
    }
}

fn revocation(
    (id, tenant_id, name): (Uuid, Uuid, String),
    reason: &'static str,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Difference {
    Difference {
        tenant_id: Some(tenant_id),
        action: AuditAction::ApiKeyRevoked,
        target: AuditTarget::api_key(id.into(), name),
        reason,
        changes: field("status", KeyStatus::Active, KeyStatus::Revoked),
        statement: (REVOKE, vec![at.into(), now.into(), id.into()]),
    }
}

#[derive(FromQueryResult)]
struct LiveKey {
    id: Uuid,
    tenant_id: Uuid,
    name: String,
}

/// The revocation that the operator requests; `None` if the key is already revoked in the backup.
pub(super) async fn revocation_of(
    transaction: &impl ConnectionTrait,
    key: KeyId,
    now: DateTime<Utc>,
) -> Result<Option<Difference>, Error> {
    let live =
        "SELECT id, tenant_id, name FROM restored.api_keys WHERE id = $1 AND revoked_at IS NULL";
    let found = rows::<LiveKey>(transaction, live, vec![key.as_uuid().into()]).await?;
    Ok(found.into_iter().next().map(|row| {
        let key = (row.id, row.tenant_id, row.name);
        revocation(key, "the operator says so", now, now)
    }))
}
