//! The keys that are selected in the list, across its pages, and the bar with the actions for them.
//!
//! The check boxes are plain controls of a form, which works without a script. The script reads them after each change and sets them after
//! each change of the list: one listener and one effect serve all rows.

use std::collections::BTreeMap;

use domain::{id::KeyId, key::KeyStatus};
use leptos::prelude::*;
use leptos::web_sys::MouseEvent;

use super::{
    dialog_target::{IDS, REVOKE_SELECTED_LINK, revoke_keys_path},
    list_query::ListQuery,
    responses::{KeyList, ListedKey},
};
use crate::{browser, components::Icon, current_tenant::use_tenant, words};

/// The maximum number of keys that are revoked at once (`domain::store::keys::MAX_REVOKED_AT_ONCE`).
pub const MAX_SELECTED: usize = 100;
/// The id of the form that the check boxes belong to.
pub const FORM: &str = "revoke-selected";
/// The id of the bar.
const BAR: &str = "selection";
/// The id of the check box that selects every active key of the page.
const SELECT_PAGE: &str = "select-page";

/// The selected keys with their names. Paging, filtering and sorting do not change them.
#[derive(Clone, Copy)]
pub struct Selection {
    keys: RwSignal<BTreeMap<KeyId, String>>,
    /// Whether the page is hydrated. The bar is hidden until then.
    is_live: RwSignal<bool>,
}

impl Selection {
    /// Provides an empty selection to the list's parts as context.
    #[must_use]
    pub fn provide() -> Self {
        let selection = Self {
            keys: RwSignal::default(),
            is_live: RwSignal::new(false),
        };
        provide_context(selection);
        selection
    }

    /// Clears the selection.
    pub fn clear(self) {
        self.keys.update(BTreeMap::clear);
    }

    /// Reads the check boxes of the page.
    fn read(self, page: &[ListedKey]) {
        let checks = browser::checks(IDS);
        self.keys.update(|keys| {
            for (value, is_checked) in checks {
                let Some(key) = page.iter().find(|key| key.id.to_string() == value) else {
                    continue;
                };
                if is_checked {
                    keys.insert(key.id, key.name.clone());
                } else {
                    keys.remove(&key.id);
                }
            }
        });
    }

    /// Synchronises selection and check boxes: reads the boxes that were checked before the script started, then tracks the list.
    pub fn follow(self, list: Memo<Option<KeyList>>) {
        Effect::new(move |was_live: Option<bool>| {
            let page = list.with(|list| list.as_ref().map(|list| list.keys.clone()));
            let Some(page) = page else {
                return was_live.unwrap_or_default();
            };
            if was_live != Some(true) {
                self.read(&page);
                self.is_live.set(true);
            }
            self.keys.track();
            // A key that was revoked since then is no longer selected.
            let is_revoked = |keys: &BTreeMap<KeyId, String>, key: &&ListedKey| {
                key.status == KeyStatus::Revoked && keys.contains_key(&key.id)
            };
            let revoked: Vec<_> = self.keys.with_untracked(|keys| {
                let revoked = page.iter().filter(|key| is_revoked(keys, key));
                revoked.map(|key| key.id).collect()
            });
            if !revoked.is_empty() {
                self.keys
                    .update(|keys| keys.retain(|id, _| !revoked.contains(id)));
            }
            // Runs after the rows are in the document.
            request_animation_frame(move || {
                let Some(selected) = self.keys.try_with_untracked(|keys| {
                    keys.keys().map(ToString::to_string).collect::<Vec<_>>()
                }) else {
                    return;
                };
                browser::set_checks(IDS, &selected);
                let active: Vec<_> = browser::checks(IDS);
                let on = active.iter().filter(|(_, is_checked)| *is_checked).count();
                let is_all = on > 0 && on == active.len();
                browser::set_check(SELECT_PAGE, is_all, on > 0 && !is_all);
            });
            true
        });
    }
}

/// The handler of a change of any check box in the table.
pub fn on_change(list: Memo<Option<KeyList>>) -> impl Fn() + Clone + 'static {
    let selection = use_context::<Selection>();
    move || {
        if let Some(selection) = selection {
            list.with_untracked(|list| {
                if let Some(list) = list {
                    selection.read(&list.keys);
                }
            });
        }
    }
}

/// The check box in the table's head, and the link to the bar.
#[component]
pub fn PageCheck(
    /// The list.
    list: Memo<Option<KeyList>>,
) -> impl IntoView {
    let label = move || {
        let active = list.with(|list| {
            let items = list.iter().flat_map(|list| &list.keys);
            items.filter(|key| key.status == KeyStatus::Active).count()
        });
        format!(
            "Select the {} on this page",
            words::count(active as u64, "active key", "active keys")
        )
    };
    let read = on_change(list);
    let select_all = move |_| {
        browser::set_all_checks(IDS, browser::is_checked(SELECT_PAGE));
        read();
    };
    let link = move || {
        let selection = use_context::<Selection>()?;
        let count = selection.keys.with(BTreeMap::len);
        (count > 0 && selection.is_live.get()).then(|| {
            let go = move |event: MouseEvent| {
                event.prevent_default();
                browser::focus(BAR);
            };
            let text = format!(
                "Go to the actions for {}",
                words::count(count as u64, "selected key", "selected keys")
            );
            view! { <a class="to-selection" href=format!("#{BAR}") on:click=go>{text}</a> }
        })
    };
    view! {
        <label class="check-target needs-script">
            <input
                class="check"
                type="checkbox"
                id=SELECT_PAGE
                autocomplete="off"
                aria-label=label
                on:change=select_all
            />
        </label>
        {link}
    }
    .into_any()
}

/// The bar. Without a script it is a button that is always visible; with one it appears with the first selected key.
#[component]
pub fn SelectionBar(
    /// The list.
    list: Memo<Option<KeyList>>,
    /// The query in the URL.
    query: Memo<ListQuery>,
) -> impl IntoView {
    let selection = use_context::<Selection>();
    let tenant = use_tenant();
    let bar = move || {
        let selection = selection?;
        let keys = selection.keys.get();
        if keys.is_empty() || !selection.is_live.get() {
            return None;
        }
        let elsewhere = list.with(|list| {
            let shown = |id: &KeyId| {
                list.as_ref()
                    .is_some_and(|list| list.keys.iter().any(|key| key.id == *id))
            };
            keys.keys().filter(|id| !shown(id)).count() as u64
        });
        let elsewhere = (elsewhere > 0).then(|| {
            view! { <span>{format!("{} on other pages", words::grouped(elsewhere))}</span> }
        });
        let number = keys.len();
        let names = keys.values().cloned().collect::<Vec<_>>().join(", ");
        let revoke = if number > MAX_SELECTED {
            view! { <span class="muted">{format!("At most {MAX_SELECTED} keys can be revoked at once")}</span> }
                .into_any()
        } else {
            let ids: Vec<_> = keys.keys().map(ToString::to_string).collect();
            let href = move || query.with(|query| revoke_keys_path(query, &tenant.get(), &ids));
            view! {
                <a class="button button-s button-danger-quiet" id=REVOKE_SELECTED_LINK href=href data-noscroll="">
                    <Icon name="trash" />
                    {format!("Revoke {}", words::count(number as u64, "key", "keys"))}
                </a>
            }
            .into_any()
        };
        let clear = move |_| {
            selection.clear();
            browser::focus_first(vec![SELECT_PAGE.to_owned(), "page-title".to_owned()]);
        };
        Some(view! {
            <div class="selection" id=BAR role="region" aria-label="Selected keys" tabindex="-1">
                <strong>{selected_words(number)}</strong>
                {elsewhere}
                <span class="muted" dir="auto">{names}</span>
                {revoke}
                <button class="button button-s button-text" type="button" on:click=clear>"Clear selection"</button>
            </div>
        })
    };
    let report = move || {
        let live = selection.filter(|selection| selection.is_live.get())?;
        let number = live.keys.with(BTreeMap::len);
        (number > 0).then(|| selected_words(number))
    };
    let carried = move || {
        let fields = query.with(|query| query.list_form_fields(&tenant.get()));
        fields
            .into_iter()
            .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
            .collect_view()
    };
    let has_no_active = move || {
        list.with(|list| {
            let items = list.iter().flat_map(|list| &list.keys);
            !items.into_iter().any(|key| key.status == KeyStatus::Active)
        })
    };
    view! {
        <form class="selection without-script" id=FORM action=super::dialog_target::REVOKE_KEYS hidden=has_no_active>
            {carried}
            <button class="button button-s button-danger-quiet">
                <Icon name="trash" />
                "Revoke selected keys"
            </button>
        </form>
        {bar}
        <p class="visually-hidden" role="status">{report}</p>
    }
    .into_any()
}

fn selected_words(number: usize) -> String {
    format!("{} selected", words::count(number as u64, "key", "keys"))
}
