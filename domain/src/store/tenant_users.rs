//! The users of one tenant, for its administrators.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{connection::Database, entity::user, scope::TenantScope, users::from_row};
use crate::{Error, user::User};

/// The users of one tenant.
pub struct TenantUsers<'a> {
    database: &'a Database,
    scope: &'a TenantScope,
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
}
