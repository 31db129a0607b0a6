//! The date field of a dialog, and what date fields have in common.

use chrono::{Days, NaiveDate};
use leptos::prelude::*;

use super::form_state::EXPIRES;
use crate::{
    browser,
    components::field::{described_by, invalid},
};

/// The date field of a dialog, judged like those of the form.
#[component]
pub fn DateInput(
    /// Its identifier.
    id: &'static str,
    /// What it holds at first.
    initial: Option<String>,
    /// The server's day.
    today: NaiveDate,
    /// What it holds.
    value: RwSignal<String>,
    /// Whether it was left once.
    is_judged: RwSignal<bool>,
    /// What is wrong with it.
    errors: Signal<Vec<String>>,
    /// The identifier of its hint.
    hint: &'static str,
) -> impl IntoView {
    let read = move || value.set(browser::date_value(id));
    view! {
        <input
            class="input input-date"
            type="date"
            id=id
            name=EXPIRES.name
            value=initial
            min=tomorrow(today)
            aria-invalid=invalid(errors)
            aria-describedby=described_by(id, errors, hint)
            on:input=move |_| read()
            on:blur=move |_| {
                browser::after_press(move || {
                    // The dialog may be gone by now.
                    if is_judged.try_set(true).is_none() {
                        read();
                    }
                });
            }
        />
    }
}

/// The first day that a picker offers.
pub(super) fn tomorrow(today: NaiveDate) -> String {
    today
        .checked_add_days(Days::new(1))
        .unwrap_or(today)
        .to_string()
}
