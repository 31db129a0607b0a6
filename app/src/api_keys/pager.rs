//! The position in the list, and links to the next and previous page.

use leptos::prelude::*;

use super::{list_query::ListQuery, responses::KeyList};
use crate::{components::waiting::is_slow, current_tenant::use_tenant, urls, words};

/// "1–25 of 1,284 keys", Previous, Next.
#[component]
pub fn Pager(
    /// The list.
    list: Memo<Option<KeyList>>,
    /// The query in the URL.
    query: Memo<ListQuery>,
) -> impl IntoView {
    let text = move || list.with(|list| list.as_ref().map(describe_range));
    let is_empty = move || list.with(|list| list.as_ref().is_none_or(|list| list.keys.is_empty()));
    // A list of one page has no links.
    let is_whole = move || list.with(|list| list.as_ref().is_none_or(is_whole));
    let previous = move || {
        let cursor = list.with(|list| list.as_ref()?.previous_cursor.clone());
        view! { <PageLink label="Previous" cursor query /> }
    };
    let next = move || {
        let cursor = list.with(|list| list.as_ref()?.next_cursor.clone());
        view! { <PageLink label="Next" cursor query /> }
    };
    view! {
        <nav class="pager" aria-label="Pages" hidden=is_empty>
            <span>{text}</span>
            <span class="pager-links" hidden=is_whole>{previous}{next}</span>
        </nav>
    }
    .into_any()
}

/// A link to another page of the list; a disabled button if there is none, so that nothing moves on the last page.
#[component]
fn PageLink(label: &'static str, cursor: Option<String>, query: Memo<ListQuery>) -> impl IntoView {
    let tenant = use_tenant();
    match cursor {
        Some(cursor) => {
            let href = move || {
                query.with(|query| {
                    query
                        .from_cursor(Some(cursor.clone()))
                        .url(&tenant.get(), urls::API_KEYS)
                })
            };
            view! { <a class="button button-s" href=href>{label}</a> }.into_any()
        }
        None => view! { <button class="button button-s" type="button" disabled>{label}</button> }
            .into_any(),
    }
}

/// Whether the page contains the whole list.
fn is_whole(list: &KeyList) -> bool {
    list.previous_cursor.is_none() && list.next_cursor.is_none()
}

/// `26–50 of 1,284 keys`, or `1 key` if the page contains the whole list.
fn describe_range(list: &KeyList) -> String {
    if is_whole(list) {
        return words::count(list.keys.len() as u64, "key", "keys");
    }
    let last = (list.first + list.keys.len() as u64).saturating_sub(1);
    // Keys can be created and revoked between requests: the total is at least the number of shown keys.
    let of = list.summary.matching.max(last);
    format!(
        "{}–{} of {}",
        words::grouped(list.first),
        words::grouped(last),
        words::count(of, "key", "keys")
    )
}

/// The number of results for screen readers, announced when it changes.
#[component]
pub fn ResultCount(
    /// The list.
    list: Memo<Option<KeyList>>,
    /// The query in the URL.
    query: Memo<ListQuery>,
    /// Whether another page is being loaded.
    #[prop(into)]
    is_busy: Signal<bool>,
) -> impl IntoView {
    let is_slow = is_slow(is_busy);
    let text = move || {
        if is_slow.get() {
            return "Loading…".to_owned();
        }
        if !query.with(ListQuery::is_filtered) {
            return String::new();
        }
        list.with(|list| {
            list.as_ref()
                .map(|list| words::count(list.summary.matching, "key", "keys"))
        })
        .unwrap_or_default()
    };
    view! { <p class="visually-hidden" role="status">{text}</p> }
}
