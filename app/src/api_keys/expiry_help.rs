//! The help below a date field: the date in words, and presets.

use chrono::{Days, NaiveDate};
use domain::key::expiry::ExpirationDate;
use leptos::prelude::*;

use crate::{browser, words};

/// The presets, in days from today.
const PRESETS: [u64; 3] = [30, 90, 365];

/// The help of a date field. The words have the id of the field with the suffix `-words`.
#[component]
pub fn ExpiryHelp(
    /// The id of the field.
    field: &'static str,
    /// The server's date.
    today: NaiveDate,
    /// The current text of the field.
    #[prop(into)]
    value: Signal<String>,
    /// Reads the field after a preset has set it.
    read: Callback<()>,
) -> impl IntoView {
    let dates = PRESETS
        .into_iter()
        .filter_map(|days| Some((days, today.checked_add_days(Days::new(days))?)));
    let as_text: Vec<_> = dates
        .clone()
        .map(|(days, date)| format!("In {days} days: {}.", words::date(date)))
        .collect();
    let buttons = dates
        .map(|(days, date)| (format!("{days} days"), date.to_string()))
        .chain([("Never".to_owned(), String::new())])
        .map(|(label, text)| {
            let own = text.clone();
            let is_chosen = move || value.with(|value| (*value == own).to_string());
            let choose = move |_| {
                browser::set_value(field, &text);
                read.run(());
            };
            view! {
                <button class="button button-s" type="button" aria-pressed=is_chosen on:click=choose>
                    {label}
                </button>
            }
        })
        .collect_view();
    view! {
        <div class="needs-script">
            <div class="presets" role="group" aria-label="Presets of the expiration date">{buttons}</div>
        </div>
        <p class="hint without-script">{as_text.join(" ")}</p>
        <p class="date-words" id=format!("{field}-words") role="status">
            {move || value.with(|value| in_words(value, today))}
        </p>
    }
    .into_any()
}

/// `Expires 3 Jan 2028`, `Expired 3 Jan 2026`, `Never expires`.
#[must_use]
pub fn expiry_in_words(expires_on: Option<ExpirationDate>, today: NaiveDate) -> String {
    match expires_on.map(ExpirationDate::date) {
        None => "Never expires".to_owned(),
        Some(date) if date < today => format!("Expired {}", words::date(date)),
        Some(date) => format!("Expires {}", words::date(date)),
    }
}

/// `Works until 3 Jan 2028, 23:59 UTC (in 400 days).`; `None` for a text that is no date from today on.
fn in_words(text: &str, today: NaiveDate) -> Option<String> {
    if text.trim().is_empty() {
        return Some("Never expires.".to_owned());
    }
    let date = text.trim().parse::<ExpirationDate>().ok()?.date();
    let left = match date.signed_duration_since(today).num_days() {
        ..0 => return None,
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        days => format!("in {} days", words::grouped(days.unsigned_abs())),
    };
    Some(format!(
        "Works until {}, 23:59 UTC ({left}).",
        words::date(date)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_in_words_with_the_days_that_are_left() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 29).unwrap();
        for (text, words) in [
            ("", Some("Never expires.")),
            (
                "2028-01-03",
                Some("Works until 3 Jan 2028, 23:59 UTC (in 400 days)."),
            ),
            (
                "2026-11-30",
                Some("Works until 30 Nov 2026, 23:59 UTC (tomorrow)."),
            ),
            (
                "2026-11-29",
                Some("Works until 29 Nov 2026, 23:59 UTC (today)."),
            ),
            (
                "9999-12-31",
                Some("Works until 31 Dec 9999, 23:59 UTC (in 2,912,110 days)."),
            ),
            ("2026-11-28", None),
            ("incomplete", None),
        ] {
            assert_eq!(in_words(text, today).as_deref(), words, "{text}");
        }
    }
}
