//! The sparkline of a row: accepted requests of the last days, scaled to its own maximum.

use std::fmt::Write as _;

use domain::key::usage::KeySparkline;
use leptos::prelude::*;

use crate::words;

/// The height of the drawing.
const HEIGHT: f64 = 16.0;

/// The bars of the days as the `d` of a path, in a box of 60 × 16. The bar of a day with a request is at least 1 high.
fn bars(accepted: &[u64]) -> String {
    let most = accepted.iter().copied().max().unwrap_or_default().max(1);
    let mut path = String::new();
    for (day, &count) in accepted.iter().enumerate().filter(|(_, count)| **count > 0) {
        // The conversion is exact for numbers of requests that a chart of 16 pixels can show.
        #[expect(clippy::cast_precision_loss, reason = "16 pixels need no precision")]
        let height = (HEIGHT * count as f64 / most as f64).max(1.0);
        let _ = write!(path, "M{} 16v-{height:.1}h1.4V16z", 2 * day);
    }
    path
}

/// The sparkline with the sum beside it; `None` for a key without a request.
pub(super) fn sparkline(of: Option<&KeySparkline>) -> Option<impl IntoView + use<>> {
    let accepted = &of?.accepted;
    let sum: u64 = accepted.iter().sum();
    (sum > 0).then(|| {
        let days = accepted.len();
        let label = format!(
            "{} in {days} days",
            words::count(sum, "accepted request", "accepted requests")
        );
        view! {
            <span class="spark">
                <svg viewBox="0 0 60 16" preserveAspectRatio="none" role="img" aria-label=label>
                    <path d=bars(accepted)></path>
                </svg>
                {words::grouped(sum)}
            </span>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::bars;

    #[test]
    fn the_highest_day_fills_the_height_and_a_single_request_is_visible() {
        assert_eq!(bars(&[0, 1000, 1]), "M2 16v-16.0h1.4V16zM4 16v-1.0h1.4V16z");
        assert_eq!(bars(&[0, 0]), "");
    }
}
