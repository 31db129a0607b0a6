//! The table and the page links of a list without script.

use domain::page::TwoWayPage;
use leptos::prelude::*;

/// The head of a column.
pub struct Column {
    /// The class of the column's cells.
    class: &'static str,
    label: &'static str,
    is_sorted: bool,
    is_hidden: bool,
}

impl Column {
    pub const fn new(class: &'static str, label: &'static str) -> Self {
        Self {
            class,
            label,
            is_sorted: false,
            is_hidden: false,
        }
    }

    /// Marks the column that orders the rows, in ascending order.
    pub const fn sorted(self) -> Self {
        Self {
            is_sorted: true,
            ..self
        }
    }

    /// Leaves the label to assistive technology.
    pub const fn visually_hidden(self) -> Self {
        Self {
            is_hidden: true,
            ..self
        }
    }
}

/// A table with this accessible name. Narrow windows show each row as a block, which drops the implicit roles of table elements; the roles are
/// therefore explicit, also in the rows that the caller passes.
pub fn list_table(
    label: &'static str,
    columns: &'static [Column],
    rows: impl IntoView + 'static,
) -> AnyView {
    let heads = columns
        .iter()
        .map(|column| {
            let order = column.is_sorted.then_some("ascending");
            let text = if column.is_hidden {
                view! { <span class="visually-hidden">{column.label}</span> }.into_any()
            } else {
                column.label.into_any()
            };
            view! { <th role="columnheader" scope="col" class=column.class aria-sort=order>{text}</th> }
        })
        .collect_view();
    view! {
        <div class="table-region">
            <table class="table" role="table" aria-label=label>
                <thead role="rowgroup"><tr role="row">{heads}</tr></thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// Links to the previous and the next page. `url` returns the URL of the page at a cursor. `None` if the list has a single page.
pub fn pager<T>(page: &TwoWayPage<T>, url: impl Fn(&str) -> String) -> Option<AnyView> {
    let link = |label: &'static str, cursor: &Option<String>| match cursor {
        Some(cursor) => {
            view! { <a class="button button-s" href=url(cursor)>{label}</a> }.into_any()
        }
        None => view! { <button class="button button-s" type="button" disabled>{label}</button> }
            .into_any(),
    };
    let (previous, next) = (&page.previous_cursor, &page.next_cursor);
    (previous.is_some() || next.is_some()).then(|| {
        view! {
            <nav class="pager" aria-label="Pages">
                <span></span>
                <span class="pager-links">{link("Previous", previous)}{link("Next", next)}</span>
            </nav>
        }
        .into_any()
    })
}
