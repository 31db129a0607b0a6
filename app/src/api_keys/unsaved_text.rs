//! The question that is asked before typed text is lost: by links, Back and, in the browser's own words, reload and closing the tab.

use leptos::prelude::*;

use crate::browser;

/// The state of the question.
#[derive(Clone, Copy)]
pub struct UnsavedText {
    /// Whether the question is shown.
    pub is_asking: RwSignal<bool>,
    /// Whether a link or Back was blocked, which Discard repeats.
    is_blocked: StoredValue<bool>,
}

impl UnsavedText {
    /// Asks before the page is left while `is_unsaved`.
    #[must_use]
    pub fn new(is_unsaved: Signal<bool>) -> Self {
        let is_asking = RwSignal::new(false);
        let is_blocked = StoredValue::new(false);
        Effect::new(move |_| browser::hold("text", is_unsaved.get()));
        on_cleanup(release);
        Effect::new(move |_| {
            let handle = window_event_listener_untyped("leaveblocked", move |_| {
                is_blocked.set_value(true);
                is_asking.set(true);
            });
            on_cleanup(move || handle.remove());
        });
        Self {
            is_asking,
            is_blocked,
        }
    }

    /// Asks before the form closes itself.
    pub fn ask(self) {
        self.is_blocked.set_value(false);
        self.is_asking.set(true);
    }

    /// Lets the text go: follows the link or Back that was blocked, or runs `close`.
    fn discard(self, close: Option<Callback<()>>) {
        release();
        if self.is_blocked.get_value() {
            browser::leave();
        } else if let Some(close) = close {
            close.run(());
        }
    }
}

/// Allows leaving the page: the text is saved or discarded.
pub fn release() {
    browser::hold("text", false);
}

/// The question, in place of the form's buttons.
#[component]
pub fn AskBeforeDiscard(
    /// The state.
    unsaved: UnsavedText,
    /// The class of the form's buttons.
    class: &'static str,
    /// The id of the control that gets the focus if the user keeps editing.
    focus: &'static str,
    /// Closes the form.
    #[prop(optional)]
    close: Option<Callback<()>>,
) -> impl IntoView {
    Effect::new(|_| {
        browser::focus("keep-editing");
    });
    let keep = move |_| {
        unsaved.is_asking.set(false);
        browser::focus(focus);
    };
    view! {
        <div class=class role="alertdialog" aria-labelledby="discard-question">
            <p id="discard-question"><strong>"Discard changes?"</strong></p>
            <button class="button" id="keep-editing" type="button" on:click=keep>"Keep editing"</button>
            <button class="button button-danger-quiet" type="button" on:click=move |_| unsaved.discard(close)>
                "Discard"
            </button>
        </div>
    }
    .into_any()
}
