//! The field for the reason of a revocation, with a counter.

use domain::key::reason::RevocationReason;
use leptos::{prelude::*, web_sys::SubmitEvent};

use super::submission::Submission;
use crate::{
    browser,
    components::{
        FieldErrors,
        field::{described_by, invalid},
    },
    error::AppError,
};

/// The id of the field, and its name in forms and errors.
pub const REASON: &str = "reason";

/// The state of the field.
#[derive(Clone, Copy)]
pub struct ReasonState {
    text: RwSignal<String>,
    failure: RwSignal<Option<AppError>>,
}

impl ReasonState {
    /// A field with this text. `failure` is the reason for which the form was rejected.
    #[must_use]
    pub fn new(text: String, failure: RwSignal<Option<AppError>>) -> Self {
        Self {
            text: RwSignal::new(text),
            failure,
        }
    }

    /// Reads the control. Returns the text, or `None` if it is no valid reason; the field then gets the focus and shows the error.
    #[must_use]
    fn read(self) -> Option<String> {
        let text = browser::value(REASON);
        self.text.set(text.clone());
        if RevocationReason::optional(&text).is_err() {
            browser::focus(REASON);
            return None;
        }
        Some(text)
    }

    /// The submit handler of a dialog that revokes keys: sends the revocation with a valid reason. `revoke` gets the reason.
    pub fn submit<F>(
        self,
        submission: Submission,
        revoke: impl Fn(String) -> F + Clone + 'static,
    ) -> impl Fn(SubmitEvent) + Clone + 'static
    where
        F: Future<Output = Result<(), AppError>> + 'static,
    {
        move |event: SubmitEvent| {
            event.prevent_default();
            if submission.is_busy.get_untracked() {
                return;
            }
            if let Some(reason) = self.read() {
                submission.send(revoke(reason));
            }
        }
    }
}

/// The field. A text over the limit is reported, not cut.
#[component]
pub fn ReasonField(
    /// The state.
    state: ReasonState,
) -> impl IntoView {
    let ReasonState { text, failure } = state;
    let errors = Signal::derive(move || {
        let local = text.with(|text| RevocationReason::optional(text).err());
        let of_server = || {
            failure.with(|failure| {
                let fields = failure.iter().flat_map(|failure| &failure.fields);
                fields
                    .filter(|field| field.field == REASON)
                    .map(|field| field.message.clone())
                    .next()
            })
        };
        local
            .map(|error| error.to_string())
            .or_else(of_server)
            .into_iter()
            .collect::<Vec<_>>()
    });
    let length = Memo::new(move |_| text.with(|text| text.trim().chars().count()));
    let is_full = Memo::new(move |_| length.get() >= RevocationReason::MAX_LENGTH);
    // Reads text that was typed before the script started.
    Effect::new(move |_| text.set(browser::value(REASON)));
    view! {
        <div class="field">
            <label class="label" for=REASON>
                "Reason "<span class="optional">"(optional)"</span>
            </label>
            <input
                class="input"
                id=REASON
                name=REASON
                value=text.get_untracked()
                dir="auto"
                autocomplete="off"
                aria-invalid=invalid(errors)
                aria-describedby=described_by(REASON, errors, "reason-hint reason-count")
                on:input=move |_| text.set(browser::value(REASON))
            />
            <div class="field-foot">
                <FieldErrors field=REASON errors />
                <p class="counter" id="reason-count" data-level=move || is_full.get().then_some("full")>
                    {move || format!("{}/{}", length.get(), RevocationReason::MAX_LENGTH)}
                </p>
            </div>
            <p class="hint" id="reason-hint">"Shown on the key’s page and in the audit log."</p>
        </div>
    }
    .into_any()
}
