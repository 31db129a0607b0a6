//! How a dialog is left: by links to the list, which work without a script; with one, the list is there already.

use leptos::{prelude::*, web_sys::MouseEvent};

use crate::components::{Icon, field::flag};

/// The way out of a dialog.
#[derive(Clone, Copy)]
pub struct DialogClose {
    /// The list under the dialog.
    pub url: Signal<String>,
    /// Leaves for it.
    pub run: Callback<()>,
    /// Whether it is closed for now.
    pub is_closed: RwSignal<bool>,
    /// Whether the list has to be read again when it is left.
    pub is_stale: RwSignal<bool>,
}

impl DialogClose {
    /// The same, shown as closed while an answer is awaited: what came of the change would never be told (`browser::hold`).
    #[must_use]
    pub fn unless(self, is_busy: RwSignal<bool>) -> Self {
        Self {
            is_closed: is_busy,
            ..self
        }
    }

    fn on_click(self) -> impl Fn(MouseEvent) + 'static {
        move |event: MouseEvent| {
            event.prevent_default();
            self.run.run(());
        }
    }
}

/// Cancel, or another word, at the foot of a dialog.
#[component]
pub fn CancelLink(
    /// The way out.
    close: DialogClose,
    /// Whether the focus starts here.
    #[prop(optional)]
    has_focus: bool,
    /// What it says.
    #[prop(default = "Cancel")]
    label: &'static str,
) -> impl IntoView {
    view! {
        <a
            class="button"
            href=close.url
            data-focus=has_focus.then_some("")
            aria-disabled=flag(close.is_closed)
            on:click=close.on_click()
        >
            {label}
        </a>
    }
}

/// The × in a dialog's corner.
#[component]
pub fn CloseLink(
    /// The way out.
    close: DialogClose,
) -> impl IntoView {
    view! {
        <a
            class="icon-button"
            href=close.url
            aria-label="Close"
            on:click=close.on_click()
        >
            <Icon name="x" />
        </a>
    }
}
