//! The list of tenants with search and pages, because an installation may have thousands.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, Order, QueryFilter,
    QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Func},
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use uuid::Uuid;

use super::{Tenants, from_row};
use crate::{
    Error,
    id::TenantId,
    page::{self, TwoWayPage},
    store::{
        cursor,
        entity::{api_key_count, tenant},
        error::damaged,
    },
    tenant::{KeyQuota, Tenant},
};

/// The search and page of a list of tenants.
#[derive(Clone, Debug)]
pub struct TenantQuery {
    /// Text that the name or slug contains, in any case. At most 100 characters; further ones are ignored.
    pub search: String,
    /// The number of tenants on the page, 1 to [`page::MAX_LIMIT`].
    pub limit: u32,
    /// A cursor of a page of the same list.
    pub cursor: Option<String>,
}

impl Default for TenantQuery {
    fn default() -> Self {
        Self {
            search: String::new(),
            limit: page::DEFAULT_LIMIT,
            cursor: None,
        }
    }
}

/// The position of a cursor: a tenant, and the side on which the page lies.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    pub(super) tenant: String,
    pub(super) slug: String,
    pub(super) is_before: bool,
}

impl Position {
    fn write(row: &tenant::Model, is_before: bool) -> Result<String, Error> {
        cursor::write(&Self {
            tenant: row.name_lower.clone(),
            slug: row.slug.clone(),
            is_before,
        })
    }

    fn read(cursor: &str) -> Result<Self, Error> {
        let position: Self = cursor::read(cursor)?;
        // PostgreSQL's text cannot contain a NUL, so no name does.
        if position.tenant.contains('\0') || position.slug.contains('\0') {
            return Err(Error::InvalidCursor);
        }
        Ok(position)
    }
}

impl Tenants<'_> {
    /// One page of the tenants with their key quotas, by name. A limit out of bounds is clamped.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] for a cursor that this list did not issue, [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn page(&self, query: &TenantQuery) -> Result<TwoWayPage<(Tenant, KeyQuota)>, Error> {
        let search: String = query.search.trim().chars().take(100).collect();
        if search.contains('\0') {
            return Ok(TwoWayPage::empty());
        }
        let position = query.cursor.as_deref().map(Position::read).transpose()?;
        let select = rows(self.database.backend(), &search, position.as_ref());
        let limit = query.limit.clamp(1, page::MAX_LIMIT) as usize;
        let lists = self.database.lists(None).await?;
        lists
            .with_timeout(async {
                // Reads one row more than the page holds, to detect a further page.
                let rows = select.limit(limit as u64 + 1).all(&*lists).await?;
                let is_before = position.as_ref().map(|position| position.is_before);
                let page = TwoWayPage::from_rows(rows, limit, is_before, Position::write)?;
                Ok::<_, Error>(TwoWayPage {
                    items: with_quotas(page.items, &*lists).await?,
                    previous_cursor: page.previous_cursor,
                    next_cursor: page.next_cursor,
                })
            })
            .await
    }

    /// The tenants with these identifiers, in this order; unknown ones are left out. At most [`page::MAX_LIMIT`] are looked up.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn by_ids(&self, ids: &[TenantId]) -> Result<Vec<Tenant>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = ids.iter().take(page::MAX_LIMIT as usize);
        let select = tenant::Entity::find()
            .filter(tenant::Column::Id.is_in(wanted.map(|id| id.as_uuid())))
            .all(self.database.lookups());
        let found = self.database.with_timeout(select).await?;
        let mut found = found
            .into_iter()
            .map(from_row)
            .collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|tenant| ids.iter().position(|id| *id == tenant.id));
        Ok(found)
    }
}

/// The tenants that match `search`, from `position` on in its direction.
pub(super) fn rows(
    backend: DbBackend,
    search: &str,
    position: Option<&Position>,
) -> Select<tenant::Entity> {
    use tenant::Column;
    let is_before = position.is_some_and(|position| position.is_before);
    let order = if is_before { Order::Desc } else { Order::Asc };
    let mut select = tenant::Entity::find()
        .order_by(Column::NameLower, order.clone())
        .order_by(Column::Slug, order);
    if !search.is_empty() {
        let text = crate::text::lowered(search);
        select = select.filter(
            Condition::any()
                .add(contains(backend, Column::NameLower, &text))
                .add(contains(backend, Column::Slug, &text)),
        );
    }
    if let Some(Position { tenant, slug, .. }) = position {
        let beyond = |column: Column, value: &String| {
            if is_before {
                column.lt(value)
            } else {
                column.gt(value)
            }
        };
        let from = if is_before {
            Column::NameLower.lte(tenant)
        } else {
            Column::NameLower.gte(tenant)
        };
        select = select.filter(
            Condition::all().add(from).add(
                Condition::any()
                    .add(beyond(Column::NameLower, tenant))
                    .add(beyond(Column::Slug, slug)),
            ),
        );
    }
    select
}

/// Whether the column contains `text`; wildcards of `LIKE` have no meaning.
fn contains(backend: DbBackend, column: tenant::Column, text: &str) -> Expr {
    let position = match backend {
        DbBackend::Sqlite => "instr",
        _ => "strpos",
    };
    Func::cust(position)
        .args([Expr::col((tenant::Entity, column)), Expr::val(text)])
        .gt(0)
}

/// The number of keys of each tenant that are not revoked.
pub(super) fn used_keys(tenants: impl Iterator<Item = Uuid>) -> Select<api_key_count::Entity> {
    use api_key_count::{Column, Entity};
    Entity::find()
        .select_only()
        .column(Column::TenantId)
        .column_as(Expr::col(Column::Keys).sum().cast_as("bigint"), "used")
        .filter(Column::TenantId.is_in(tenants))
        .filter(Column::Revoked.eq(false))
        .group_by(Column::TenantId)
}

/// Adds to each tenant its key quota, from the counts that triggers maintain.
async fn with_quotas(
    rows: Vec<tenant::Model>,
    reader: &impl ConnectionTrait,
) -> Result<Vec<(Tenant, KeyQuota)>, Error> {
    let ids = rows.iter().map(|row| row.id);
    let used = used_keys(ids).into_tuple::<(Uuid, i64)>();
    let used = used.all(reader).await?;
    let used: HashMap<Uuid, i64> = used.into_iter().collect();
    rows.into_iter()
        .map(|row| {
            let used = used.get(&row.id).copied().unwrap_or_default();
            let tenant = from_row(row)?;
            let quota = KeyQuota {
                used: u32::try_from(used).map_err(|_| damaged("number of keys"))?,
                limit: tenant.key_limit,
            };
            Ok((tenant, quota))
        })
        .collect()
}
