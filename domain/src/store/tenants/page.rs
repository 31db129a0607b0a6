//! The list of tenants with search and pages, because an installation may have thousands.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, ExprTrait, Func},
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use uuid::Uuid;

use super::{Tenants, from_row};
use crate::{
    Error,
    page::{self, Page},
    store::{
        cursor,
        entity::{api_key_count, tenant},
        error::damaged,
    },
    tenant::{KeyQuota, Slug, Tenant},
};

/// The search and page of a list of tenants.
#[derive(Clone, Debug)]
pub struct TenantQuery {
    /// Text that the name or slug contains, in any case. At most 100 characters; further ones are ignored.
    pub search: String,
    /// The number of tenants on the page, 1 to [`page::MAX_LIMIT`].
    pub limit: u32,
    /// The `next_cursor` of a page of the same list.
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

/// The position of a cursor: the last tenant of a page.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    tenant: String,
    slug: String,
}

impl Tenants<'_> {
    /// One page of the tenants with their key quotas, by name. A limit out of bounds is clamped.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] for a cursor that this list did not issue, [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn page(&self, query: &TenantQuery) -> Result<Page<(Tenant, KeyQuota)>, Error> {
        use tenant::Column;
        let mut select = tenant::Entity::find()
            .order_by_asc(Column::NameLower)
            .order_by_asc(Column::Slug);
        let search: String = query.search.trim().chars().take(100).collect();
        // PostgreSQL's text cannot contain a NUL, so no name does.
        if search.contains('\0') {
            return Ok(Page {
                items: Vec::new(),
                next_cursor: None,
            });
        }
        if !search.is_empty() {
            let text = crate::text::lowered(&search);
            select = select.filter(
                Condition::any()
                    .add(contains(self.database.backend(), Column::NameLower, &text))
                    .add(contains(self.database.backend(), Column::Slug, &text)),
            );
        }
        if let Some(cursor) = &query.cursor {
            let place: Position = cursor::read(cursor)?;
            if place.tenant.contains('\0') || place.slug.contains('\0') {
                return Err(Error::InvalidCursor);
            }
            select = select.filter(
                Condition::all()
                    .add(Column::NameLower.gte(place.tenant.clone()))
                    .add(
                        Condition::any()
                            .add(Column::NameLower.gt(place.tenant))
                            .add(Column::Slug.gt(place.slug)),
                    ),
            );
        }
        let limit = query.limit.clamp(1, page::MAX_LIMIT) as usize;
        let lists = self.database.lists(None).await?;
        lists
            .with_timeout(async {
                // Reads one row more than the page holds, to detect a further page.
                let mut rows = select.limit(limit as u64 + 1).all(&*lists).await?;
                let is_last = rows.len() <= limit;
                rows.truncate(limit);
                let next_cursor = match rows.last() {
                    Some(last) if !is_last => Some(cursor::write(&Position {
                        tenant: last.name_lower.clone(),
                        slug: last.slug.clone(),
                    })?),
                    _ => None,
                };
                let items = with_quotas(rows, &*lists).await?;
                Ok::<_, Error>(Page { items, next_cursor })
            })
            .await
    }

    /// The tenants with these slugs, in this order; unknown ones are left out. At most [`page::MAX_LIMIT`] are looked up.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn by_slugs(&self, slugs: &[Slug]) -> Result<Vec<Tenant>, Error> {
        if slugs.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = slugs.iter().take(page::MAX_LIMIT as usize);
        let select = tenant::Entity::find()
            .filter(tenant::Column::Slug.is_in(wanted.map(Slug::as_str)))
            .all(self.database.lookups());
        let found = self.database.with_timeout(select).await?;
        let mut found = found
            .into_iter()
            .map(from_row)
            .collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|tenant| slugs.iter().position(|slug| *slug == tenant.slug));
        Ok(found)
    }
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

/// Adds to each tenant its key quota, from the counts that triggers maintain.
async fn with_quotas(
    rows: Vec<tenant::Model>,
    reader: &impl ConnectionTrait,
) -> Result<Vec<(Tenant, KeyQuota)>, Error> {
    use api_key_count::{Column, Entity};
    let used = Entity::find()
        .select_only()
        .column(Column::TenantId)
        .column_as(Expr::col(Column::Keys).sum().cast_as("bigint"), "used")
        .filter(Column::TenantId.is_in(rows.iter().map(|row| row.id)))
        .filter(Column::Revoked.eq(false))
        .group_by(Column::TenantId)
        .into_tuple::<(Uuid, i64)>()
        .all(reader)
        .await?;
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
