//! The date input of a dialog.

use chrono::{Days, NaiveDate};
use leptos::prelude::*;

use super::form_state::EXPIRES;
use crate::{
    browser,
    components::field::{described_by, invalid},
};

/// The date input of a dialog, validated like that of the form.
#[component]
pub fn DateInput(
    /// The id.
    id: &'static str,
    /// The initial value.
    initial: Option<String>,
    /// The server's date.
    today: NaiveDate,
    /// The last date that the date picker offers.
    #[prop(optional_no_strip)]
    latest: Option<String>,
    /// The current value.
    value: RwSignal<String>,
    /// Whether it was left once; errors are shown from then on.
    is_touched: RwSignal<bool>,
    /// The errors of the typed date.
    errors: Signal<Vec<String>>,
    /// The id of its hint.
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
            max=latest
            aria-invalid=invalid(errors)
            aria-describedby=described_by(id, errors, hint)
            on:input=move |_| read()
            on:blur=move |_| {
                browser::after_pointer_release(move || {
                    // The dialog may be closed by now.
                    if is_touched.try_set(true).is_none() {
                        read();
                    }
                });
            }
        />
    }
}

/// The first date that the date picker offers.
pub(super) fn tomorrow(today: NaiveDate) -> String {
    today
        .checked_add_days(Days::new(1))
        .unwrap_or(today)
        .to_string()
}
