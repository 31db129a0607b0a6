//! Editing a tenant's name and key limit, and the effect of a suspension.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseConnection, EntityTrait,
    PaginatorTrait, QueryFilter, QuerySelect,
};
use serde_json::json;

use super::{NOT_FOUND, Tenants, check_limit, find_by_slug, from_row, typed_slug};
use crate::{
    Error, FieldError,
    audit::AuditAction,
    propagation::Written,
    store::{
        clock,
        entity::{api_key, tenant, user},
        write::Write,
    },
    tenant::{SuspensionEffect, Tenant},
    text,
};

/// The changed fields of an edit; `None` keeps a field.
#[derive(Clone, Debug, Default)]
pub struct TenantChanges {
    /// The name, 1–200 characters.
    pub name: Option<String>,
    /// The key limit. A limit below the number of keys revokes none.
    pub key_limit: Option<u32>,
}

impl Tenants<'_> {
    /// Changes name and key limit; the slug stays. Each changed field adds an audit event of its own; fields without a difference add none.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `name` and `key_limit`; [`Error::Stale`] if the tenant's version is not `expected_version`;
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn edit(
        &self,
        slug: &str,
        changes: TenantChanges,
        expected_version: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<Written<Tenant>, Error> {
        let TenantChanges { name, key_limit } = checked(changes)?;
        let slug = typed_slug(slug)?;
        let now = clock::stored(now);
        let edited = self
            .database
            .write(Write::ChangesVerdicts, async |transaction| {
                let before = tenant::Entity::find()
                    .filter(tenant::Column::Slug.eq(slug.as_str()))
                    .lock_exclusive()
                    .one(transaction)
                    .await?
                    .ok_or(NOT_FOUND)?;
                if expected_version.is_some_and(|version| version != before.version) {
                    return Err(Error::Stale);
                }
                let name = name.filter(|name| *name != before.name);
                let key_limit = key_limit.filter(|limit| i64::from(*limit) != before.key_limit);
                if name.is_none() && key_limit.is_none() {
                    return from_row(before);
                }
                let mut row = tenant::ActiveModel::from(before.clone());
                row.version = Set(before.version + 1);
                row.updated_at = Set(now);
                if let Some(name) = &name {
                    row.name_lower = Set(text::lowered(name));
                    row.name = Set(name.clone());
                }
                if let Some(limit) = key_limit {
                    row.key_limit = Set(i64::from(limit));
                }
                let tenant = from_row(row.update(transaction).await?)?;
                let renaming = name.map(|name| {
                    let changes = json!({ "name": { "before": before.name, "after": name } });
                    (AuditAction::TenantRenamed, changes)
                });
                let limiting = key_limit.map(|limit| {
                    let changes =
                        json!({ "key_limit": { "before": before.key_limit, "after": limit } });
                    (AuditAction::TenantLimitChanged, changes)
                });
                for (action, changes) in renaming.into_iter().chain(limiting) {
                    self.event(action, &tenant)
                        .changing(changes)
                        .append(transaction, now)
                        .await?;
                }
                Ok(tenant)
            });
        edited.await
    }

    /// The tenant, and the keys and users that a suspension stops.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn with_suspension_effect(
        &self,
        slug: &str,
    ) -> Result<(Tenant, SuspensionEffect), Error> {
        let lists = self.database.lists(None).await?;
        let reader: &DatabaseConnection = &lists;
        lists
            .with_timeout(async {
                let tenant = find_by_slug(reader, slug).await?;
                let id = tenant.id.as_uuid();
                let keys = api_key::Entity::find()
                    .filter(api_key::Column::TenantId.eq(id))
                    .filter(api_key::Column::RevokedAt.is_null())
                    .count(reader)
                    .await?;
                let users = user::Entity::find()
                    .filter(user::Column::TenantId.eq(id))
                    .filter(user::Column::DisabledAt.is_null())
                    .count(reader)
                    .await?;
                Ok::<_, Error>((tenant, SuspensionEffect { keys, users }))
            })
            .await
    }
}

/// The changes with a trimmed name.
fn checked(changes: TenantChanges) -> Result<TenantChanges, Error> {
    let mut errors = Vec::new();
    let name = changes.name.map(|name| text::display_name(&name));
    let name = name.transpose().unwrap_or_else(|message| {
        errors.push(FieldError::new("name", message));
        None
    });
    if let Some(Err(Error::Invalid(broken))) = changes.key_limit.map(check_limit) {
        errors.extend(broken);
    }
    if errors.is_empty() {
        Ok(TenantChanges { name, ..changes })
    } else {
        Err(Error::Invalid(errors))
    }
}
