//! Error messages of a form field, and the attributes that refer to them.

use leptos::prelude::*;

use super::Icon;
use crate::words;

/// The maximum number of messages at a field.
const MAX_MESSAGES: usize = 10;

/// The error messages of a field: ten, then the number of the others. The id is that of the field with the suffix `-error`.
#[component]
pub fn FieldErrors(
    /// The id of the field.
    field: &'static str,
    /// The messages.
    #[prop(into)]
    errors: Signal<Vec<String>>,
) -> impl IntoView {
    let lines = move || {
        let mut shown = errors.with(|errors| {
            errors
                .iter()
                .take(MAX_MESSAGES)
                .cloned()
                .collect::<Vec<_>>()
        });
        let more = errors.with(Vec::len).saturating_sub(MAX_MESSAGES);
        if more > 0 {
            shown.push(format!("{} more", words::grouped(more as u64)));
        }
        shown
            .into_iter()
            .map(|message| view! { <p class="field-error"><Icon name="alert" /><span>{message}</span></p> })
            .collect_view()
    };
    let is_empty = move || errors.with(Vec::is_empty);
    view! { <div id=format!("{field}-error") hidden=is_empty>{lines}</div> }
}

/// A boolean attribute such as `aria-busy`: `true` or absent.
pub fn flag(is_set: RwSignal<bool>) -> impl Fn() -> Option<&'static str> + Clone + Send + Sync {
    move || is_set.get().then_some("true")
}

/// `aria-invalid`, set if there are errors.
pub fn invalid(
    errors: Signal<Vec<String>>,
) -> impl Fn() -> Option<&'static str> + Clone + Send + Sync {
    move || errors.with(|errors| (!errors.is_empty()).then_some("true"))
}

/// `aria-describedby`: the errors, if any, then `others`.
pub fn described_by(
    field: &'static str,
    errors: Signal<Vec<String>>,
    others: &'static str,
) -> impl Fn() -> String + Clone + Send + Sync {
    move || {
        if errors.with(Vec::is_empty) {
            others.to_owned()
        } else {
            format!("{field}-error {others}")
        }
    }
}
