//! The keys that a change of a group affects.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use std::collections::HashMap;
use uuid::Uuid;

use super::{Groups, NOT_FOUND, edit::NAMED_KEYS, from_row, in_tenant, row};
use crate::{
    Error,
    group::{GroupEffect, GroupKeys},
    id::{GroupId, KeyRef},
    permission::Permission,
    store::{entity::api_key, error::damaged},
};

/// Number of days since the last use within which a key counts as in use.
const DAYS_IN_USE: i64 = 7;

/// Maximum number of permissions that a completion offers.
const MOST_KNOWN: usize = 500;

impl Groups<'_> {
    /// The keys that a change of the group affects: the number that is not revoked, the number of these that were used in the last 7 days,
    /// and the first ten by name.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn effect(&self, id: GroupId, now: DateTime<Utc>) -> Result<GroupEffect, Error> {
        let lists = self.lists().await?;
        let reader: &DatabaseConnection = &lists;
        lists
            .with_timeout(async {
                let found = in_tenant(self.scope.tenant_id())
                    .filter(row::Column::Id.eq(id.as_uuid()))
                    .one(reader)
                    .await?
                    .ok_or(NOT_FOUND)?;
                let keys = self.count_keys(&[found.id], now, reader).await?;
                let named = self
                    .active_keys(found.id)
                    .select_only()
                    .columns([api_key::Column::Id, api_key::Column::Name])
                    .order_by_asc(api_key::Column::NameLower)
                    .order_by_asc(api_key::Column::Id)
                    .limit(NAMED_KEYS)
                    .into_tuple::<(Uuid, String)>()
                    .all(reader)
                    .await?;
                Ok::<_, Error>(GroupEffect {
                    keys: keys.get(&found.id).copied().unwrap_or_default(),
                    named: named
                        .into_iter()
                        .map(|(id, name)| KeyRef {
                            id: id.into(),
                            name,
                        })
                        .collect(),
                })
            })
            .await
    }

    /// Every permission of the tenant's groups, each with the name of the first group that has it, for completion.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn permissions_in_use(&self) -> Result<Vec<(Permission, String)>, Error> {
        let lists = self.lists().await?;
        let rows = lists
            .with_timeout(
                in_tenant(self.scope.tenant_id())
                    .order_by_asc(row::Column::Name)
                    .limit(MOST_KNOWN as u64)
                    .all(&*lists),
            )
            .await?;
        let mut known: Vec<(Permission, String)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for group in rows.into_iter().map(from_row) {
            let group = group?;
            for permission in group.permissions.iter() {
                if known.len() < MOST_KNOWN && seen.insert(permission.clone()) {
                    known.push((permission.clone(), group.name.clone()));
                }
            }
        }
        known.sort_unstable();
        Ok(known)
    }

    pub(super) fn active_keys(&self, group: Uuid) -> sea_orm::Select<api_key::Entity> {
        api_key::Entity::find()
            .filter(api_key::Column::TenantId.eq(self.scope.tenant_id().as_uuid()))
            .filter(api_key::Column::GroupId.eq(group))
            .filter(api_key::Column::RevokedAt.is_null())
    }

    /// Runs two queries, each on an index: one for the keys of each group, one for the recently used ones.
    pub(super) async fn count_keys(
        &self,
        groups: &[Uuid],
        now: DateTime<Utc>,
        reader: &impl ConnectionTrait,
    ) -> Result<HashMap<Uuid, GroupKeys>, Error> {
        use api_key::Column;
        if groups.is_empty() {
            return Ok(HashMap::new());
        }
        let count = || {
            api_key::Entity::find()
                .select_only()
                .column(Column::GroupId)
                .column_as(Column::Id.count(), "keys")
                .filter(Column::TenantId.eq(self.scope.tenant_id().as_uuid()))
                .filter(Column::GroupId.is_in(groups.iter().copied()))
                .filter(Column::RevokedAt.is_null())
                .group_by(Column::GroupId)
        };
        let all = count().into_tuple::<(Uuid, i64)>().all(reader).await?;
        let since = now - TimeDelta::days(DAYS_IN_USE);
        let used = count()
            .filter(Column::LastUsedAt.gte(since))
            .into_tuple::<(Uuid, i64)>()
            .all(reader)
            .await?;
        let mut counts: HashMap<Uuid, GroupKeys> = HashMap::new();
        let number = |count: i64| u64::try_from(count).map_err(|_| damaged("number of keys"));
        for (group, keys) in all {
            counts.entry(group).or_default().active = number(keys)?;
        }
        for (group, keys) in used {
            counts.entry(group).or_default().used_lately = number(keys)?;
        }
        Ok(counts)
    }
}
