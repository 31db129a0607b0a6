//! The date field of a dialog, and what date fields have in common.

use chrono::{Days, NaiveDate};
use leptos::prelude::*;

use super::form_state::EXPIRES;
use crate::{
    browser,
    components::field::{described_by, invalid},
};

/// Stands for what a date field holds where that is not a date: its value reads as empty then, which would mean never.
pub const INCOMPLETE_DATE: &str = "incomplete";

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
    let read = move || {
        let text = browser::value(id);
        value.set(if browser::is_incomplete(id) {
            INCOMPLETE_DATE.to_owned()
        } else {
            text
        });
    };
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
