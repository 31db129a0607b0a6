//! Bulk creation of keys for the benchmarks.

mod console;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use super::{
    Store, clock,
    entity::{api_key, authorization_group, tenant},
    random,
};
use crate::{
    Error,
    actor::{Actor, ActorRef},
    group::GroupType,
    id::{GroupId, KeyId, TenantId},
    key::{format::Secret, today},
};

pub use console::{ConsoleExtent, ConsoleSample};

/// Number of tenants whose keys are inserted in one statement. A key has 20 columns, so SQLite accepts at most 1,638 keys in one statement.
const TENANTS_AT_ONCE: u32 = 10;
const MOST_KEYS_OF_A_TENANT: u32 = 160;
const GROUP: &str = "Orders";
const PERMISSIONS: &str = r#"["orders:read"]"#;
/// The second network contains the address of the load generator.
const ALLOWLIST: &str = "10.0.0.0/8\n127.0.0.0/8";

impl Store {
    /// Creates `tenants` tenants with `keys` active keys each in an empty database, and returns the secrets. Each key has the permission
    /// `orders:read`; half of them expire within two years, and one in ten has an allowlist, which contains the loopback network. One
    /// transaction writes everything, without audit events.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Invalid`] if a tenant would get more keys than one statement inserts.
    pub async fn fill(
        &self,
        tenants: u32,
        keys: u32,
        now: DateTime<Utc>,
    ) -> Result<Vec<Secret>, Error> {
        if keys > MOST_KEYS_OF_A_TENANT {
            return Err(Error::invalid("keys", "Must be at most 160"));
        }
        let now = clock::stored(now);
        let database = self.database();
        let filled = database.write_without_limit(async |transaction| {
            let mut secrets = Vec::new();
            for first in (0..tenants).step_by(TENANTS_AT_ONCE as usize) {
                let numbers = first..tenants.min(first + TENANTS_AT_ONCE);
                let tenants: Vec<_> = numbers.map(|number| tenant(number, keys, now)).collect();
                let groups: Vec<_> = tenants.iter().map(|tenant| group(tenant, now)).collect();
                let mut rows = Vec::new();
                for group in &groups {
                    for number in 0..keys {
                        let secret = Secret::generate(&self.options().key_prefix, random::fill)?;
                        rows.push(key(group, number, &secret, now).into_active_model());
                        secrets.push(secret);
                    }
                }
                let tenants = tenants.into_iter().map(IntoActiveModel::into_active_model);
                let groups = groups.into_iter().map(IntoActiveModel::into_active_model);
                let written = async {
                    tenant::Entity::insert_many(tenants)
                        .exec_without_returning(transaction)
                        .await?;
                    authorization_group::Entity::insert_many(groups)
                        .exec_without_returning(transaction)
                        .await?;
                    api_key::Entity::insert_many(rows)
                        .exec_without_returning(transaction)
                        .await
                };
                database.with_timeout(written).await?;
            }
            // No server runs yet, and deleting so many entries later would take minutes.
            transaction
                .execute_unprepared("DELETE FROM key_state_changes")
                .await?;
            Ok(secrets)
        });
        filled.await
    }
}

impl Store {
    /// Adds `number` archived keys with random digests to the first tenant of a SQLite file that no server serves.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn fill_archive(&self, number: u32) -> Result<(), Error> {
        let filled = self
            .database()
            .write_without_limit(async |transaction| {
                let insert = format!(
                    "INSERT INTO archived_api_keys
                     SELECT randomblob(16), tenant_id, name, hint, randomblob(32), created_at, created_at, created_at
                     FROM (SELECT * FROM api_keys LIMIT 1), (
                         WITH RECURSIVE numbers(n) AS (SELECT 1 WHERE 0 < {number} UNION ALL SELECT n + 1 FROM numbers WHERE n < {number})
                         SELECT n FROM numbers)"
                );
                transaction.execute_unprepared(&insert).await?;
                transaction
                    .execute_unprepared("DELETE FROM key_state_changes")
                    .await?;
                Ok(())
            });
        filled.await
    }
}

fn tenant(number: u32, keys: u32, now: DateTime<Utc>) -> tenant::Model {
    tenant::Model {
        id: random::identifier::<TenantId>().as_uuid(),
        slug: format!("tenant-{number}"),
        name: format!("Tenant {number}"),
        name_lower: format!("tenant {number}"),
        key_limit: i64::from(keys),
        suspended_at: None,
        policy_expiration_required: false,
        policy_max_lifetime_days: None,
        policy_default_lifetime_days: None,
        policy_ip_allowlist: String::new(),
        policy_second_factor_required: false,
        policy_version: 1,
        created_at: now,
        updated_at: now,
        version: 1,
    }
}

fn group(tenant: &tenant::Model, now: DateTime<Utc>) -> authorization_group::Model {
    authorization_group::Model {
        id: random::identifier::<GroupId>().as_uuid(),
        tenant_id: tenant.id,
        name: GROUP.to_owned(),
        kind: GroupType::TenantApiKey.as_str().to_owned(),
        permissions: PERMISSIONS.to_owned(),
        created_at: now,
        updated_at: now,
        version: 1,
        deleted_at: None,
    }
}

fn key(
    group: &authorization_group::Model,
    number: u32,
    secret: &Secret,
    now: DateTime<Utc>,
) -> api_key::Model {
    let name = format!("Warehouse {number} nightly sync");
    let description = format!("Asked for by the team of warehouse {number}");
    let ActorRef {
        kind,
        id,
        name: creator,
    } = Actor::cli().who;
    let expires_on = number
        .is_multiple_of(2)
        .then(|| today(now) + TimeDelta::days(365 + i64::from(number)));
    let allowlist = if number.is_multiple_of(10) {
        ALLOWLIST
    } else {
        ""
    };
    api_key::Model {
        id: random::identifier::<KeyId>().as_uuid(),
        tenant_id: group.tenant_id,
        group_id: group.id,
        group_name_lower: crate::text::lowered(&group.name),
        name_lower: crate::text::lowered(&name),
        name,
        description_lower: crate::text::lowered(&description),
        description,
        hint: secret.hint(),
        secret_digest: random::digest(secret.expose()),
        expires_on,
        ip_allowlist: allowlist.to_owned(),
        created_by_kind: kind.as_str().to_owned(),
        created_by_id: id,
        created_by_name: creator,
        created_at: now,
        updated_at: now,
        rotated_at: None,
        revoked_at: None,
        revoked_by_kind: None,
        revoked_by_id: None,
        revoked_by_name: None,
        revoked_reason: None,
        last_used_at: None,
        last_used_ip: None,
        version: 1,
    }
}
