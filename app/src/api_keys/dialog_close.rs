//! Closing a dialog: links to the page that opened it, which also work without a script.

use leptos::{prelude::*, web_sys::MouseEvent};

use super::dialog_target::DialogTarget;
use crate::{
    components::{Icon, field::flag},
    urls,
};

/// The controls that close a dialog.
#[derive(Clone, Copy)]
pub struct DialogClose {
    /// The URL of the page that opened the dialog: the list under it, or the page of the key.
    pub url: Signal<String>,
    /// The URL of the list under the dialog, with the parameters of its dialogs.
    pub list: Signal<String>,
    /// Navigates to the page that opened the dialog.
    pub run: Callback<()>,
    /// Whether closing is disabled.
    pub is_disabled: RwSignal<bool>,
    /// Whether the list has to be reloaded when the dialog closes.
    pub is_stale: RwSignal<bool>,
}

impl DialogClose {
    /// Disables closing while a response is awaited: after closing, the outcome could not be shown (`browser::hold`).
    #[must_use]
    pub fn disabled_while(self, is_busy: RwSignal<bool>) -> Self {
        Self {
            is_disabled: is_busy,
            ..self
        }
    }

    /// The URL of another dialog over the same list.
    pub fn other(self, dialog: &DialogTarget) -> Signal<String> {
        let path = dialog.path();
        Signal::derive(move || self.list.get().replacen(urls::API_KEYS, &path, 1))
    }

    fn on_click(self) -> impl Fn(MouseEvent) + 'static {
        move |event: MouseEvent| {
            event.prevent_default();
            self.run.run(());
        }
    }
}

/// The link Cancel (or another label) at the foot of a dialog.
#[component]
pub fn CancelLink(
    /// Closes the dialog.
    close: DialogClose,
    /// Whether it has the initial focus.
    #[prop(optional)]
    has_focus: bool,
    /// The label.
    #[prop(default = "Cancel")]
    label: &'static str,
) -> impl IntoView {
    view! {
        <a
            class="button"
            href=close.url
            data-focus=has_focus.then_some("")
            aria-disabled=flag(close.is_disabled)
            on:click=close.on_click()
        >
            {label}
        </a>
    }
}

/// The × at the top of a dialog.
#[component]
pub fn CloseLink(
    /// Closes the dialog.
    close: DialogClose,
) -> impl IntoView {
    view! {
        <a
            class="icon-button"
            href=close.url
            aria-label="Close"
            aria-disabled=flag(close.is_disabled)
            on:click=close.on_click()
        >
            <Icon name="x" />
        </a>
    }
}
