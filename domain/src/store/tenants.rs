//! Management of tenants by an operator.

mod edit;
mod page;
#[cfg(test)]
mod page_plans;

pub use edit::TenantChanges;
pub use page::TenantQuery;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection,
    EntityTrait, QueryFilter, QuerySelect, SqlErr,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use uuid::Uuid;

use super::{
    audit::Event,
    clock,
    connection::Database,
    entity::{api_key, tenant},
    error::damaged,
    one_time_links::{self, LinkEnd},
    random,
    scope::{OperatorScope, TenantScope},
    write::Write,
};
use crate::{
    Error, FieldError,
    audit::AuditAction,
    id::KeyId,
    propagation::Written,
    tenant::{KeyQuota, MAX_KEY_LIMIT, Slug, Tenant, TenantRef},
    text,
};

/// The input for creating a tenant.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// The name, 1–200 characters.
    pub name: String,
    /// The slug; derived from the name if `None`.
    pub slug: Option<Slug>,
    /// The key limit; the store's default if `None`.
    pub key_limit: Option<u32>,
}

/// Management of tenants by an operator.
pub struct Tenants<'a> {
    database: &'a Database,
    operator: &'a OperatorScope,
}

impl<'a> Tenants<'a> {
    pub(crate) const fn new(database: &'a Database, operator: &'a OperatorScope) -> Self {
        Self { database, operator }
    }

    /// Every tenant with its quota, sorted by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list(&self) -> Result<Vec<(Tenant, KeyQuota)>, Error> {
        let lists = self.database.lists(None).await?;
        let reader: &DatabaseConnection = &lists;
        let (rows, used) = lists
            .with_timeout(async {
                let rows = tenant::Entity::find().all(reader).await?;
                let used = api_key::Entity::find()
                    .select_only()
                    .column(api_key::Column::TenantId)
                    .column_as(api_key::Column::Id.count(), "used")
                    .filter(api_key::Column::RevokedAt.is_null())
                    .group_by(api_key::Column::TenantId)
                    .into_tuple::<(Uuid, i64)>()
                    .all(reader)
                    .await?;
                Ok::<_, Error>((rows, used))
            })
            .await?;
        let used: HashMap<Uuid, i64> = used.into_iter().collect();
        let mut tenants = rows
            .into_iter()
            .map(|row| {
                let used = used.get(&row.id).copied().unwrap_or_default();
                let tenant = from_row(row)?;
                let usage = KeyQuota {
                    used: u32::try_from(used).map_err(|_| damaged("number of keys"))?,
                    limit: tenant.key_limit,
                };
                Ok((tenant, usage))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        tenants.sort_by_cached_key(|(tenant, _)| (tenant.name.to_lowercase(), tenant.slug.clone()));
        Ok(tenants)
    }

    /// The tenant with this slug.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn find(&self, slug: &str) -> Result<Tenant, Error> {
        self.database
            .with_timeout(find_by_slug(self.database.lookups(), slug))
            .await
    }

    /// The operator's scope in the tenant with this slug.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn scope(&self, slug: &str) -> Result<TenantScope, Error> {
        let tenant = self.find(slug).await?;
        Ok(TenantScope::new(
            TenantRef::from(&tenant),
            self.operator.actor().clone(),
        ))
    }

    /// The operator's scope in the tenant of this key. A key's identifier is unique in the installation.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn scope_of_key(&self, key: KeyId) -> Result<TenantScope, Error> {
        let reader = self.database.lookups();
        let row = self
            .database
            .with_timeout(async {
                let tenant_id = api_key::Entity::find_by_id(key.as_uuid())
                    .select_only()
                    .column(api_key::Column::TenantId)
                    .into_tuple::<Uuid>()
                    .one(reader)
                    .await?
                    .ok_or(Error::NotFound("API key"))?;
                let tenant = tenant::Entity::find_by_id(tenant_id).one(reader).await?;
                tenant.ok_or_else(|| damaged("tenant of a key"))
            })
            .await?;
        Ok(TenantScope::new(
            TenantRef::from(&from_row(row)?),
            self.operator.actor().clone(),
        ))
    }

    /// Creates a tenant.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `name`, `slug` and `key_limit`; [`Error::AlreadyExists`] if the slug is taken;
    /// [`Error::Unavailable`].
    pub async fn create(&self, new: NewTenant, now: DateTime<Utc>) -> Result<Tenant, Error> {
        let (name, slug, key_limit) = self.check(new)?;
        let now = clock::stored(now);
        let row = tenant::ActiveModel {
            id: Set(random::identifier()),
            slug: Set(slug.as_str().to_owned()),
            name_lower: Set(crate::text::lowered(&name)),
            name: Set(name),
            key_limit: Set(i64::from(key_limit)),
            suspended_at: Set(None),
            policy_expiration_required: Set(false),
            policy_max_lifetime_days: Set(None),
            policy_default_lifetime_days: Set(None),
            policy_ip_allowlist: Set(String::new()),
            policy_second_factor_required: Set(false),
            policy_version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            version: Set(1),
        };
        let created = self.database.write(Write::Plain, async |transaction| {
            let inserted = row.insert(transaction).await;
            let row = inserted.map_err(|error| match error.sql_err() {
                Some(SqlErr::UniqueConstraintViolation(_)) => Error::AlreadyExists {
                    what: "tenant",
                    name: slug.to_string(),
                },
                _ => error.into(),
            })?;
            let tenant = from_row(row)?;
            let changes = json!({
                "name": { "before": null, "after": tenant.name },
                "slug": { "before": null, "after": tenant.slug },
                "key_limit": { "before": null, "after": tenant.key_limit },
            });
            self.event(AuditAction::TenantCreated, &tenant)
                .changing(changes)
                .append(transaction, now)
                .await?;
            Ok(tenant)
        });
        Ok(created.await?.value)
    }

    /// Sets the key limit. A limit below the number of keys revokes none. Setting the current value writes nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] above [`MAX_KEY_LIMIT`], [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn set_limit(
        &self,
        slug: &str,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Result<Written<Tenant>, Error> {
        check_limit(limit)?;
        self.change(slug, AuditAction::TenantLimitChanged, now, |before| {
            (before.key_limit != i64::from(limit)).then(|| Change {
                row: tenant::ActiveModel {
                    key_limit: Set(i64::from(limit)),
                    ..before.clone().into()
                },
                changes: json!({ "key_limit": { "before": before.key_limit, "after": limit } }),
            })
        })
        .await
    }

    /// Sets the tenant's name; the slug stays. Setting the current name writes nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `name`, [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn rename(
        &self,
        slug: &str,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<Written<Tenant>, Error> {
        let name = text::display_name(name).map_err(|message| Error::invalid("name", message))?;
        self.change(slug, AuditAction::TenantRenamed, now, |before| {
            (before.name != name).then(|| Change {
                changes: json!({ "name": { "before": before.name, "after": name } }),
                row: tenant::ActiveModel {
                    name_lower: Set(text::lowered(&name)),
                    name: Set(name),
                    ..before.clone().into()
                },
            })
        })
        .await
    }

    /// Suspends a tenant: all of its keys and sessions are refused. Writes nothing if the tenant is already suspended.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn suspend(&self, slug: &str, now: DateTime<Utc>) -> Result<Written<Tenant>, Error> {
        self.change(slug, AuditAction::TenantSuspended, now, |before| {
            before
                .suspended_at
                .is_none()
                .then(|| suspension(before, Some(clock::stored(now))))
        })
        .await
    }

    /// Ends a suspension. Writes nothing if the tenant is not suspended.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn resume(&self, slug: &str, now: DateTime<Utc>) -> Result<Written<Tenant>, Error> {
        self.change(slug, AuditAction::TenantResumed, now, |before| {
            before
                .suspended_at
                .is_some()
                .then(|| suspension(before, None))
        })
        .await
    }

    fn check(&self, new: NewTenant) -> Result<(String, Slug, u32), Error> {
        let mut errors = Vec::new();
        let name = text::display_name(&new.name)
            .map_err(|message| errors.push(FieldError::new("name", message)))
            .ok();
        let slug = match (new.slug, &name) {
            (Some(slug), _) => Some(slug),
            (None, Some(name)) => Slug::from_name(name)
                .map_err(|error| errors.push(FieldError::new("slug", error.to_string())))
                .ok(),
            // No slug is derived from an invalid name.
            (None, None) => None,
        };
        let key_limit = new
            .key_limit
            .unwrap_or(self.database.options().default_key_limit);
        if let Err(Error::Invalid(error)) = check_limit(key_limit) {
            errors.extend(error);
        }
        match (name, slug) {
            (Some(name), Some(slug)) if errors.is_empty() => Ok((name, slug, key_limit)),
            _ => Err(Error::Invalid(errors)),
        }
    }

    /// Changes one tenant. If `change` returns `None`, writes neither the row nor an audit event.
    async fn change(
        &self,
        slug: &str,
        action: AuditAction,
        now: DateTime<Utc>,
        change: impl FnOnce(&tenant::Model) -> Option<Change>,
    ) -> Result<Written<Tenant>, Error> {
        let now = clock::stored(now);
        let slug = typed_slug(slug)?;
        let changed = self
            .database
            .write(Write::ChangesVerdicts, async |transaction| {
                let before = tenant::Entity::find()
                    .filter(tenant::Column::Slug.eq(slug.as_str()))
                    .lock_exclusive()
                    .one(transaction)
                    .await?
                    .ok_or(NOT_FOUND)?;
                let Some(Change { mut row, changes }) = change(&before) else {
                    return from_row(before);
                };
                row.version = Set(before.version + 1);
                row.updated_at = Set(now);
                let tenant = from_row(row.update(transaction).await?)?;
                if action == AuditAction::TenantSuspended {
                    let links = one_time_links::of_tenant(tenant.id.as_uuid());
                    one_time_links::end(transaction, links, LinkEnd::TenantSuspended, now).await?;
                }
                self.event(action, &tenant)
                    .changing(changes)
                    .append(transaction, now)
                    .await?;
                Ok(tenant)
            });
        changed.await
    }

    fn event(&self, action: AuditAction, tenant: &Tenant) -> Event<'_> {
        Event::by(self.operator.actor(), Some(tenant.id), action, tenant)
    }
}

/// The changed columns, and the changes for the audit event.
struct Change {
    row: tenant::ActiveModel,
    changes: Value,
}

fn suspension(before: &tenant::Model, suspended_at: Option<DateTime<Utc>>) -> Change {
    Change {
        row: tenant::ActiveModel {
            suspended_at: Set(suspended_at),
            ..before.clone().into()
        },
        changes: json!({ "suspended_at": { "before": before.suspended_at, "after": suspended_at } }),
    }
}

const NOT_FOUND: Error = Error::NotFound("tenant");

fn check_limit(limit: u32) -> Result<(), Error> {
    if limit > MAX_KEY_LIMIT {
        return Err(Error::invalid(
            "key_limit",
            format!("Must be at most {MAX_KEY_LIMIT}"),
        ));
    }
    Ok(())
}

/// Parses a typed slug. Other text must not reach the database, because PostgreSQL fails on NUL.
fn typed_slug(text: &str) -> Result<Slug, Error> {
    text.parse().map_err(|_| NOT_FOUND)
}

/// Reads the tenant with this slug, also inside a transaction.
pub(crate) async fn find_by_slug(
    connection: &impl ConnectionTrait,
    slug: &str,
) -> Result<Tenant, Error> {
    let slug = typed_slug(slug)?;
    tenant::Entity::find()
        .filter(tenant::Column::Slug.eq(slug.as_str()))
        .one(connection)
        .await?
        .ok_or(NOT_FOUND)
        .and_then(from_row)
}

/// Reads a tenant from a row.
pub(crate) fn from_row(row: tenant::Model) -> Result<Tenant, Error> {
    Ok(Tenant {
        id: row.id.into(),
        slug: row.slug.parse().map_err(|_| damaged("slug"))?,
        name: row.name,
        key_limit: u32::try_from(row.key_limit).map_err(|_| damaged("key limit"))?,
        suspended_at: row.suspended_at,
        created_at: row.created_at,
        version: row.version,
    })
}
