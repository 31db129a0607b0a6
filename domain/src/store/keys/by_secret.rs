//! Finds a key by its secret: the query of every verification. It is the only query across tenants, because the secret determines the
//! tenant.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, QueryTrait,
    Select, Statement,
};
use std::sync::OnceLock;
use uuid::Uuid;

use super::row::{self, KeyRow};
use crate::{
    Error,
    key::{ApiKey, allowlist::Addresses, verdict::Grant},
    store::{
        Store,
        entity::{api_key, authorization_group, tenant},
        error::damaged,
        random::Digest,
        stored_policy::stored_allowlist,
    },
    tenant::TenantRef,
};

/// A stored key with the data that decides its verdicts.
#[derive(Clone, Debug)]
pub(crate) struct KnownKey {
    /// The key with its group.
    pub(crate) key: ApiKey,
    /// The tenant.
    pub(crate) tenant: TenantRef,
    /// The data that decides the verdict on a request.
    pub(crate) grant: Grant,
}

/// The columns that [`with_tenant`] selects.
#[derive(FromQueryResult)]
pub(super) struct KnownRow {
    #[sea_orm(nested)]
    key: KeyRow,
    permissions: String,
    tenant_id: Uuid,
    tenant_slug: String,
    tenant_name: String,
    tenant_suspended_at: Option<DateTime<Utc>>,
    tenant_ip_allowlist: String,
}

impl Store {
    /// The key whose current secret has this digest.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Internal`] for a damaged row, so that the request is not accepted.
    pub(crate) async fn find_by_digest(
        &self,
        digest: &Digest,
        now: DateTime<Utc>,
    ) -> Result<Option<KnownKey>, Error> {
        let database = self.database();
        let backend = database.backend();
        let digest = digest.to_vec();
        let query = Statement::from_sql_and_values(backend, by_digest(backend), [digest.into()]);
        let row = KnownRow::find_by_statement(query).one(database.checks());
        database
            .with_timeout(row)
            .await?
            .map(|row| row.into_known(now, database.options().expiring_soon_days))
            .transpose()
    }
}

/// The text of the query, which is built once for each engine.
///
/// It has no LIMIT: SQLite would prepare it anew for each execution, because the limit is a bound parameter that its planner uses.
fn by_digest(backend: DbBackend) -> &'static str {
    static SQLITE: OnceLock<String> = OnceLock::new();
    static POSTGRES: OnceLock<String> = OnceLock::new();
    let text = match backend {
        DbBackend::Postgres => &POSTGRES,
        _ => &SQLITE,
    };
    text.get_or_init(|| {
        let digest = Digest::default();
        let keys = with_tenant(api_key::Entity::find())
            .filter(api_key::Column::SecretDigest.eq(digest.as_slice()));
        keys.build(backend).sql
    })
}

/// Selects the columns of [`KnownRow`] from `keys`.
pub(super) fn with_tenant(keys: Select<api_key::Entity>) -> Select<api_key::Entity> {
    row::with_group(keys)
        .column_as(authorization_group::Column::Permissions, "permissions")
        .column_as(tenant::Column::Id, "tenant_id")
        .column_as(tenant::Column::Slug, "tenant_slug")
        .column_as(tenant::Column::Name, "tenant_name")
        .column_as(tenant::Column::SuspendedAt, "tenant_suspended_at")
        .column_as(tenant::Column::PolicyIpAllowlist, "tenant_ip_allowlist")
}

impl KnownRow {
    pub(super) fn into_known(self, now: DateTime<Utc>, soon_days: u32) -> Result<KnownKey, Error> {
        let key = self.key.into_key(now, soon_days)?;
        let grant = Grant {
            revoked: key.revoked_at.is_some(),
            expires_on: key.expires_on,
            tenant_suspended: self.tenant_suspended_at.is_some(),
            tenant_addresses: Addresses::from(&stored_allowlist(&self.tenant_ip_allowlist)?),
            addresses: Addresses::from(&key.ip_allowlist),
            permissions: serde_json::from_str(&self.permissions)
                .map_err(|_| damaged("set of permissions"))?,
        };
        Ok(KnownKey {
            tenant: TenantRef {
                id: self.tenant_id.into(),
                slug: self.tenant_slug.parse().map_err(|_| damaged("slug"))?,
                name: self.tenant_name,
            },
            key,
            grant,
        })
    }
}
