//! A dialog over a page.

use leptos::prelude::*;
use leptos::web_sys::{Event, KeyboardEvent};

use crate::browser;

/// Whether a dialog was shown before another one replaced it, since the page was loaded without one.
#[derive(Clone, Copy, Default)]
pub struct DialogIsShown(StoredValue<bool>);

impl DialogIsShown {
    /// Records that a dialog is shown, and returns whether one was shown before.
    fn replace(self) -> bool {
        let is_shown = self.0.get_value();
        self.0.set_value(true);
        is_shown
    }

    /// Records that no dialog is shown.
    pub fn reset(self) {
        self.0.set_value(false);
    }
}

/// A dialog. The server sends it open and not modal, so that it works without a script. The browser makes it modal and focuses the
/// element marked `data-focus`.
#[component]
pub fn Dialog(
    /// The id.
    id: &'static str,
    /// The id of the title.
    labelled_by: &'static str,
    /// The id of the description.
    #[prop(optional)]
    described_by: Option<&'static str>,
    /// `alertdialog` if it confirms an action that cannot be undone.
    #[prop(optional)]
    role: Option<&'static str>,
    /// 576 px wide instead of 480.
    #[prop(optional)]
    wide: bool,
    /// Called on Escape. The dialog stays open until its owner removes it.
    on_cancel: Callback<()>,
    /// The content.
    children: Children,
) -> impl IntoView {
    Effect::new(move |_| browser::show_modal(id));
    // A dialog that replaces another one does not enter again.
    let is_still = use_context::<DialogIsShown>().is_some_and(DialogIsShown::replace);
    view! {
        <dialog
            class=if wide { "dialog dialog-wide" } else { "dialog" }
            data-still=is_still.then_some("")
            id=id
            open
            role=role
            aria-labelledby=labelled_by
            aria-describedby=described_by
            on:keydown=move |event: KeyboardEvent| {
                // A second Escape closes a dialog without a `cancel` event, unless the key press is prevented.
                if event.key() == "Escape" && !event.default_prevented() {
                    event.prevent_default();
                    on_cancel.run(());
                }
            }
            on:cancel=move |event: Event| {
                event.prevent_default();
                on_cancel.run(());
            }
            on:close=move |_| {
                browser::show_modal(id);
                on_cancel.run(());
            }
        >
            {children()}
        </dialog>
    }
    .into_any()
}
