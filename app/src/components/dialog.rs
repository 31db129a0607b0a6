//! A dialog over the page.

use leptos::prelude::*;
use leptos::web_sys::{Event, KeyboardEvent};

use crate::browser;

/// A dialog. As the server sends it, it is open and not modal: a page for who has no script. In the browser it becomes modal, and
/// what is marked `data-focus` in it gets the focus.
#[component]
pub fn Dialog(
    /// Its identifier.
    id: &'static str,
    /// The identifier of its title.
    labelled_by: &'static str,
    /// The identifier of what it says.
    #[prop(optional)]
    described_by: Option<&'static str>,
    /// `alertdialog` where it asks about something that cannot be undone.
    #[prop(optional)]
    role: Option<&'static str>,
    /// 576 px instead of 480.
    #[prop(optional)]
    wide: bool,
    /// Escape was pressed. The dialog stays until its owner takes it away.
    on_cancel: Callback<()>,
    /// What it shows.
    children: Children,
) -> impl IntoView {
    Effect::new(move |_| browser::show_modal(id));
    view! {
        <dialog
            class=if wide { "dialog dialog-wide" } else { "dialog" }
            id=id
            open
            role=role
            aria-labelledby=labelled_by
            aria-describedby=described_by
            on:keydown=move |event: KeyboardEvent| {
                // A second Escape would close it without asking; one whose key press is taken does not.
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
