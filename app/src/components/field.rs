//! Errors under a field, and what ties them to it.

use leptos::prelude::*;

use super::Icon;

/// The messages of one field. Their element's identifier is the field's with `-error`; without messages it takes no room.
#[component]
pub fn FieldErrors(
    /// The field's identifier.
    field: &'static str,
    /// The messages.
    #[prop(into)]
    errors: Signal<Vec<String>>,
) -> impl IntoView {
    let lines = move || {
        errors
            .get()
            .into_iter()
            .map(|message| view! { <p class="field-error"><Icon name="alert" /><span>{message}</span></p> })
            .collect_view()
    };
    let is_empty = move || errors.with(Vec::is_empty);
    view! { <div id=format!("{field}-error") hidden=is_empty>{lines}</div> }
}

/// An attribute such as `aria-busy`, which is `true` or not there.
pub fn flag(is_set: RwSignal<bool>) -> impl Fn() -> Option<&'static str> + Clone + Send + Sync {
    move || is_set.get().then_some("true")
}

/// `aria-invalid` of a field with these messages.
pub fn invalid(
    errors: Signal<Vec<String>>,
) -> impl Fn() -> Option<&'static str> + Clone + Send + Sync {
    move || errors.with(|errors| (!errors.is_empty()).then_some("true"))
}

/// `aria-describedby` of a field: its errors first, then `others`.
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
