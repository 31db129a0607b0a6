//! Dates and times, with the exact time in `datetime` and on hover.

use chrono::{DateTime, Utc};
use domain::key::expiry::ExpirationDate;
use leptos::prelude::*;

use crate::words;

/// An expiration date, or "Never".
#[component]
pub fn Expires(
    /// The date.
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

/// The time since an instant, or "Never".
#[component]
pub fn Ago(
    /// The instant.
    at: Option<DateTime<Utc>>,
    /// The server's time when it rendered the page, so that server and browser render the same text.
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
