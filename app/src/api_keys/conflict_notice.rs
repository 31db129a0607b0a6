//! The notice in the edit dialog that another user changed the key meanwhile.

use domain::{
    group::AuthorizationGroup,
    key::{ApiKey, form::KeyForm},
};
use leptos::{prelude::*, web_sys::MouseEvent};

use super::responses::Conflict;
use crate::{browser, components::Icon};

/// The id of the notice.
const CONFLICT: &str = "edit-conflict";

/// Reports a conflict: who changed the key, the current values that differ, and how to continue.
#[component]
pub fn ConflictNotice(
    /// The change by another user.
    conflict: RwSignal<Option<Conflict>>,
    /// The typed values.
    typed: RwSignal<KeyForm>,
    /// The groups that can be selected.
    groups: Vec<AuthorizationGroup>,
    /// The URL that opens the dialog again, for the link without a script.
    url: Signal<String>,
    /// Replaces the fields by the values of the other user.
    take: Callback<Conflict>,
) -> impl IntoView {
    move || {
        let theirs = conflict.get()?;
        let who = theirs
            .by
            .clone()
            .unwrap_or_else(|| "Another user".to_owned());
        let typed = typed.get_untracked();
        let changes: Vec<_> = differences(&typed, &theirs.key, &groups)
            .into_iter()
            .map(|change| view! { <li>{change}</li> })
            .collect();
        let is_same = changes.is_empty();
        let list = if is_same {
            view! { <p>"It is the same as what you typed."</p> }.into_any()
        } else {
            view! { <ul>{changes}</ul> }.into_any()
        };
        let theirs = StoredValue::new(theirs);
        // Moves the focus once the notice is in the document.
        Effect::new(|_| {
            browser::focus(CONFLICT);
        });
        let take = move |event: MouseEvent| {
            event.prevent_default();
            take.run(theirs.get_value());
        };
        Some(view! {
            <div class="callout" data-tone="danger" role="alert" tabindex="-1" id=CONFLICT>
                <Icon name="alert" />
                <div>
                    <p>
                        <strong>{format!("{who} changed this key while you were editing.")}</strong>
                        " What you typed is kept."
                    </p>
                    {list}
                    // Without a script, the link opens the dialog again.
                    <p><a href=url rel="external" on:click=take>"Use theirs"</a></p>
                </div>
            </div>
        })
    }
}

/// One sentence for each field in which the stored key differs from the typed values.
fn differences(typed: &KeyForm, theirs: &ApiKey, groups: &[AuthorizationGroup]) -> Vec<String> {
    let now = KeyForm::of(theirs);
    let mut sentences = Vec::new();
    if typed.name.trim() != now.name {
        sentences.push(format!("Key Name is now “{}”.", now.name));
    }
    if typed.description.trim() != now.description {
        sentences.push(if now.description.is_empty() {
            "Description is now empty.".to_owned()
        } else {
            format!("Description is now “{}”.", now.description)
        });
    }
    if typed.authorization_group_id != now.authorization_group_id {
        let name = groups
            .iter()
            .find(|group| group.id == theirs.authorization_group.id)
            .map_or(theirs.authorization_group.name.as_str(), |group| {
                group.name.as_str()
            });
        sentences.push(format!("Authorization Group is now “{name}”."));
    }
    if typed.ip_allowlist.trim() != now.ip_allowlist.trim() {
        sentences.push(if now.ip_allowlist.is_empty() {
            "IP Allowlist is now empty: any address.".to_owned()
        } else {
            format!(
                "IP Allowlist is now {}.",
                now.ip_allowlist.trim().replace('\n', ", ")
            )
        });
    }
    sentences
}
