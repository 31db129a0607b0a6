//! The dialog that shows a new secret once. Only this component contains the secret: no URL, storage or history has it, and Close removes
//! it.

use std::{cell::Cell, rc::Rc, time::Duration};

use leptos::{ev, prelude::*, task::spawn_local};

use super::{
    responses::Issued,
    secret_facts::{COMMAND, SECRET, SecretFacts},
};
use crate::{
    browser,
    components::{Dialog, Icon, OfTenant},
    words,
};

/// The limit on copying to the clipboard. After it the text is selected, for the user to copy it.
const CLIPBOARD_TIMEOUT: Duration = Duration::from_secs(2);

/// The state of a text that can be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CopyState {
    /// Not copied.
    Ready,
    /// Copied to the clipboard.
    Copied,
    /// Selected, for the user to copy it: the browser refused or did not respond.
    Selected,
}

/// The new secret with copy buttons. Close asks first if nothing was copied.
#[component]
pub fn SecretModal(
    /// The key with its secret.
    issued: Issued,
    /// The title, which names the change.
    title: &'static str,
    /// Removes the secret and navigates to the list.
    on_close: Callback<()>,
) -> impl IntoView {
    let name = issued.key.name.to_string();
    let secret = issued.secret.expose().to_owned();
    let origin = issued.origin.unwrap_or_else(browser::origin);
    let command = words::curl_command(&origin, &secret);
    let of_secret = RwSignal::new(CopyState::Ready);
    let of_command = RwSignal::new(CopyState::Ready);
    let is_asking = RwSignal::new(false);
    let is_copied = Signal::derive(move || {
        of_secret.get() == CopyState::Copied || of_command.get() == CopyState::Copied
    });
    let close = Callback::new(move |()| {
        if is_copied.get_untracked() {
            on_close.run(());
        } else {
            is_asking.set(true);
        }
    });
    remove_secret_on_page_hide(on_close);
    // Back, reload and closing the tab also ask.
    Effect::new(move |_| browser::hold("secret", !is_copied.get()));
    on_cleanup(|| browser::hold("secret", false));
    let on_copy = {
        let secret = secret.clone();
        move |_| {
            // The text was copied by hand or by the older `copy` command. Secret and command both contain the whole secret.
            if browser::selection_contains(&secret) {
                of_secret.set(CopyState::Copied);
                is_asking.set(false);
            }
        }
    };
    let announcement = move || match (of_secret.get(), of_command.get()) {
        (CopyState::Selected, _) | (_, CopyState::Selected) => "Selected. Press Ctrl+C to copy.",
        (CopyState::Ready, CopyState::Ready) => "",
        _ => "Copied",
    };
    let shown = secret.clone();
    let beside_secret = view! { <CopySecret secret state=of_secret is_asking /> }.into_any();
    let beside_command = view! { <CopyCommand command state=of_command is_asking /> }.into_any();
    view! {
        <Dialog id="secret-dialog" labelled_by="secret-title secret-name" wide=true on_cancel=close>
            <div class="dialog-header">
                <div>
                    <h2 id="secret-title">{title}</h2>
                    <p class="muted" id="secret-name" dir="auto">{name}<OfTenant /></p>
                </div>
            </div>
            <div class="dialog-body" on:copy=on_copy>
                <SecretFacts secret=shown propagation=issued.receipt origin=Some(origin) beside_secret beside_command />
                <p class="visually-hidden" role="status">{announcement}</p>
            </div>
            {move || {
                if is_asking.get() {
                    view! { <AskBeforeClosing is_asking on_close /> }.into_any()
                } else {
                    let class = if is_copied.get() { "button button-primary" } else { "button" };
                    view! {
                        <div class="dialog-actions">
                            <button class=class type="button" on:click=move |_| close.run(())>"Close"</button>
                        </div>
                    }
                    .into_any()
                }
            }}
        </Dialog>
    }
    .into_any()
}

/// Copies `text` and stores the outcome.
fn copy(
    text: String,
    element: &'static str,
    state: RwSignal<CopyState>,
    is_asking: RwSignal<bool>,
) {
    let is_settled = Rc::new(Cell::new(false));
    // The browser may never respond.
    set_timeout(
        {
            let is_settled = is_settled.clone();
            move || {
                if !is_settled.get() {
                    browser::select(element);
                    state.try_set(CopyState::Selected);
                }
            }
        },
        CLIPBOARD_TIMEOUT,
    );
    spawn_local(async move {
        let copied = browser::copy(text, element).await;
        // The dialog may be closed by now.
        is_settled.set(true);
        is_asking.try_set(false);
        state.try_set(if copied {
            CopyState::Copied
        } else {
            CopyState::Selected
        });
    });
}

#[component]
fn CopySecret(
    secret: String,
    state: RwSignal<CopyState>,
    is_asking: RwSignal<bool>,
) -> impl IntoView {
    let class = move || match state.get() {
        CopyState::Copied => "button",
        _ => "button button-primary",
    };
    let label = move || match state.get() {
        CopyState::Ready => view! { <Icon name="copy" />"Copy" }.into_any(),
        CopyState::Copied => {
            view! { <span class="copied"><Icon name="check" /></span>"Copied" }.into_any()
        }
        CopyState::Selected => view! { "Press Ctrl+C" }.into_any(),
    };
    view! {
        <button
            class=class
            id="secret-copy"
            type="button"
            data-focus=""
            on:click=move |_| copy(secret.clone(), SECRET, state, is_asking)
        >
            {label}
        </button>
    }
}

#[component]
fn CopyCommand(
    command: String,
    state: RwSignal<CopyState>,
    is_asking: RwSignal<bool>,
) -> impl IntoView {
    let label = move || match state.get() {
        CopyState::Ready => "Copy",
        CopyState::Copied => "Copied",
        CopyState::Selected => "Press Ctrl+C",
    };
    let icon = move || match state.get() {
        CopyState::Copied => view! { <span class="copied"><Icon name="check" /></span> }.into_any(),
        _ => view! { <Icon name="copy" /> }.into_any(),
    };
    view! {
        <button
            class="icon-button"
            type="button"
            aria-label="Copy the curl command"
            data-tip=label
            on:click=move |_| copy(command.clone(), COMMAND, state, is_asking)
        >
            {icon}
        </button>
    }
}

/// The question replaces the buttons, so that the secret stays visible.
#[component]
fn AskBeforeClosing(is_asking: RwSignal<bool>, on_close: Callback<()>) -> impl IntoView {
    Effect::new(|_| {
        browser::focus("secret-back");
    });
    let back = move |_| {
        is_asking.set(false);
        browser::focus("secret-copy");
    };
    view! {
        <div class="dialog-actions" role="alertdialog" aria-labelledby="unsaved">
            <p id="unsaved">
                <strong>"Close without copying?"</strong>
                " You will not see this secret again."
            </p>
            <button class="button" id="secret-back" type="button" on:click=back>"Go back"</button>
            <button class="button button-danger" type="button" on:click=move |_| on_close.run(())>
                "Close anyway"
            </button>
        </div>
    }
}

/// Removes the secret when the page is left: the browser may restore the page from its cache.
fn remove_secret_on_page_hide(on_close: Callback<()>) {
    Effect::new(move |_| {
        let handle = window_event_listener(ev::pagehide, move |_| {
            browser::clear_text(SECRET);
            browser::clear_text(COMMAND);
            on_close.run(());
        });
        on_cleanup(move || handle.remove());
    });
}
