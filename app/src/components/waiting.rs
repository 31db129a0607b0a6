//! Shows that a response is awaited, once the wait has lasted [`SHOWN_AFTER`]. `style/waiting.css` has the same delay (`--wait`) and the look.

use std::time::Duration;

use leptos::prelude::*;

use super::field::flag;

/// The wait after which it is shown and announced, so that a fast response shows nothing.
pub const SHOWN_AFTER: Duration = Duration::from_millis(150);

/// Whether `is_busy` has been true for at least [`SHOWN_AFTER`] without interruption.
pub fn is_slow(is_busy: impl Into<Signal<bool>>) -> ReadSignal<bool> {
    let is_busy = is_busy.into();
    let is_slow = RwSignal::new(false);
    // The number of the wait: the timer of an earlier wait has no effect on a later one.
    let wait = StoredValue::new(0_u32);
    Effect::new(move |_| {
        let number = wait.get_value().wrapping_add(1);
        wait.set_value(number);
        if !is_busy.get() {
            is_slow.set(false);
            return;
        }
        let show = move || {
            if wait.try_get_value() == Some(number) {
                is_slow.try_set(true);
            }
        };
        set_timeout(show, SHOWN_AFTER);
    });
    is_slow.read_only()
}

/// Loads data and sets `is_loading` meanwhile. The server renders a page when its data is loaded, so there the flag stays unset.
pub async fn loading<T>(is_loading: RwSignal<bool>, load: impl Future<Output = T>) -> T {
    let set = |value| {
        if cfg!(feature = "hydrate") {
            is_loading.try_set(value);
        }
    };
    set(true);
    let loaded = load.await;
    set(false);
    loaded
}

/// The button that sends a form. While the response is awaited it shows `waiting` beside a spinner, and screen readers announce it.
#[component]
pub fn SubmitButton(
    /// Its classes.
    class: &'static str,
    /// Its label.
    #[prop(into)]
    label: Signal<String>,
    /// The label while the response is awaited, e.g. `Saving…`.
    waiting: &'static str,
    /// Whether the response is awaited.
    is_busy: RwSignal<bool>,
) -> impl IntoView {
    let is_slow = is_slow(is_busy);
    let announced = move || is_slow.get().then_some(waiting);
    view! {
        <button class=class aria-busy=flag(is_busy) data-wait=waiting><span>{label}</span></button>
        <span class="visually-hidden" role="status">{announced}</span>
    }
    .into_any()
}

/// A placeholder for a line of text of this width in pixels.
pub fn skeleton(width: &'static str) -> impl IntoView {
    view! { <svg class="skeleton" width=width height="12" aria-hidden="true"></svg> }
}

/// Placeholders for the fields of a form, and an announcement.
#[component]
pub fn PendingFields() -> impl IntoView {
    let fields = ["96", "120", "72"].map(|label| {
        view! { <div class="pending-field">{skeleton(label)}{skeleton("420")}</div> }
    });
    view! {
        <div class="pending" aria-busy="true">{fields.collect_view()}</div>
        <p class="visually-hidden" role="status">"Loading…"</p>
    }
    .into_any()
}
