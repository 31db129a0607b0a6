//! The list of groups with search, filter, numbers of keys and pages in both directions.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, DbBackend, Order, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Func},
};
use serde::{Deserialize, Serialize};

use super::{Groups, from_row, in_tenant, row};
use crate::{
    Error,
    group::{AuthorizationGroup, GroupKeys, GroupType},
    id::TenantId,
    page::{self, TwoWayPage},
    store::cursor,
};

/// The search, filter and page of a list of groups.
#[derive(Clone, Debug)]
pub struct GroupQuery {
    /// Text that the name or a permission contains. The case of ASCII letters is ignored. At most 100 characters; further ones are ignored.
    pub search: String,
    /// Only groups of this type.
    pub kind: Option<GroupType>,
    /// The number of groups on the page, 1 to [`page::MAX_LIMIT`].
    pub limit: u32,
    /// A cursor of a page of the same list.
    pub cursor: Option<String>,
}

impl Default for GroupQuery {
    fn default() -> Self {
        Self {
            search: String::new(),
            kind: None,
            limit: page::DEFAULT_LIMIT,
            cursor: None,
        }
    }
}

/// A group in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// The group.
    pub group: AuthorizationGroup,
    /// The number of its keys.
    pub keys: GroupKeys,
    /// The time of its last change.
    pub changed_at: DateTime<Utc>,
}

/// The position of a cursor: a group, and the side on which the page lies. Names are unique in a tenant.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    pub(super) name: String,
    pub(super) is_before: bool,
}

impl Position {
    fn write(row: &row::Model, is_before: bool) -> Result<String, Error> {
        cursor::write(&Self {
            name: row.name.clone(),
            is_before,
        })
    }

    fn read(cursor: &str) -> Result<Self, Error> {
        let position: Self = cursor::read(cursor)?;
        // PostgreSQL's text cannot contain a NUL, so no name does.
        if position.name.contains('\0') {
            return Err(Error::InvalidCursor);
        }
        Ok(position)
    }
}

impl Groups<'_> {
    /// One page of the groups that match `query`, by name, upper case before lower, each with the numbers of its keys. A limit out of bounds is
    /// clamped.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] for a cursor that this list did not issue, [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn page_with_keys(
        &self,
        query: &GroupQuery,
        now: DateTime<Utc>,
    ) -> Result<TwoWayPage<ListedGroup>, Error> {
        let search: String = query.search.trim().chars().take(100).collect();
        if search.contains('\0') {
            return Ok(TwoWayPage::empty());
        }
        let position = query.cursor.as_deref().map(Position::read).transpose()?;
        let limit = query.limit.clamp(1, page::MAX_LIMIT) as usize;
        let select = rows(
            self.database.backend(),
            self.scope.tenant_id(),
            &search,
            query.kind,
            position.as_ref(),
        );
        let lists = self.lists().await?;
        lists
            .with_timeout(async {
                // Reads one row more than the page holds, to detect a further page.
                let rows = select.limit(limit as u64 + 1).all(&*lists).await?;
                let is_before = position.as_ref().map(|position| position.is_before);
                let page = TwoWayPage::from_rows(rows, limit, is_before, Position::write)?;
                let ids: Vec<_> = page.items.iter().map(|row| row.id).collect();
                let keys = self.count_keys(&ids, now, &*lists).await?;
                let items = page.items.into_iter().map(|row| {
                    Ok(ListedGroup {
                        keys: keys.get(&row.id).copied().unwrap_or_default(),
                        changed_at: row.updated_at,
                        group: from_row(row)?,
                    })
                });
                Ok::<_, Error>(TwoWayPage {
                    items: items.collect::<Result<_, Error>>()?,
                    previous_cursor: page.previous_cursor,
                    next_cursor: page.next_cursor,
                })
            })
            .await
    }
}

/// The groups that match, from `position` on in its direction.
pub(super) fn rows(
    backend: DbBackend,
    tenant: TenantId,
    search: &str,
    kind: Option<GroupType>,
    position: Option<&Position>,
) -> Select<row::Entity> {
    use row::Column;
    let is_before = position.is_some_and(|position| position.is_before);
    let order = if is_before { Order::Desc } else { Order::Asc };
    let mut select = in_tenant(tenant).order_by(Column::Name, order);
    if let Some(kind) = kind {
        select = select.filter(Column::Kind.eq(kind.as_str()));
    }
    if !search.is_empty() {
        select = select.filter(
            Condition::any()
                .add(contains(backend, Column::Name, search))
                .add(contains(backend, Column::Permissions, search)),
        );
    }
    match position {
        None => select,
        Some(Position { name, .. }) if is_before => select.filter(Column::Name.lt(name)),
        Some(Position { name, .. }) => select.filter(Column::Name.gt(name)),
    }
}

/// Whether the column contains `text`; wildcards of `LIKE` have no meaning. Both engines lower-case both sides, SQLite ASCII letters only.
fn contains(backend: DbBackend, column: row::Column, text: &str) -> Expr {
    let position = match backend {
        DbBackend::Sqlite => "instr",
        _ => "strpos",
    };
    let lowered = |text: Expr| Expr::from(Func::lower(text));
    Func::cust(position)
        .args([
            lowered(Expr::col((row::Entity, column))),
            lowered(Expr::val(text)),
        ])
        .gt(0)
}
