//! The orders of the list of keys: a list is read in one or two stretches, each in the order of one index.

use sea_orm::{
    ColumnTrait, Condition, IntoSimpleExpr, JoinType, Order, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select,
    sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement},
};

use super::{
    Keys,
    cursor::{Position, Side},
    filter::{Filter, has_status, never_used_since, used_before},
    row,
};
use crate::{
    key::{
        KeyStatus,
        expiry::ExpirationState,
        query::{KeyLifetime, KeySort, KeySortColumn},
    },
    store::entity::api_key::{self, Column},
};

/// A part of a list, read completely before the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stretch {
    /// The whole list, in the order of a column that always has a value.
    Whole,
    /// The keys with a value, in the order of the value.
    WithValue,
    /// The keys without a value.
    WithoutValue,
    /// The keys with this status, if the list is sorted by status.
    Of(KeyStatus),
}

/// The stretches of a list in reading order towards `side`, without those that the filter excludes completely.
pub(super) fn stretches(sort: KeySort, filter: &Filter, side: Side) -> Vec<Stretch> {
    let mut stretches = match sort.column {
        KeySortColumn::Name | KeySortColumn::AuthorizationGroup | KeySortColumn::CreatedAt => {
            vec![Stretch::Whole]
        }
        KeySortColumn::ExpiresOn => match (filter.lifetime, filter.expiration) {
            // Keys that never expire are valid.
            (None, None | Some(ExpirationState::Valid)) => {
                vec![Stretch::WithValue, Stretch::WithoutValue]
            }
            (None, Some(_)) => vec![Stretch::WithValue],
            (Some(KeyLifetime::Never), None | Some(ExpirationState::Valid)) => {
                vec![Stretch::WithoutValue]
            }
            (Some(KeyLifetime::Never), Some(_)) => Vec::new(),
        },
        KeySortColumn::LastUsedAt => vec![Stretch::WithValue, Stretch::WithoutValue],
        KeySortColumn::Status => {
            let mut statuses = vec![KeyStatus::Active, KeyStatus::Revoked];
            if sort.descending {
                statuses.reverse();
            }
            statuses.retain(|status| filter.status.is_none_or(|wanted| wanted == *status));
            statuses.into_iter().map(Stretch::Of).collect()
        }
    };
    if side == Side::Before {
        stretches.reverse();
    }
    stretches
}

impl Stretch {
    /// The condition that only keys of this stretch meet; `None` if all keys do.
    fn condition(self, sort: KeySort) -> Option<Expr> {
        match self {
            Self::Whole => None,
            Self::WithValue => sorted_by(sort.column).map(|column| column.is_not_null()),
            Self::WithoutValue => sorted_by(sort.column).map(|column| column.is_null()),
            Self::Of(status) => Some(has_status(status)),
        }
    }

    /// Whether the key at `position` belongs to the stretch.
    pub(super) fn has(self, position: &Position) -> bool {
        match self {
            Self::Whole => true,
            Self::WithValue => position.value.is_some(),
            Self::WithoutValue => position.value.is_none(),
            Self::Of(status) => position.value == Some((status == KeyStatus::Revoked).into()),
        }
    }
}

/// The keys of a stretch that match a filter without a search, at most `limit`: the first ones, or the ones on the `side` of `position`,
/// nearest first.
pub(super) fn read(
    keys: &Keys<'_>,
    stretch: Stretch,
    (sort, side): (KeySort, Side),
    position: Option<&Position>,
    filter: &Filter,
    limit: u64,
) -> Select<api_key::Entity> {
    let descending = sort.descending != (side == Side::Before);
    let order = || {
        if descending { Order::Desc } else { Order::Asc }
    };
    // In the order of the expiration date, an expiration state is a range of the index.
    let in_range = sort.column == KeySortColumn::ExpiresOn;
    let range = filter
        .expiration
        .filter(|_| in_range && stretch == Stretch::WithValue)
        .map(|state| filter.calendar.dated_stands_at(state));
    // In the order of the last use, the keys without a recent use are a range of the index. In any other order each key must be checked.
    let unused = (filter.unused_since)
        .filter(|_| sort.column == KeySortColumn::LastUsedAt)
        .map(|time| match stretch {
            Stretch::WithoutValue => never_used_since(time),
            _ => used_before(time),
        });
    let rest = if unused.is_some() {
        filter.condition_but_use(in_range)
    } else {
        filter.condition(in_range)
    };
    let beyond = position.map(|position| beyond(stretch, sort, descending, position));
    let mut page = keys
        .rows()
        .filter(
            Condition::all()
                .add_option(stretch.condition(sort))
                .add_option(beyond)
                .add_option(range)
                .add_option(unused),
        )
        .filter(rest)
        .select_only()
        .column(Column::Id);
    // The subquery selects the keys of the page, from the index alone if it contains the filtered columns. The other columns are read for
    // these keys only.
    let mut select = row::with_group(keys.rows());
    if let Some(column) = sorted_by(sort.column) {
        page = page
            .column_as(column, VALUE)
            .order_by(column.into_simple_expr(), order());
        QueryTrait::query(&mut select).order_by((PAGE, VALUE), order());
    }
    let page: SelectStatement = page
        .order_by(Column::Id.into_simple_expr(), order())
        .limit(limit)
        .into_query();
    QueryTrait::query(&mut select)
        .order_by((PAGE, ID), order())
        .join_subquery(
            JoinType::InnerJoin,
            page,
            PAGE,
            Expr::col((PAGE, ID)).equals((api_key::Entity, Column::Id)),
        );
    select
}

/// The keys that match a search, like [`read`] for a stretch. One statement reads the whole list, because a search may have to check every
/// key and should check none twice. Each row contains the number of all matches as [`MATCHING`].
///
/// The keys are read in the order of the file, and the matches are sorted. In the order of an index SQLite would read pages at random, and
/// repeatedly those that do not fit into its cache.
pub(super) fn search(
    keys: &Keys<'_>,
    (sort, side): (KeySort, Side),
    position: Option<&Position>,
    filter: &Filter,
    limit: u64,
) -> Select<api_key::Entity> {
    let is_before = side == Side::Before;
    let direction = |descending: bool| {
        if descending { Order::Desc } else { Order::Asc }
    };
    let descending = sort.descending != is_before;
    let value = match sorted_by(sort.column) {
        Some(column) => column.into_simple_expr(),
        None => has_status(KeyStatus::Revoked),
    };
    let found: SelectStatement = keys
        .rows()
        .filter(filter.condition(false))
        .select_only()
        .column_as(Column::Id, ID)
        .expr_as(value.clone(), VALUE)
        .expr_as(value.is_null(), MISSING)
        .expr_as(Expr::cust("COUNT(*) OVER ()"), MATCHING)
        .into_query();
    let page = Query::select()
        .columns([ID, VALUE, MISSING, MATCHING].map(Alias::new))
        .from_subquery(found, FOUND)
        .cond_where(position.map_or_else(Condition::all, |position| {
            found_beyond(position, is_before, descending)
        }))
        .order_by(MISSING, direction(is_before))
        .order_by(VALUE, direction(descending))
        .order_by(ID, direction(descending))
        .limit(limit)
        .take();
    let mut select = row::with_group(keys.rows()).expr_as(Expr::col((PAGE, MATCHING)), MATCHING);
    QueryTrait::query(&mut select)
        .order_by((PAGE, MISSING), direction(is_before))
        .order_by((PAGE, VALUE), direction(descending))
        .order_by((PAGE, ID), direction(descending))
        .join_subquery(
            JoinType::InnerJoin,
            page,
            PAGE,
            Expr::col((PAGE, ID)).equals((api_key::Entity, Column::Id)),
        );
    select
}

/// The matches beyond the position. Missing values are last in both orders.
fn found_beyond(position: &Position, is_before: bool, descending: bool) -> Condition {
    let beyond = |place: Expr, bound: Expr| {
        if descending {
            place.lt(bound)
        } else {
            place.gt(bound)
        }
    };
    let id = Expr::val(position.id);
    match &position.value {
        Some(value) => Condition::any()
            .add(beyond(
                Expr::tuple([Expr::col(VALUE), Expr::col(ID)]),
                Expr::tuple([Expr::val(value.clone()), id]),
            ))
            .add_option((!is_before).then(|| Expr::col(MISSING).eq(true))),
        None => Condition::any()
            .add(
                Condition::all()
                    .add(Expr::col(MISSING).eq(true))
                    .add(beyond(Expr::col(ID), id)),
            )
            .add_option(is_before.then(|| Expr::col(MISSING).eq(false))),
    }
}

const PAGE: &str = "page";
const FOUND: &str = "found";
const MISSING: &str = "missing";
pub(super) const MATCHING: &str = "matching";
const VALUE: &str = "value";
const ID: &str = "id";

/// The column that sorts before the identifier.
const fn sorted_by(column: KeySortColumn) -> Option<Column> {
    match column {
        KeySortColumn::Name => Some(Column::NameLower),
        KeySortColumn::Status => None,
        KeySortColumn::AuthorizationGroup => Some(Column::GroupNameLower),
        KeySortColumn::ExpiresOn => Some(Column::ExpiresOn),
        KeySortColumn::LastUsedAt => Some(Column::LastUsedAt),
        KeySortColumn::CreatedAt => Some(Column::CreatedAt),
    }
}

/// The keys beyond the position in reading order.
fn beyond(stretch: Stretch, sort: KeySort, descending: bool, position: &Position) -> Expr {
    let id = || Expr::val(position.id);
    let (place, bound) = match (stretch, sorted_by(sort.column), &position.value) {
        // Comparing a pair lets an index over both columns find the position directly, even among many keys with the same value.
        (Stretch::Whole | Stretch::WithValue, Some(column), Some(value)) => (
            Expr::tuple([Expr::col(column), Expr::col(Column::Id)]),
            Expr::tuple([Expr::val(value.clone()), id()]),
        ),
        _ => (Expr::col(Column::Id), id()),
    };
    if descending {
        place.lt(bound)
    } else {
        place.gt(bound)
    }
}
