//! The help below a date field: the date in words, and presets.

use chrono::{Days, NaiveDate};
use domain::key::{expiry::ExpirationDate, lifetime::LifetimeRule};
use leptos::prelude::*;

use crate::{browser, words};

/// The presets without a longest lifetime, in days from today.
const PRESETS: [u64; 3] = [30, 90, 365];

/// The presets that the rule permits: the usual ones, and the longest lifetime.
fn presets(rule: LifetimeRule) -> Vec<u64> {
    let Some(max) = rule.max_days else {
        return PRESETS.to_vec();
    };
    let max = u64::from(max.get());
    let shorter = PRESETS.into_iter().filter(|days| *days < max);
    shorter.chain([max]).collect()
}

/// The hint of a date field. `start` is its beginning, such as `The key works`.
#[must_use]
pub fn expiry_hint(start: &str, rule: LifetimeRule, today: NaiveDate) -> String {
    let until = format!("{start} until the end of that day, UTC.");
    match (rule.max_days, rule.latest(today)) {
        (Some(max), Some(latest)) => {
            let latest = words::date(latest.date());
            format!("{until} The security policy allows at most {max}: until {latest}.")
        }
        _ if rule.requires_date() => format!("{until} The security policy requires a date."),
        _ => format!("{until} Leave empty for a key that never expires."),
    }
}

/// The help of a date field. The words have the id of the field with the suffix `-words`.
#[component]
pub fn ExpiryHelp(
    /// The id of the field.
    field: &'static str,
    /// The server's date.
    today: NaiveDate,
    /// The tenant's rule.
    rule: LifetimeRule,
    /// The current text of the field.
    #[prop(into)]
    value: Signal<String>,
    /// Reads the field after a preset has set it.
    read: Callback<()>,
) -> impl IntoView {
    let dates = presets(rule)
        .into_iter()
        .filter_map(|days| Some((days, today.checked_add_days(Days::new(days))?)));
    let as_text: Vec<_> = dates
        .clone()
        .map(|(days, date)| format!("In {days} days: {}.", words::date(date)))
        .collect();
    let buttons = dates
        .map(|(days, date)| (format!("{days} days"), date.to_string()))
        .chain((!rule.requires_date()).then(|| ("Never".to_owned(), String::new())))
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
            {move || value.with(|value| in_words(value, rule, today))}
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
fn in_words(text: &str, rule: LifetimeRule, today: NaiveDate) -> Option<String> {
    if text.trim().is_empty() {
        if rule.requires_date() {
            return None;
        }
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
            let rule = LifetimeRule::default();
            assert_eq!(in_words(text, rule, today).as_deref(), words, "{text}");
        }
    }

    #[test]
    fn presets_and_hint_follow_the_policy() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 29).unwrap();
        let rule = |days: u32| LifetimeRule {
            expiration_required: false,
            max_days: Some(days.try_into().unwrap()),
        };
        assert_eq!(presets(LifetimeRule::default()), [30, 90, 365]);
        assert_eq!(presets(rule(180)), [30, 90, 180]);
        assert_eq!(presets(rule(90)), [30, 90]);
        assert_eq!(presets(rule(7)), [7]);
        assert_eq!(
            expiry_hint("The key works", rule(180), today),
            "The key works until the end of that day, UTC. The security policy allows at most 180 days: until 28 May 2027."
        );
        assert_eq!(in_words("", rule(180), today), None);
    }
}
