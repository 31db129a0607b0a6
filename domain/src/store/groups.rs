//! Authorization groups of one tenant.

mod edit;
mod effect;
mod list;
#[cfg(test)]
mod list_plans;

pub use edit::GroupChanges;
pub use list::{GroupQuery, ListedGroup};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Select, SqlErr,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    audit::Event,
    clock,
    connection::{Database, lists::ListConnection},
    cursor,
    entity::authorization_group as row,
    error::damaged,
    random,
    scope::TenantScope,
    write::Write,
};
use crate::{
    Error,
    audit::AuditAction,
    group::{AuthorizationGroup, GroupType},
    id::{GroupId, TenantId},
    page::{self, Page},
    permission::PermissionSet,
    propagation::Written,
    text,
};

/// The input for creating a group.
#[derive(Clone, Debug)]
pub struct NewGroup {
    /// The name, 1–200 characters, unique in the tenant.
    pub name: String,
    /// The type.
    pub kind: GroupType,
    /// The permissions of its keys.
    pub permissions: PermissionSet,
}

/// Authorization groups of one tenant.
pub struct Groups<'a> {
    database: &'a Database,
    scope: &'a TenantScope,
}

impl<'a> Groups<'a> {
    pub(crate) const fn new(database: &'a Database, scope: &'a TenantScope) -> Self {
        Self { database, scope }
    }

    /// Every group, sorted by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list(&self) -> Result<Vec<AuthorizationGroup>, Error> {
        self.sorted(in_tenant(self.scope.tenant_id())).await
    }

    /// One page of the groups, sorted by name, upper case before lower. A limit out of bounds is clamped.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] for a cursor that was not issued for this list, [`Error::Unavailable`].
    pub async fn page(
        &self,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<AuthorizationGroup>, Error> {
        let mut select = in_tenant(self.scope.tenant_id()).order_by_asc(row::Column::Name);
        if let Some(cursor) = cursor {
            let Position { group } = cursor::read(cursor)?;
            // PostgreSQL's text cannot contain a NUL, so no name does.
            if group.contains('\0') {
                return Err(Error::InvalidCursor);
            }
            select = select.filter(row::Column::Name.gt(group));
        }
        let limit = limit.clamp(1, page::MAX_LIMIT);
        // Reads one row more than the page shows, to detect a further page.
        let lists = self.lists().await?;
        let mut rows = lists
            .with_timeout(select.limit(u64::from(limit) + 1).all(&*lists))
            .await?;
        let is_last = rows.len() <= limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = match rows.last() {
            Some(last) if !is_last => Some(cursor::write(&Position {
                group: last.name.clone(),
            })?),
            _ => None,
        };
        let items = rows.into_iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(Page { items, next_cursor })
    }

    /// Whether a key of the tenant can have the group `id`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn is_for_keys(&self, id: GroupId) -> Result<bool, Error> {
        let found = self
            .database
            .with_timeout(
                in_tenant(self.scope.tenant_id())
                    .filter(row::Column::Id.eq(id.as_uuid()))
                    .filter(row::Column::Kind.eq(GroupType::TenantApiKey.as_str()))
                    .one(self.database.lookups()),
            )
            .await?;
        Ok(found.is_some())
    }

    /// The groups of type `tenant_api_key`, which a key can have, sorted by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list_for_keys(&self) -> Result<Vec<AuthorizationGroup>, Error> {
        self.sorted(
            in_tenant(self.scope.tenant_id())
                .filter(row::Column::Kind.eq(GroupType::TenantApiKey.as_str())),
        )
        .await
    }

    /// The group with this identifier or, if there is none, with this name.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's group; [`Error::Unavailable`].
    pub async fn find(&self, name_or_id: &str) -> Result<AuthorizationGroup, Error> {
        let found = self
            .database
            .with_timeout(find_row(
                self.database.lookups(),
                self.scope.tenant_id(),
                name_or_id,
            ))
            .await?;
        from_row(found)
    }

    /// Creates a group.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `name`, [`Error::AlreadyExists`] if the tenant has a group of that name, [`Error::Unavailable`].
    pub async fn create(
        &self,
        new: NewGroup,
        now: DateTime<Utc>,
    ) -> Result<AuthorizationGroup, Error> {
        let name =
            text::display_name(&new.name).map_err(|message| Error::invalid("name", message))?;
        let now = clock::stored(now);
        let group = row::ActiveModel {
            id: Set(random::identifier()),
            tenant_id: Set(self.scope.tenant_id().as_uuid()),
            name: Set(name.clone()),
            kind: Set(new.kind.as_str().to_owned()),
            permissions: Set(stored_permissions(&new.permissions)?),
            created_at: Set(now),
            updated_at: Set(now),
            version: Set(1),
            deleted_at: Set(None),
        };
        let created = self.database.write(Write::Plain, async |transaction| {
            self.check_given(
                transaction,
                &PermissionSet::default(),
                &new.permissions,
                now,
            )
            .await?;
            let inserted = group.insert(transaction).await;
            let row = inserted.map_err(|error| match error.sql_err() {
                Some(SqlErr::UniqueConstraintViolation(_)) => Error::AlreadyExists {
                    what: "authorization group",
                    name,
                },
                _ => error.into(),
            })?;
            let group = from_row(row)?;
            let changes = json!({
                "name": { "before": null, "after": group.name },
                "type": { "before": null, "after": group.kind },
                "permissions": { "before": null, "after": group.permissions },
            });
            Event::of(self.scope, AuditAction::GroupCreated, &group)
                .changing(changes)
                .append(transaction, now)
                .await?;
            Ok(group)
        });
        Ok(created.await?.value)
    }

    /// Replaces the permissions of the group with this identifier or name. Writes nothing if the permissions are the same.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn set_permissions(
        &self,
        name_or_id: &str,
        permissions: PermissionSet,
        now: DateTime<Utc>,
    ) -> Result<Written<AuthorizationGroup>, Error> {
        let now = clock::stored(now);
        let changed = self
            .database
            .write(Write::ChangesVerdicts, async |transaction| {
                let found = find_row(transaction, self.scope.tenant_id(), name_or_id).await?;
                // Reads again under the lock, so that the event's "before" is what this change replaces.
                let found = in_tenant(self.scope.tenant_id())
                    .filter(row::Column::Id.eq(found.id))
                    .lock_exclusive()
                    .one(transaction)
                    .await?
                    .ok_or(NOT_FOUND)?;
                let version = found.version;
                let mut changed = row::ActiveModel::from(found.clone());
                let before = from_row(found)?;
                if before.permissions == permissions {
                    return Ok(before);
                }
                changed.permissions = Set(stored_permissions(&permissions)?);
                changed.version = Set(version + 1);
                changed.updated_at = Set(now);
                let group = from_row(changed.update(transaction).await?)?;
                let changes = json!({
                    "permissions": { "before": before.permissions, "after": group.permissions },
                });
                Event::of(self.scope, AuditAction::GroupPermissionsChanged, &group)
                    .changing(changes)
                    .append(transaction, now)
                    .await?;
                Ok(group)
            });
        changed.await
    }

    async fn lists(&self) -> Result<ListConnection, Error> {
        self.database.lists(Some(self.scope.tenant_id())).await
    }

    async fn sorted(&self, groups: Select<row::Entity>) -> Result<Vec<AuthorizationGroup>, Error> {
        let lists = self.lists().await?;
        let rows = lists.with_timeout(groups.all(&*lists)).await?;
        let mut groups = rows
            .into_iter()
            .map(from_row)
            .collect::<Result<Vec<_>, _>>()?;
        groups.sort_by_cached_key(|group| (group.name.to_lowercase(), group.name.clone()));
        Ok(groups)
    }
}

const NOT_FOUND: Error = Error::NotFound("authorization group");

/// The position of a cursor: the last group of a page. Names are unique in a tenant.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    group: String,
}

/// The base of every query for groups: the tenant's groups that are not deleted.
fn in_tenant(tenant: TenantId) -> Select<row::Entity> {
    row::Entity::find()
        .filter(row::Column::TenantId.eq(tenant.as_uuid()))
        .filter(row::Column::DeletedAt.is_null())
}

async fn find_row(
    connection: &impl ConnectionTrait,
    tenant: TenantId,
    name_or_id: &str,
) -> Result<row::Model, Error> {
    if let Ok(id) = name_or_id.parse::<GroupId>()
        && let Some(found) = in_tenant(tenant)
            .filter(row::Column::Id.eq(id.as_uuid()))
            .one(connection)
            .await?
    {
        return Ok(found);
    }
    in_tenant(tenant)
        .filter(row::Column::Name.eq(text::normalise(name_or_id)))
        .one(connection)
        .await?
        .ok_or(NOT_FOUND)
}

fn stored_permissions(permissions: &PermissionSet) -> Result<String, Error> {
    serde_json::to_string(permissions).map_err(|error| Error::Internal(Box::new(error)))
}

/// Reads a group from a row.
pub(crate) fn from_row(row: row::Model) -> Result<AuthorizationGroup, Error> {
    Ok(AuthorizationGroup {
        id: row.id.into(),
        name: row.name,
        kind: row.kind.parse().map_err(|_| damaged("group type"))?,
        permissions: serde_json::from_str(&row.permissions)
            .map_err(|_| damaged("set of permissions"))?,
        version: row.version,
    })
}
