//! The table of keys. Explicit roles keep it a table where the style makes cards of its rows.

use chrono::{DateTime, Utc};
use domain::key::{ApiKey, KeyStatus, query::KeySortColumn};
use leptos::prelude::*;

use super::{
    dialog_target::{DialogKind, DialogTarget},
    filters::FilterBar,
    list_query::ListQuery,
    responses::KeyList,
};
use crate::{
    components::{
        Breadcrumb, ExpirationBadge, Icon, StatusBadge,
        date::{Ago, Day, Expires},
    },
    current_tenant::use_tenant,
    page::MenuSection,
    urls,
};

/// The keys of the page that is shown.
#[component]
pub fn KeyTable(
    /// The list.
    list: Memo<Option<KeyList>>,
    /// What the URL asks for.
    query: Memo<ListQuery>,
    /// Whether newer rows are on their way.
    #[prop(into)]
    is_busy: Signal<bool>,
) -> impl IntoView {
    let rows = move || {
        list.get().map(|list| {
            let now = list.now;
            list.page
                .items
                .into_iter()
                .map(|key| row(key, now, query))
                .collect_view()
        })
    };
    let no_match = move || {
        list.with(|list| list.as_ref().is_some_and(|list| list.page.items.is_empty()))
            .then(|| view! { <NoMatch query /> })
    };
    view! {
        <div class="table-region">
            <table
                class="table"
                role="table"
                aria-label="API keys"
                aria-busy=move || is_busy.get().then_some("true")
            >
                <Head query />
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
            .with(ListQuery::in_words)
            .map(|words| view! { <p>{words}</p> })
    };
    view! {
        <tr class="table-empty" role="row">
            <td role="cell" colspan="7">
                <section class="empty">
                    <h2>"No key matches these filters"</h2>
                    {shown}
                    <a class="button" href=all>"Clear all filters"</a>
                </section>
            </td>
        </tr>
    }
}

/// The column heads, each a link that sorts.
#[component]
pub fn Head(
    /// What the URL asks for.
    query: Memo<ListQuery>,
) -> impl IntoView {
    let tenant = use_tenant();
    let head = move |class: &'static str, label: &'static str, column: KeySortColumn| {
        let sorted = move || {
            let sort = query.with(|query| query.sort);
            (sort.column == column).then_some(if sort.descending {
                "descending"
            } else {
                "ascending"
            })
        };
        let href =
            move || query.with(|query| query.sorted_by(column).url(&tenant.get(), urls::API_KEYS));
        view! {
            <th role="columnheader" scope="col" class=class aria-sort=sorted>
                <a href=href data-noscroll="">{label}<Icon name="arrow-down" /></a>
            </th>
        }
    };
    view! {
        <thead role="rowgroup">
            <tr role="row">
                {head("col-name", "Name", KeySortColumn::Name)}
                {head("col-status", "Status", KeySortColumn::Status)}
                {head("col-group", "Authorization group", KeySortColumn::AuthorizationGroup)}
                {head("col-expires", "Expires", KeySortColumn::ExpiresOn)}
                {head("col-used", "Last used", KeySortColumn::LastUsedAt)}
                {head("col-created", "Created", KeySortColumn::CreatedAt)}
                <th role="columnheader" scope="col" class="col-actions">
                    <span class="visually-hidden">"Actions"</span>
                </th>
            </tr>
        </thead>
    }
    .into_any()
}

fn row(key: ApiKey, now: DateTime<Utc>, query: Memo<ListQuery>) -> impl IntoView {
    let name = key.name.to_string();
    let group = key.authorization_group.name;
    let description = key.description.as_str().to_owned();
    let description = (!description.is_empty()).then(|| {
        let title = description.clone();
        view! { <span class="truncate" title=title>{description}</span> }
    });
    let is_active = key.status == KeyStatus::Active;
    let actions = is_active.then(|| {
        let action = |kind, verb: &'static str, icon, class| {
            let target = DialogTarget {
                kind,
                id: key.id.to_string(),
            };
            action(&target, verb, icon, class, &name, query)
        };
        view! {
            <div class="actions">
                {action(DialogKind::Edit, "Edit", "pencil", "icon-button")}
                {action(DialogKind::Rotate, "Rotate", "rotate", "icon-button")}
                {action(DialogKind::Revoke, "Revoke", "trash", "icon-button icon-button-danger")}
            </div>
        }
    });
    view! {
        <tr role="row" data-status=key.status.as_str()>
            <td role="cell" class="col-name">
                {key_name(&name, is_active.then(|| edit_path(&key.id.to_string())), query)}
                <span class="key-about"><code>{key.hint}</code>{description}</span>
            </td>
            <td role="cell" class="col-status"><StatusBadge status=key.status /></td>
            <td role="cell" class="col-group" data-label="Group">
                <span class="truncate" title=group.clone()>{group.clone()}</span>
            </td>
            <td role="cell" class="col-expires" data-label="Expires">
                <Expires on=key.expires_on />
                <ExpirationBadge state=key.expiration status=key.status />
            </td>
            <td role="cell" class="col-used" data-label="Last used"><Ago at=key.last_used_at now /></td>
            <td role="cell" class="col-created" data-label="Created"><Day at=key.created_at /></td>
            <td role="cell" class="col-actions">{actions}</td>
        </tr>
    }
}

/// A name that is wider may be cut: it is whole in a tooltip then, which the pointer and the focus show. In the narrowest table, of
/// capital letters; counted in Latin ones.
const LONG_NAME: usize = 11;
/// The same in a wide table: a shorter one needs no tooltip there (`style/table-narrow.css`).
const LONG_NAME_IN_WIDE_TABLE: usize = 18;

/// How many Latin letters are about as wide as `name`: from Hangul on, most letters are twice as wide.
fn width(name: &str) -> usize {
    name.chars()
        .map(|letter| if letter < '\u{1100}' { 1 } else { 2 })
        .sum()
}

/// The key's name: of an active key, a link to what it is made of.
fn key_name(name: &str, edit: Option<String>, query: Memo<ListQuery>) -> impl IntoView + use<> {
    let tenant = use_tenant();
    let width = width(name);
    let is_long = width > LONG_NAME;
    let fits_wide = (is_long && width <= LONG_NAME_IN_WIDE_TABLE).then_some("");
    let tip = is_long.then(|| name.to_owned());
    let name = view! { <span class="truncate" dir="auto">{name.to_owned()}</span> };
    match edit {
        Some(path) => {
            let href = move || query.with(|query| query.url(&tenant.get(), &path));
            view! { <a class="key-name" href=href data-noscroll="" data-tip=tip data-fits-wide=fits_wide>{name}</a> }
                .into_any()
        }
        None => {
            let reachable = is_long.then_some("0");
            view! { <span class="key-name" tabindex=reachable data-tip=tip data-fits-wide=fits_wide>{name}</span> }
                .into_any()
        }
    }
}

fn edit_path(id: &str) -> String {
    let target = DialogTarget {
        kind: DialogKind::Edit,
        id: id.to_owned(),
    };
    target.path()
}

/// A link to a dialog of the row's key. The list under the dialog stays the one that is shown.
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
            id=target.opener()
            href=href
            data-noscroll=""
            aria-label=format!("{verb} {name}")
            data-tip=verb
        >
            <Icon name=icon />
        </a>
    }
}

/// Stands for rows that have not come yet, on a first load in the browser alone.
#[component]
pub fn TableSkeleton(
    /// What the URL asks for.
    query: Memo<ListQuery>,
) -> impl IntoView {
    let bar = |width: &'static str| view! { <svg class="skeleton" width=width height="12"></svg> };
    let rows = (0..5)
        .map(|_| {
            view! {
                <tr role="row">
                    <td role="cell" class="col-name">{bar("180")}{bar("240")}</td>
                    <td role="cell" class="col-status">{bar("64")}</td>
                    <td role="cell" class="col-group">{bar("110")}</td>
                    <td role="cell" class="col-expires">{bar("84")}</td>
                    <td role="cell" class="col-used">{bar("80")}</td>
                    <td role="cell" class="col-created">{bar("84")}</td>
                    <td role="cell" class="col-actions"></td>
                </tr>
            }
        })
        .collect_view();
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
                    <Head query />
                    <tbody role="rowgroup">{rows}</tbody>
                </table>
            </div>
        </div>
    }
    .into_any()
}
