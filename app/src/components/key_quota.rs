//! The key quota: used and permitted number of a tenant's keys.

use domain::tenant::KeyQuota;
use leptos::prelude::*;

use crate::words;

/// `2/10 keys` with a meter: amber from 90 %, red when full.
#[component]
pub fn KeyQuotaMeter(
    /// The quota.
    usage: KeyQuota,
) -> impl IntoView {
    let level = if usage.is_full() {
        "full"
    } else if u64::from(usage.used) * 10 >= u64::from(usage.limit) * 9 {
        "high"
    } else {
        "normal"
    };
    // The Content-Security-Policy forbids a `style` attribute: the SVG sets the width.
    let limit = usage.limit.max(1);
    let used = if usage.is_full() { limit } else { usage.used };
    let text = format!(
        "{}/{} {}",
        words::grouped(u64::from(usage.used)),
        words::grouped(u64::from(usage.limit)),
        if usage.limit == 1 { "key" } else { "keys" }
    );
    view! {
        <span class="usage" data-level=level>
            <svg viewBox=format!("0 0 {limit} 1") preserveAspectRatio="none" aria-hidden="true">
                <rect width=used.to_string() height="1"></rect>
            </svg>
            {text}
        </span>
    }
}
