//! The rows of the table as HTML. The server renders them, for the page and for the server function of the list; the browser inserts
//! them as they are, which takes far less of its time than to build or to hydrate them.

use domain::key::ApiKey;
use leptos::prelude::*;

use super::{cells::RowContext, columns::COLUMNS, list_query::ListQuery, table::row_id};
use crate::urls::{self, TenantQuery};

/// The rows of `keys`; without a key, a row with the filters.
pub(super) fn html(keys: &[ApiKey], context: &RowContext<'_>) -> String {
    if keys.is_empty() {
        return no_match(context.query, context.tenant).to_html();
    }
    keys.iter().map(|key| row(key, context).to_html()).collect()
}

fn row(key: &ApiKey, context: &RowContext<'_>) -> impl IntoView + use<> {
    let cells = COLUMNS
        .iter()
        .map(|column| {
            let content = (column.cell)(key, context);
            view! { <td role="cell" class=column.class data-label=column.label>{content}</td> }
        })
        .collect_view();
    let class = (context.changed == Some(key.id)).then_some("is-new");
    view! {
        <tr role="row" class=class id=row_id(&key.id.to_string()) data-status=key.status.as_str()>{cells}</tr>
    }
}

/// A row for a list in which no key matches the query.
fn no_match(query: &ListQuery, tenant: &TenantQuery) -> impl IntoView + use<> {
    let all = query.without_filters().url(tenant, urls::API_KEYS);
    let (title, shown) = query.describe_no_match();
    let shown = shown.map(|words| view! { <p>{words}</p> });
    view! {
        <tr class="table-empty" role="row">
            <td role="cell" colspan=COLUMNS.len()>
                <section class="empty">
                    <h2>{title}</h2>
                    {shown}
                    <a class="button" href=all>"Clear all filters"</a>
                </section>
            </td>
        </tr>
    }
}
