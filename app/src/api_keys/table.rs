//! The table of keys. Explicit roles keep it a table for assistive technology while the style turns rows into cards.

use domain::key::query::KeySortColumn;
use leptos::{html::Tbody, prelude::*};

use super::{
    columns::{COLUMNS, Column, SELECT},
    filters::FilterBar,
    list_query::ListQuery,
    responses::KeyList,
    selection::{PageCheck, on_change},
};
use crate::{
    browser,
    components::{Breadcrumb, Icon, waiting::skeleton},
    current_tenant::use_tenant,
    notice::Notice,
    page::MenuSection,
    urls,
};

/// The id of the row of the key with this id.
pub(super) fn row_id(key: &str) -> String {
    format!("row-{key}")
}

/// The rows that the server rendered for the page. The page contains them once, in its table: they are not part of its data.
#[derive(Clone, Default)]
pub(super) struct RenderedRows(ArcStoredValue<String>);

impl RenderedRows {
    /// On the server, moves the rows of `list` here.
    pub(super) fn take_from(&self, list: &mut KeyList) {
        if cfg!(feature = "ssr") {
            self.0.set_value(std::mem::take(&mut list.rows));
        }
    }
}

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
    /// Loads the list again.
    reload: Callback<()>,
) -> impl IntoView {
    let notice = Notice::of_page();
    // Empty in the browser, where hydration leaves the server's rows in place.
    let rendered =
        use_context::<RenderedRows>().map_or_else(String::new, |rows| rows.0.get_value());
    let body = NodeRef::<Tbody>::new();
    Effect::new(move |_| {
        let Some(body) = body.get() else { return };
        let Some(rows) = list.with(|list| list.as_ref().map(|list| list.rows.clone())) else {
            return;
        };
        let changed = notice.take_row();
        if !rows.is_empty() {
            browser::replace_rows(&body, &rows);
            if let Some(key) = changed {
                browser::set_class(&body, &row_id(&key), "is-new");
            }
        } else if browser::is_empty(&body) {
            // The table was built again with the data of the page, which has no rows.
            request_animation_frame(move || reload.run(()));
        }
    });
    let checked = on_change(list);
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
                <tbody role="rowgroup" node_ref=body inner_html=rendered></tbody>
            </table>
        </div>
    }
    .into_any()
}

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
