//! Editing and deleting a group.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, SqlErr,
    sea_query::{Expr, LockType},
};
use serde_json::json;
use uuid::Uuid;

use super::{Groups, NOT_FOUND, from_row, in_tenant, row, stored_permissions};
use crate::{
    Error,
    audit::AuditAction,
    group::AuthorizationGroup,
    id::{GroupId, KeyRef},
    permission::PermissionSet,
    propagation::Written,
    store::{
        audit::Event, clock, connection::WriteTransaction, entity::api_key, keys::Keys,
        write::Write,
    },
    text,
};

/// Number of keys that the refusal to delete a group lists.
pub(super) const NAMED_KEYS: u64 = 10;

/// The changed fields of an edit; `None` keeps a field.
#[derive(Clone, Debug, Default)]
pub struct GroupChanges {
    /// The new name, 1–200 characters, unique in the tenant.
    pub name: Option<String>,
    /// The complete new set of permissions.
    pub permissions: Option<PermissionSet>,
}

impl Groups<'_> {
    /// The group with this identifier.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's group and for a deleted one; [`Error::Unavailable`].
    pub async fn get(&self, id: GroupId) -> Result<AuthorizationGroup, Error> {
        let reader = self.database.lookups();
        let find = in_tenant(self.scope.tenant_id())
            .filter(row::Column::Id.eq(id.as_uuid()))
            .one(reader);
        let found = self.database.with_timeout(find).await?;
        from_row(found.ok_or(NOT_FOUND)?)
    }

    /// Changes name and permissions. Each changed field adds an audit event of its own; fields without a difference add none.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `name`; [`Error::AlreadyExists`] if the tenant has another group with this name; [`Error::NotFound`];
    /// [`Error::Stale`] if the group's version is not `expected_version`; [`Error::ExceedsOwnGrant`] if the acting key lacks a permission
    /// that it adds to the group; [`Error::Unavailable`].
    pub async fn edit(
        &self,
        id: GroupId,
        changes: GroupChanges,
        expected_version: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<Written<AuthorizationGroup>, Error> {
        let name = changes
            .name
            .map(|name| text::display_name(&name))
            .transpose()
            .map_err(|message| Error::invalid("name", message))?;
        let permissions = changes.permissions;
        let now = clock::stored(now);
        let edited = self
            .database
            .write(Write::ChangesVerdicts, async |transaction| {
                let found = self.lock(transaction, id).await?;
                if expected_version.is_some_and(|version| version != found.version) {
                    return Err(Error::Stale);
                }
                let before = from_row(found.clone())?;
                let new_name = name.filter(|name| *name != before.name);
                let new_permissions = permissions.filter(|set| *set != before.permissions);
                if let Some(permissions) = &new_permissions {
                    self.check_given(transaction, &before.permissions, permissions, now)
                        .await?;
                }
                if new_name.is_none() && new_permissions.is_none() {
                    return Ok(before);
                }
                let mut changed = row::ActiveModel::from(found.clone());
                changed.version = Set(found.version + 1);
                changed.updated_at = Set(now);
                if let Some(name) = &new_name {
                    changed.name = Set(name.clone());
                }
                if let Some(permissions) = &new_permissions {
                    changed.permissions = Set(stored_permissions(permissions)?);
                }
                let updated = changed.update(transaction).await;
                let group =
                    from_row(updated.map_err(|error| name_is_taken(error, new_name.as_deref()))?)?;
                if let Some(name) = &new_name {
                    self.rename_in_keys(transaction, id, name).await?;
                    Event::of(self.scope, AuditAction::GroupRenamed, &group)
                        .changing(json!({ "name": { "before": before.name, "after": name } }))
                        .append(transaction, now)
                        .await?;
                }
                if let Some(permissions) = &new_permissions {
                    let changes = json!({
                        "permissions": { "before": before.permissions, "after": permissions },
                    });
                    Event::of(self.scope, AuditAction::GroupPermissionsChanged, &group)
                        .changing(changes)
                        .append(transaction, now)
                        .await?;
                }
                Ok(group)
            });
        edited.await
    }

    /// Deletes a group. Its row stays for the revoked keys that refer to it; its name becomes available.
    ///
    /// # Errors
    /// [`Error::GroupInUse`] if a key that is not revoked has the group; [`Error::NotFound`]; [`Error::Stale`] if the group's version is
    /// not `expected_version`; [`Error::ActorRefused`], [`Error::Unavailable`].
    pub async fn delete(
        &self,
        id: GroupId,
        expected_version: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<Written<()>, Error> {
        let now = clock::stored(now);
        let deleted = self
            .database
            .write(Write::ChangesVerdicts, async |transaction| {
                let found = self.lock(transaction, id).await?;
                if expected_version.is_some_and(|version| version != found.version) {
                    return Err(Error::Stale);
                }
                Keys::new(self.database, self.scope)
                    .own_grant(transaction, now)
                    .await?;
                let (keys, named) = self.keys_of(transaction, &found).await?;
                if keys > 0 {
                    return Err(Error::GroupInUse { keys, named });
                }
                let group = from_row(found.clone())?;
                let mut changed = row::ActiveModel::from(found.clone());
                changed.version = Set(found.version + 1);
                changed.updated_at = Set(now);
                changed.deleted_at = Set(Some(now));
                changed.update(transaction).await?;
                let changes = json!({
                    "name": { "before": group.name, "after": null },
                    "permissions": { "before": group.permissions, "after": null },
                });
                Event::of(self.scope, AuditAction::GroupDeleted, &group)
                    .changing(changes)
                    .append(transaction, now)
                    .await
            });
        deleted.await
    }

    /// The group's row, locked until the transaction ends. On PostgreSQL a concurrent change that gives a key the group waits for it.
    async fn lock(&self, transaction: &WriteTransaction, id: GroupId) -> Result<row::Model, Error> {
        in_tenant(self.scope.tenant_id())
            .filter(row::Column::Id.eq(id.as_uuid()))
            .lock_exclusive()
            .one(transaction)
            .await?
            .ok_or(NOT_FOUND)
    }

    /// Checks that the acting key has every permission that it adds to the group.
    pub(super) async fn check_given(
        &self,
        transaction: &WriteTransaction,
        before: &PermissionSet,
        after: &PermissionSet,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let keys = Keys::new(self.database, self.scope);
        let Some(own) = keys.own_grant(transaction, now).await? else {
            return Ok(());
        };
        let exceeds = after
            .iter()
            .any(|given| !before.contains(given) && !own.reach.permissions.contains(given));
        if exceeds {
            return Err(Error::ExceedsOwnGrant);
        }
        Ok(())
    }

    /// Updates the copy of the group's name by which the list of keys is sorted.
    async fn rename_in_keys(
        &self,
        transaction: &WriteTransaction,
        id: GroupId,
        name: &str,
    ) -> Result<(), Error> {
        use api_key::Column;
        // In the order of the writer of last uses and of `revoke_many`, so that they cannot deadlock.
        let _locked = api_key::Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::TenantId.eq(self.scope.tenant_id().as_uuid()))
            .filter(Column::GroupId.eq(id.as_uuid()))
            .order_by_asc(Column::Id)
            .lock(LockType::NoKeyUpdate)
            .into_tuple::<Uuid>()
            .all(&**transaction)
            .await?;
        api_key::Entity::update_many()
            .col_expr(Column::GroupNameLower, Expr::value(text::lowered(name)))
            .filter(Column::TenantId.eq(self.scope.tenant_id().as_uuid()))
            .filter(Column::GroupId.eq(id.as_uuid()))
            .exec(transaction)
            .await?;
        Ok(())
    }

    /// The number of keys with the group that are not revoked, and the first [`NAMED_KEYS`] of them by name.
    async fn keys_of(
        &self,
        transaction: &WriteTransaction,
        group: &row::Model,
    ) -> Result<(u64, Vec<KeyRef>), Error> {
        use api_key::Column;
        let keys = self.active_keys(group.id);
        let count = keys.clone().count(transaction).await?;
        let named = keys
            .select_only()
            .columns([Column::Id, Column::Name])
            .order_by_asc(Column::NameLower)
            .order_by_asc(Column::Id)
            .limit(NAMED_KEYS)
            .into_tuple::<(uuid::Uuid, String)>()
            .all(transaction)
            .await?;
        let named = named
            .into_iter()
            .map(|(id, name)| KeyRef {
                id: id.into(),
                name,
            })
            .collect();
        Ok((count, named))
    }
}

fn name_is_taken(error: sea_orm::DbErr, name: Option<&str>) -> Error {
    match (error.sql_err(), name) {
        (Some(SqlErr::UniqueConstraintViolation(_)), Some(name)) => Error::AlreadyExists {
            what: "authorization group",
            name: name.to_owned(),
        },
        _ => error.into(),
    }
}
