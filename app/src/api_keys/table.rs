//! The table of keys. Explicit roles keep it a table for assistive technology while the style turns rows into cards.

use chrono::{DateTime, Utc};
use domain::key::{ApiKey, KeyStatus, query::KeySortColumn, usage::KeySparkline};
use leptos::prelude::*;

use super::{
    dialog_target::{DialogKind, DialogTarget},
    filters::FilterBar,
    list_query::ListQuery,
    responses::KeyList,
    selection::{PageCheck, on_change, row_check},
    sparkline::sparkline,
};
use crate::{
    components::{
        Breadcrumb, ExpirationBadge, Icon, StatusBadge,
        date::{Ago, Day, Expires},
        waiting::skeleton,
    },
    current_tenant::use_tenant,
    notice::Notice,
    page::MenuSection,
    urls, words,
};

/// The table with the rows of one page.
#[component]
pub fn KeyTable(
    /// The list.
    list: Memo<Option<KeyList>>,
    /// The query in the URL.
    query: Memo<ListQuery>,
    /// Whether newer rows are being loaded.
    #[prop(into)]
    is_busy: Signal<bool>,
) -> impl IntoView {
    let notice = Notice::of_page();
    let rows = move || {
        list.get().map(|list| {
            let context = RowContext {
                now: list.now,
                sparklines: &list.sparklines,
                query,
                changed: notice.take_row(),
            };
            list.page
                .items
                .iter()
                .map(|key| row(key, &context))
                .collect_view()
        })
    };
    let checked = on_change(list);
    let no_match = move || {
        list.with(|list| list.as_ref().is_some_and(|list| list.page.items.is_empty()))
            .then(|| view! { <NoMatch query /> })
    };
    view! {
        <div class="table-region">
            <table
                class="table table-selectable"
                role="table"
                aria-label="API keys"
                on:change=move |_| checked()
                aria-busy=move || is_busy.get().then_some("true")
            >
                <Head query list />
                <tbody role="rowgroup">{rows} {no_match}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn NoMatch(query: Memo<ListQuery>) -> impl IntoView {
    let tenant = use_tenant();
    let all =
        move || query.with(|query| query.without_filters().url(&tenant.get(), urls::API_KEYS));
    let shown = move || {
        query
            .with(ListQuery::describe)
            .map(|words| view! { <p>{words}</p> })
    };
    view! {
        <tr class="table-empty" role="row">
            <td role="cell" colspan=COLUMNS.len()>
                <section class="empty">
                    <h2>"No key matches these filters"</h2>
                    {shown}
                    <a class="button" href=all>"Clear all filters"</a>
                </section>
            </td>
        </tr>
    }
}

/// A column of the table.
struct Column {
    /// Its class, which sets its width in `style/table.css`; columns without a rule there share the remaining width.
    class: &'static str,
    /// Its heading.
    title: &'static str,
    /// Its label in the narrow table, where a row is a card. `None` if the content needs no label.
    label: Option<&'static str>,
    /// The order that a click on the heading requests. `None` if the column is not sortable.
    sort: Option<KeySortColumn>,
    /// The content of a cell.
    cell: fn(&ApiKey, &RowContext<'_>) -> AnyView,
    /// The widths, in pixels, of the placeholder bars while the list is loading.
    skeleton: &'static [&'static str],
}

/// The data that a cell needs besides its key.
struct RowContext<'a> {
    /// The server's time.
    now: DateTime<Utc>,
    /// The accepted requests of the page's keys.
    sparklines: &'a [KeySparkline],
    /// The query in the URL, which links to dialogs keep.
    query: Memo<ListQuery>,
    /// The id of the key that was just created or changed.
    changed: Option<String>,
}

/// The class of the column with the check boxes.
const SELECT: &str = "col-select";

/// The columns, from left to right. Heading, rows, placeholders and the width of an empty table are derived from this list.
const COLUMNS: &[Column] = &[
    Column {
        class: SELECT,
        title: "",
        label: None,
        sort: None,
        cell: |key, _| row_check(key).into_any(),
        skeleton: &[],
    },
    Column {
        class: "col-name",
        title: "Name",
        label: None,
        sort: Some(KeySortColumn::Name),
        cell: name_cell,
        skeleton: &["180", "240"],
    },
    Column {
        class: "col-status",
        title: "Status",
        label: None,
        sort: Some(KeySortColumn::Status),
        cell: |key, _| view! { <StatusBadge status=key.status /> }.into_any(),
        skeleton: &["64"],
    },
    Column {
        class: "col-group",
        title: "Authorization group",
        label: Some("Group"),
        sort: Some(KeySortColumn::AuthorizationGroup),
        cell: |key, _| {
            let name = key.authorization_group.name.clone();
            view! { <span class="truncate" title=name.clone()>{name.clone()}</span> }.into_any()
        },
        skeleton: &["110"],
    },
    Column {
        class: "col-expires",
        title: "Expires",
        label: Some("Expires"),
        sort: Some(KeySortColumn::ExpiresOn),
        cell: |key, _| {
            view! {
                <Expires on=key.expires_on />
                <ExpirationBadge state=key.expiration status=key.status />
            }
            .into_any()
        },
        skeleton: &["84"],
    },
    Column {
        class: "col-used",
        title: "Last used",
        label: Some("Last used"),
        sort: Some(KeySortColumn::LastUsedAt),
        cell: used_cell,
        skeleton: &["80"],
    },
    Column {
        class: "col-created",
        title: "Created",
        label: Some("Created"),
        sort: Some(KeySortColumn::CreatedAt),
        cell: |key, _| view! { <Day at=key.created_at /> }.into_any(),
        skeleton: &["84"],
    },
    Column {
        class: "col-actions",
        title: "Actions",
        label: None,
        sort: None,
        cell: actions_cell,
        skeleton: &[],
    },
];

/// The column headings; those of sortable columns are links.
#[component]
pub fn Head(
    /// The query in the URL.
    query: Memo<ListQuery>,
    /// The list.
    list: Memo<Option<KeyList>>,
) -> impl IntoView {
    let tenant = use_tenant();
    let sortable = move |column: &'static Column, by: KeySortColumn| {
        let sorted = move || {
            let sort = query.with(|query| query.sort);
            (sort.column == by).then_some(if sort.descending {
                "descending"
            } else {
                "ascending"
            })
        };
        let href =
            move || query.with(|query| query.sorted_by(by).url(&tenant.get(), urls::API_KEYS));
        view! {
            <th role="columnheader" scope="col" class=column.class aria-sort=sorted>
                <a href=href data-noscroll="">{column.title}<Icon name="arrow-down" /></a>
            </th>
        }
        .into_any()
    };
    let heads = COLUMNS
        .iter()
        .map(|column| match column.sort {
            Some(by) => sortable(column, by),
            None if column.class == SELECT => view! {
                <th role="columnheader" scope="col" class=SELECT><PageCheck list /></th>
            }
            .into_any(),
            None => view! {
                <th role="columnheader" scope="col" class=column.class>
                    <span class="visually-hidden">{column.title}</span>
                </th>
            }
            .into_any(),
        })
        .collect_view();
    view! { <thead role="rowgroup"><tr role="row">{heads}</tr></thead> }.into_any()
}

fn row(key: &ApiKey, context: &RowContext<'_>) -> impl IntoView + use<> {
    let cells = COLUMNS
        .iter()
        .map(|column| {
            let content = (column.cell)(key, context);
            view! { <td role="cell" class=column.class data-label=column.label>{content}</td> }
        })
        .collect_view();
    let is_new = context.changed.as_ref() == Some(&key.id.to_string());
    let class = is_new.then_some("is-new");
    view! { <tr role="row" class=class data-status=key.status.as_str()>{cells}</tr> }
}

/// The name with hint and description below it.
fn name_cell(key: &ApiKey, _: &RowContext<'_>) -> AnyView {
    let description = key.description.as_str().to_owned();
    let description = (!description.is_empty()).then(|| {
        let title = description.clone();
        view! { <span class="about-text truncate" title=title>{description}</span> }
    });
    let group = key.authorization_group.name.clone();
    let created = format!("Created {}", words::date(key.created_at.date_naive()));
    view! {
        {key_name(key)}
        <span class="key-about">
            <code>{key.hint.clone()}</code>
            <span class="about-group dot truncate">{group}</span>
            <span class="about-created dot">{created}</span>
            {description}
        </span>
    }
    .into_any()
}

/// The last use, with the sparkline below it.
fn used_cell(key: &ApiKey, row: &RowContext<'_>) -> AnyView {
    let of_key = row.sparklines.iter().find(|each| each.key_id == key.id);
    let ago = view! { <Ago at=key.last_used_at now=row.now /> };
    match sparkline(of_key) {
        Some(sparkline) => view! { <span class="value">{ago}{sparkline}</span> }.into_any(),
        None => ago.into_any(),
    }
}

/// The links to the dialogs of an active key.
fn actions_cell(key: &ApiKey, context: &RowContext<'_>) -> AnyView {
    if key.status != KeyStatus::Active {
        return ().into_any();
    }
    let action = |kind, verb: &'static str, icon, class| {
        let target = DialogTarget {
            kind,
            id: key.id.to_string(),
        };
        action(&target, verb, icon, class, key.name.as_str(), context.query)
    };
    view! {
        <div class="actions">
            {action(DialogKind::Edit, "Edit", "pencil", "icon-button")}
            {action(DialogKind::Rotate, "Rotate", "rotate", "icon-button")}
            {action(DialogKind::Revoke, "Revoke", "trash", "icon-button icon-button-danger")}
        </div>
    }
    .into_any()
}

/// The width up to which a name is never cut, in Latin letters (capitals, in the narrowest table). A wider name has a tooltip.
const LONG_NAME: usize = 11;
/// The same for a wide table (`style/table-narrow.css`).
const LONG_NAME_IN_WIDE_TABLE: usize = 18;

/// The width of `name` in Latin letters: most letters from Hangul on are twice as wide.
fn width(name: &str) -> usize {
    name.chars()
        .map(|letter| if letter < '\u{1100}' { 1 } else { 2 })
        .sum()
}

/// The key's name as a link to its page, which the browser loads from the server.
fn key_name(key: &ApiKey) -> impl IntoView + use<> {
    let tenant = use_tenant();
    let name = key.name.to_string();
    let width = width(&name);
    let is_long = width > LONG_NAME;
    let fits_wide = (is_long && width <= LONG_NAME_IN_WIDE_TABLE).then_some("");
    let tip = is_long.then(|| name.clone());
    let path = urls::key(&key.id.to_string());
    view! {
        <a
            class="key-name"
            href=move || tenant.get().url(&path)
            rel="external"
            data-tip=tip
            data-fits-wide=fits_wide
        >
            <span class="truncate" dir="auto">{name}</span>
        </a>
    }
}

/// A link to a dialog of the row's key, which keeps the query of the list.
fn action(
    target: &DialogTarget,
    verb: &'static str,
    icon: &'static str,
    class: &'static str,
    name: &str,
    query: Memo<ListQuery>,
) -> impl IntoView + use<> {
    let tenant = use_tenant();
    let path = target.path();
    let href = move || query.with(|query| query.url(&tenant.get(), &path));
    view! {
        <a
            class=class
            id=target.opener_id()
            href=href
            data-noscroll=""
            aria-label=format!("{verb} {name}")
            data-tip=verb
        >
            <Icon name=icon />
        </a>
    }
}

/// Placeholders while the browser loads the list for the first time.
#[component]
pub fn TableSkeleton(
    /// The query in the URL.
    query: Memo<ListQuery>,
) -> impl IntoView {
    let bar = skeleton;
    let row = || {
        let cells = COLUMNS.iter().map(|column| {
            let bars = column
                .skeleton
                .iter()
                .map(|width| bar(width))
                .collect_view();
            view! { <td role="cell" class=column.class>{bars}</td> }
        });
        view! { <tr role="row">{cells.collect_view()}</tr> }
    };
    let rows = (0..5).map(|_| row()).collect_view();
    view! {
        <div class="page">
            <Breadcrumb section=MenuSection::DataAndMonitoring page="API Keys" />
            <header class="page-header">
                <div>
                    <h1>"API Keys"</h1>
                    <div class="page-meta">{bar("120")}</div>
                </div>
            </header>
            <FilterBar query />
            <div class="table-region">
                <table class="table" role="table" aria-label="API keys" aria-busy="true">
                    <Head query list=Memo::new(|_| None) />
                    <tbody role="rowgroup">{rows}</tbody>
                </table>
            </div>
        </div>
    }
    .into_any()
}
