//! Differences of the security policies of tenants.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Difference, rows};
use crate::{
    Error,
    audit::{AuditAction, AuditTarget},
    store::backup::count,
};

#[derive(FromQueryResult)]
struct PolicyRow {
    id: Uuid,
    name: String,
    old_expiration_required: bool,
    expiration_required: bool,
    old_max_lifetime_days: Option<i64>,
    max_lifetime_days: Option<i64>,
    old_default_lifetime_days: Option<i64>,
    default_lifetime_days: Option<i64>,
    old_ip_allowlist: String,
    ip_allowlist: String,
    old_second_factor_required: bool,
    second_factor_required: bool,
    /// A version that neither database has.
    next_version: i64,
}

const POLICIES: &str = "
    SELECT old.id, old.name,
        old.policy_expiration_required AS old_expiration_required,
        new.policy_expiration_required AS expiration_required,
        old.policy_max_lifetime_days AS old_max_lifetime_days,
        new.policy_max_lifetime_days AS max_lifetime_days,
        old.policy_default_lifetime_days AS old_default_lifetime_days,
        new.policy_default_lifetime_days AS default_lifetime_days,
        old.policy_ip_allowlist AS old_ip_allowlist,
        new.policy_ip_allowlist AS ip_allowlist,
        old.policy_second_factor_required AS old_second_factor_required,
        new.policy_second_factor_required AS second_factor_required,
        max(old.policy_version, new.policy_version) + 1 AS next_version
    FROM restored.tenants AS old JOIN main.tenants AS new ON new.id = old.id
    WHERE new.policy_expiration_required <> old.policy_expiration_required
        OR new.policy_max_lifetime_days IS NOT old.policy_max_lifetime_days
        OR new.policy_default_lifetime_days IS NOT old.policy_default_lifetime_days
        OR new.policy_ip_allowlist <> old.policy_ip_allowlist
        OR new.policy_second_factor_required <> old.policy_second_factor_required
        OR new.policy_version <> old.policy_version
    ORDER BY old.id";

const SET_POLICY: &str = "UPDATE tenants SET policy_expiration_required = $1, \
     policy_max_lifetime_days = $2, policy_default_lifetime_days = $3, policy_ip_allowlist = $4, \
     policy_second_factor_required = $5, policy_version = $6, updated_at = $7 WHERE id = $8";

/// Finds tenants whose security policy was changed. The present policy is taken over as a whole.
pub(super) async fn find(
    transaction: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<Difference>, Error> {
    const HAS_POLICIES: &str =
        "SELECT count(*) FROM pragma_table_info('tenants', 'main') WHERE name = 'policy_version'";
    // A present database of an earlier version has no policy.
    if count(transaction, HAS_POLICIES).await? == 0 {
        return Ok(Vec::new());
    }
    let policies = rows::<PolicyRow>(transaction, POLICIES, Vec::new()).await?;
    Ok(policies
        .into_iter()
        .map(|row| difference(row, now))
        .collect())
}

fn difference(row: PolicyRow, now: DateTime<Utc>) -> Difference {
    let mut changes = json!({});
    let mut note = |field: &str, before: Value, after: Value| {
        if before != after {
            changes[field] = json!({ "before": before, "after": after });
        }
    };
    let entries = |lines: &str| json!(lines.lines().collect::<Vec<_>>());
    note(
        "expiration_required",
        json!(row.old_expiration_required),
        json!(row.expiration_required),
    );
    note(
        "max_lifetime_days",
        json!(row.old_max_lifetime_days),
        json!(row.max_lifetime_days),
    );
    note(
        "default_lifetime_days",
        json!(row.old_default_lifetime_days),
        json!(row.default_lifetime_days),
    );
    note(
        "ip_allowlist",
        entries(&row.old_ip_allowlist),
        entries(&row.ip_allowlist),
    );
    note(
        "second_factor_required",
        json!(row.old_second_factor_required),
        json!(row.second_factor_required),
    );
    Difference {
        tenant_id: Some(row.id),
        action: AuditAction::SecurityPolicyChanged,
        target: AuditTarget::security_policy(row.id.into(), row.name),
        reason: "the security policy was changed since",
        changes,
        statement: (
            SET_POLICY,
            vec![
                row.expiration_required.into(),
                row.max_lifetime_days.into(),
                row.default_lifetime_days.into(),
                row.ip_allowlist.into(),
                row.second_factor_required.into(),
                row.next_version.into(),
                now.into(),
                row.id.into(),
            ],
        ),
    }
}
