//! The users of one tenant, for its administrators: list, changes, invitations.

mod list;

pub use list::{People, PeopleQuery, Person, PersonState};

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    clock,
    connection::{Database, WriteTransaction},
    entity::user,
    scope::TenantScope,
    user_changes::{Authority, ChangedUser, UserChange, lock_tenant, make, other_administrators},
    users::{NOT_FOUND, from_row},
    write::Write,
};
use crate::{
    Error,
    id::UserId,
    user::{Role, User},
};

/// The users of one tenant.
pub struct TenantUsers<'a> {
    pub(super) database: &'a Database,
    pub(super) scope: &'a TenantScope,
}

impl<'a> TenantUsers<'a> {
    pub(crate) const fn new(database: &'a Database, scope: &'a TenantScope) -> Self {
        Self { database, scope }
    }

    /// The first `limit` users by name, including disabled ones.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn list(&self, limit: u64) -> Result<Vec<User>, Error> {
        let tenant = self.scope.tenant_id();
        let lists = self.database.lists(Some(tenant)).await?;
        let select = user::Entity::find()
            .filter(user::Column::TenantId.eq(tenant.as_uuid()))
            .order_by_asc(user::Column::Name)
            .order_by_asc(user::Column::Email)
            .limit(limit);
        let rows = lists.with_timeout(select.all(&*lists)).await?;
        rows.into_iter().map(from_row).collect()
    }

    /// One user.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn get(&self, id: UserId) -> Result<User, Error> {
        let found = self.in_tenant(id.as_uuid()).one(self.database.lookups());
        let row = self.database.with_timeout(found).await?;
        from_row(row.ok_or(NOT_FOUND)?)
    }

    /// Changes a user's role or state. A change to the current state writes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::UserRule`] for an administrator who changes their own account or takes the last enabled administrator
    /// away; [`Error::Forbidden`] if the actor lost the right meanwhile; [`Error::Unavailable`].
    pub async fn change(
        &self,
        id: UserId,
        change: UserChange,
        now: DateTime<Utc>,
    ) -> Result<ChangedUser, Error> {
        let now = clock::stored(now);
        let changed = self.database.write(Write::Plain, async |transaction| {
            lock_tenant(transaction, self.scope.tenant_id().as_uuid()).await?;
            let authority = Authority::of(transaction, self.scope).await?;
            let before = self.lock(transaction, id.as_uuid()).await?;
            let before = before.ok_or(NOT_FOUND)?;
            let actor = self.scope.actor();
            make(transaction, actor, authority, before, change, now).await
        });
        Ok(changed.await?.value)
    }

    /// Whether the user is the tenant's only enabled administrator.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn is_last_administrator(&self, user: &User) -> Result<bool, Error> {
        if user.role != Role::TenantAdmin || user.disabled_at.is_some() {
            return Ok(false);
        }
        let others = other_administrators(self.database.lookups(), user);
        Ok(self.database.with_timeout(others).await? == 0)
    }

    /// Reads and locks a user of the tenant.
    pub(super) async fn lock(
        &self,
        transaction: &WriteTransaction,
        id: Uuid,
    ) -> Result<Option<user::Model>, Error> {
        let user = self.in_tenant(id).lock_exclusive();
        Ok(user.one(&**transaction).await?)
    }

    fn in_tenant(&self, id: Uuid) -> sea_orm::Select<user::Entity> {
        user::Entity::find_by_id(id)
            .filter(user::Column::TenantId.eq(self.scope.tenant_id().as_uuid()))
    }
}
