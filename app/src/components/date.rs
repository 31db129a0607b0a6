//! Dates and times in a page, with their exact form in `datetime` and on hover.

use chrono::{DateTime, Utc};
use domain::key::expiry::ExpirationDate;
use leptos::prelude::*;

use crate::words;

/// An expiration date, or "Never".
#[component]
pub fn Expires(
    /// The key's date.
    on: Option<ExpirationDate>,
) -> impl IntoView {
    match on {
        Some(date) => {
            view! { <time datetime=date.to_string()>{words::date(date.date())}</time> }.into_any()
        }
        None => view! { <span class="muted">"Never"</span> }.into_any(),
    }
}

/// The day of an instant.
#[component]
pub fn Day(
    /// The instant.
    at: DateTime<Utc>,
) -> impl IntoView {
    view! { <time datetime=words::machine(at) title=words::exact(at)>{words::date(at.date_naive())}</time> }
}

/// How long ago an instant was, or "Never".
#[component]
pub fn Ago(
    /// The instant.
    at: Option<DateTime<Utc>>,
    /// The server's time when the page was made: both sides of hydration count from it.
    now: DateTime<Utc>,
) -> impl IntoView {
    match at {
        Some(at) => view! {
            <time datetime=words::machine(at) title=words::exact(at)>{words::relative(at, now)}</time>
        }
        .into_any(),
        None => view! { <span class="muted">"Never"</span> }.into_any(),
    }
}
