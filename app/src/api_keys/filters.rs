//! Search, filters and, on a narrow screen, sorting: links and a GET form, which work without a script. The URL holds their state.

use std::time::Duration;

use domain::key::{
    KeyStatus,
    expiry::ExpirationState,
    query::{KeyLifetime, KeyQuery, KeySort, KeySortColumn, PolicyFilter},
};
use leptos::{
    leptos_dom::helpers::TimeoutHandle,
    prelude::*,
    web_sys::{Event, SubmitEvent},
};
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::list_query::{ListQuery, UNUSED_DAYS};
use crate::{browser, components::Icon, current_tenant::use_tenant, urls};

/// The id of the search field.
const SEARCH: &str = "key-search";
/// The delay between the last key press and the search.
const SEARCH_DELAY: Duration = Duration::from_millis(250);

/// An option of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Status(Option<KeyStatus>),
    Expiration(Option<ExpirationState>),
    /// Keys that never expire; replaces an expiration state.
    NeverExpires,
    Sort(KeySort),
}

impl Choice {
    fn is_current(self, query: &ListQuery) -> bool {
        match self {
            Self::Status(status) => query.status == status,
            Self::Expiration(expiration) => {
                query.expiration == expiration && query.lifetime.is_none()
            }
            Self::NeverExpires => query.lifetime.is_some(),
            Self::Sort(sort) => query.sort == sort,
        }
    }

    /// The query with this option, from the first page.
    fn apply(self, query: &ListQuery) -> ListQuery {
        let mut chosen = query.from_cursor(None);
        match self {
            Self::Status(status) => chosen.status = status,
            Self::Expiration(expiration) => {
                (chosen.expiration, chosen.lifetime) = (expiration, None);
            }
            Self::NeverExpires => {
                (chosen.expiration, chosen.lifetime) = (None, Some(KeyLifetime::Never));
            }
            Self::Sort(sort) => chosen.sort = sort,
        }
        chosen
    }
}

const STATUS: &[(&str, Choice)] = &[
    ("All", Choice::Status(None)),
    ("Active", Choice::Status(Some(KeyStatus::Active))),
    ("Revoked", Choice::Status(Some(KeyStatus::Revoked))),
];

const EXPIRATION: &[(&str, Choice)] = &[
    ("All", Choice::Expiration(None)),
    ("Valid", Choice::Expiration(Some(ExpirationState::Valid))),
    (
        "Expiring Soon",
        Choice::Expiration(Some(ExpirationState::ExpiringSoon)),
    ),
    (
        "Expired",
        Choice::Expiration(Some(ExpirationState::Expired)),
    ),
    ("Never expires", Choice::NeverExpires),
];

const SORT: &[(&str, Choice)] = &[
    ("Newest", sort(KeySortColumn::CreatedAt, true)),
    ("Name", sort(KeySortColumn::Name, false)),
    ("Expiry", sort(KeySortColumn::ExpiresOn, false)),
    ("Last used", sort(KeySortColumn::LastUsedAt, true)),
    ("Group", sort(KeySortColumn::AuthorizationGroup, false)),
];

const fn sort(column: KeySortColumn, descending: bool) -> Choice {
    Choice::Sort(KeySort { column, descending })
}

/// The bar above the table.
#[component]
pub fn FilterBar(
    /// The query in the URL.
    query: Memo<ListQuery>,
) -> impl IntoView {
    let tenant = use_tenant();
    let clear = move || {
        query.with(ListQuery::is_filtered).then(|| {
            let href = query.with(|query| query.without_filters().url(&tenant.get(), urls::API_KEYS));
            view! { <a class="button button-s button-text" href=href data-noscroll="">"Clear all"</a> }
        })
    };
    view! {
        <div class="toolbar">
            <Search query />
            <SortMenu query />
            <button class="button button-s filters-toggle" type="button" popovertarget="filters">
                <Icon name="gear" />
                "Filters"
            </button>
            <div class="filters" id="filters" popover="auto">
                <Segments query label="Status" id="filter-status" choices=STATUS />
                <Segments query label="Expiration" id="filter-expiration" choices=EXPIRATION />
                <UnusedToggle query />
                <PolicyToggle query />
                <Segments query label="Sort by" id="filter-sort" choices=SORT class="filter filters-sort" />
                <button
                    class="button button-primary filters-done"
                    type="button"
                    popovertarget="filters"
                    popovertargetaction="hide"
                >
                    "Show keys"
                </button>
            </div>
            {clear}
        </div>
    }
    .into_any()
}

/// The id of the sort menu.
const SORT_MENU: &str = "sort-menu";

/// The order as a menu, for widths at which the table does not show every column head.
#[component]
fn SortMenu(query: Memo<ListQuery>) -> impl IntoView {
    let current = move || {
        let sort = query.with(|query| query.sort);
        let named = SORT
            .iter()
            .find(|(_, choice)| *choice == Choice::Sort(sort));
        format!("Sort: {}", named.map_or("Other", |(word, _)| word))
    };
    let links = choice_links(query, SORT);
    view! {
        <details class="sort" id=SORT_MENU>
            <summary class="button button-s">{current}<Icon name="chevron-down" /></summary>
            <div class="menu" on:click=move |_| browser::close_details(SORT_MENU)>{links}</div>
        </details>
    }
    .into_any()
}

/// Links that apply `choices` to the query; the current ones are marked.
fn choice_links(
    query: Memo<ListQuery>,
    choices: &'static [(&'static str, Choice)],
) -> impl IntoView {
    let tenant = use_tenant();
    choices
        .iter()
        .map(|&(word, choice)| {
            let href =
                move || query.with(|query| choice.apply(query).url(&tenant.get(), urls::API_KEYS));
            let current = move || {
                query
                    .with(|query| choice.is_current(query))
                    .then_some("true")
            };
            view! { <a href=href aria-current=current data-noscroll="">{word}</a> }
        })
        .collect_view()
}

/// A filter with two states: a link that sets or clears it.
#[component]
fn Toggle(
    query: Memo<ListQuery>,
    label: String,
    is_on: fn(&ListQuery) -> bool,
    /// The query with the other state.
    toggle: fn(&ListQuery) -> ListQuery,
) -> impl IntoView {
    let tenant = use_tenant();
    let href = move || {
        query.with(|query| toggle(&query.from_cursor(None)).url(&tenant.get(), urls::API_KEYS))
    };
    let current = move || query.with(is_on).then_some("true");
    view! { <a class="toggle" href=href aria-current=current data-noscroll="">{label}</a> }
        .into_any()
}

/// The filter for keys without recent use.
#[component]
fn UnusedToggle(query: Memo<ListQuery>) -> impl IntoView {
    view! {
        <Toggle
            query
            label=format!("Not used in {UNUSED_DAYS} days")
            is_on=|query| query.is_unused
            toggle=|query| query.toggle_unused()
        />
    }
}

/// The filter for keys outside the security policy.
#[component]
fn PolicyToggle(query: Memo<ListQuery>) -> impl IntoView {
    let toggle = |query: &ListQuery| ListQuery {
        policy: match query.policy {
            None => Some(PolicyFilter::Outside),
            Some(PolicyFilter::Outside) => None,
        },
        ..query.clone()
    };
    view! {
        <Toggle
            query
            label="Outside policy".to_owned()
            is_on=|query| query.policy.is_some()
            toggle
        />
    }
}

/// The options of one filter; the current one is marked.
#[component]
fn Segments(
    query: Memo<ListQuery>,
    label: &'static str,
    id: &'static str,
    choices: &'static [(&'static str, Choice)],
    #[prop(default = "filter")] class: &'static str,
) -> impl IntoView {
    let links = choice_links(query, choices);
    view! {
        <div class=class role="group" aria-labelledby=id>
            <span class="filter-label" id=id>{label}</span>
            <div class="segments">{links}</div>
        </div>
    }
    .into_any()
}

/// Searches names and descriptions. With a script, a search is applied while typing and replaces the current history entry.
#[component]
fn Search(query: Memo<ListQuery>) -> impl IntoView {
    let tenant = use_tenant();
    let navigate = use_navigate();
    let initial = query.with_untracked(|query| query.q.clone());
    // The last search of this field. Another change of the URL (Back, Clear all) is copied into the field.
    let applied = StoredValue::new(initial.clone());
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let stop_waiting = move || {
        if let Some(handle) = waiting.try_update_value(Option::take).flatten() {
            handle.clear();
        }
    };
    let apply = Callback::new(move |()| {
        stop_waiting();
        let typed = browser::value(SEARCH);
        let text = KeyQuery::without_secret(typed.trim()).to_owned();
        if text != typed.trim() {
            browser::set_value(SEARCH, &text);
        }
        if query.with_untracked(|query| query.q == text) {
            return;
        }
        applied.set_value(text.clone());
        let url = query.with_untracked(|query| {
            query
                .with_search(text)
                .url(&tenant.get_untracked(), urls::API_KEYS)
        });
        let options = NavigateOptions {
            replace: true,
            scroll: false,
            ..NavigateOptions::default()
        };
        navigate(&url, options);
    });
    Effect::new(move |_| {
        let q = query.with(|query| query.q.clone());
        if applied.with_value(|applied| *applied != q) {
            browser::set_value(SEARCH, &q);
            applied.set_value(q);
        }
    });
    // Applies text that was typed before the script started.
    Effect::new(move |_| apply.run(()));
    on_cleanup(stop_waiting);
    let on_input = move |_: Event| {
        stop_waiting();
        let handle = set_timeout_with_handle(move || apply.run(()), SEARCH_DELAY);
        waiting.set_value(handle.ok());
    };
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        apply.run(());
    };
    // The other parameters, as hidden fields.
    let carried = move || {
        let fields = query.with(|query| query.search_form_fields(&tenant.get()));
        fields
            .into_iter()
            .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
            .collect_view()
    };
    view! {
        <search class="search">
            <form action=urls::API_KEYS on:submit=on_submit>
                <Icon name="search" />
                <input
                    class="input"
                    type="search"
                    id=SEARCH
                    name="q"
                    value=initial
                    maxlength=KeyQuery::MAX_SEARCH
                    placeholder="Search keys"
                    aria-label="Search names, descriptions and last four characters"
                    autocomplete="off"
                    on:input=on_input
                />
                {carried}
            </form>
        </search>
    }
    .into_any()
}
