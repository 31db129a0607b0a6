//! The usage of the last days: a chart of stacked bars, its legend, and the same numbers as a table.

use chrono::NaiveDate;
use domain::key::usage::DayUsage;
use leptos::prelude::*;

use super::totals::{UsageTotals, most_frequent_reason, round_scale};
use crate::{components::Icon, words};

/// The width of one day in the drawing.
const DAY_WIDTH: u32 = 20;
/// The height of the drawing. The scale ends at [`SCALE_HEIGHT`], so that a mark extends beyond it.
const HEIGHT: f64 = 160.0;
/// The height of the largest number of the scale.
const SCALE_HEIGHT: f64 = 150.0;
/// The space between accepted and refused requests.
const GAP: f64 = 2.0;
/// The least height of refused requests: a single one is visible at any scale.
const LEAST_REFUSED: f64 = 3.0;
/// The number of days between two labels below the chart.
const LABEL_EVERY: usize = 7;

/// The card. `days` ends with today; `changed` are the distinct days on which the key was changed, oldest first; `is_older` is whether the
/// key is older than the first of `days`.
pub(super) fn usage_card(days: &[DayUsage], changed: &[NaiveDate], is_older: bool) -> AnyView {
    let totals = UsageTotals::of(days);
    let count = days.len();
    let body = if totals.is_empty() {
        let text = if is_older {
            format!("No requests in the last {count} days")
        } else {
            "No requests yet".to_owned()
        };
        view! { <p class="muted">{text}</p> }.into_any()
    } else {
        view! {
            {legend(&totals, changed, days)}
            {chart(days, &totals, changed)}
            {table(days)}
        }
        .into_any()
    };
    view! {
        <section class="card" aria-labelledby="usage-title">
            <div class="card-header">
                <h2 id="usage-title">{format!("Usage, last {count} days")}</h2>
                <p>"Days are UTC"</p>
            </div>
            {body}
        </section>
    }
    .into_any()
}

/// `20 Nov`.
fn short(day: NaiveDate) -> String {
    day.format("%-d %b").to_string()
}

/// `20 Nov`, or `today`.
fn short_or_today(day: NaiveDate, days: &[DayUsage]) -> String {
    match days.last() {
        Some(today) if today.date == day => "today".to_owned(),
        _ => short(day),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn enumerated(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [word] => word.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn legend(totals: &UsageTotals, changed: &[NaiveDate], days: &[DayUsage]) -> impl IntoView + use<> {
    let worst = totals.worst.map(|(day, count)| {
        let day = short_or_today(day, days);
        let on = if day == "today" {
            day
        } else {
            format!("on {day}")
        };
        if count == totals.refused {
            format!(", all of them {on}")
        } else {
            format!("; {} of them {on}", words::grouped(count))
        }
    });
    // Refused requests are distinguished from accepted ones by their position: the legend draws them on top too.
    let refused = (totals.refused > 0).then(|| {
        view! {
            <li>
                <svg viewBox="0 0 12 12" aria-hidden="true"><rect class="refused" y="0" width="12" height="5" rx="1"></rect></svg>
                <span><b>{words::grouped(totals.refused)}</b>" refused, drawn on top"{worst}</span>
            </li>
        }
    });
    let none_refused = (totals.refused == 0).then(|| view! { <li><b>"0"</b>" refused"</li> });
    let dates: Vec<_> = changed
        .iter()
        .map(|day| short_or_today(*day, days))
        .collect();
    let changes = (!dates.is_empty()).then(|| {
        // More than three dates would be longer than the width of the chart.
        let text = if dates.len() > 3 {
            format!("Key changed on {} days", dates.len())
        } else {
            format!("Key changed, {}", enumerated(&dates))
        };
        view! {
            <li>
                <svg viewBox="0 0 12 12" aria-hidden="true"><path class="mark" d="M6 0v12"></path></svg>
                <span>{text}</span>
            </li>
        }
    });
    view! {
        <ul class="legend">
            <li>
                <svg viewBox="0 0 12 12" aria-hidden="true"><rect class="accepted" width="12" height="12" rx="2"></rect></svg>
                <span><b>{words::grouped(totals.accepted)}</b>" accepted"</span>
            </li>
            {refused}
            {none_refused}
            {changes}
        </ul>
    }
}

/// The text alternative of the chart.
fn description(totals: &UsageTotals) -> String {
    let accepted = if totals.fewest_accepted == totals.most_accepted {
        format!("{} accepted each day", words::grouped(totals.most_accepted))
    } else {
        format!(
            "between {} and {} accepted",
            words::grouped(totals.fewest_accepted),
            words::grouped(totals.most_accepted)
        )
    };
    let refused = totals.worst.map_or_else(
        || "none refused".to_owned(),
        |(day, count)| {
            let day = day.format("%-d %B");
            format!("at most {} refused, on {day}", words::grouped(count))
        },
    );
    format!("Requests a day: {accepted}; {refused}. The same numbers are in the table below.")
}

/// A length of the drawing as an attribute, with one decimal.
fn length(length: f64) -> String {
    let rounded = (length * 10.0).round() / 10.0;
    rounded.to_string()
}

/// The height of `count` on a scale that ends at `end`.
#[allow(clippy::cast_precision_loss, reason = "a drawing of 160 px")]
fn height(count: u64, end: u64) -> f64 {
    SCALE_HEIGHT * count as f64 / end as f64
}

fn chart(days: &[DayUsage], totals: &UsageTotals, changed: &[NaiveDate]) -> impl IntoView + use<> {
    let end = round_scale(totals.busiest);
    let width = DAY_WIDTH * u32::try_from(days.len()).unwrap_or(0);
    let last = days.len().saturating_sub(1);
    let line = |class: &'static str, x: [u32; 2], y: [f64; 2]| {
        let ([x1, x2], [y1, y2]) = (x, y);
        view! { <line class=class x1=x1.to_string() x2=x2.to_string() y1=length(y1) y2=length(y2)></line> }
    };
    let across = |y: f64| line("grid", [0, width], [y, y]);
    let grid = (
        across(HEIGHT - SCALE_HEIGHT),
        across(HEIGHT - SCALE_HEIGHT / 2.0),
    );
    let left = |index: usize| DAY_WIDTH * u32::try_from(index).unwrap_or(0);
    let marks = (days.iter().enumerate())
        .filter(|(_, day)| changed.contains(&day.date))
        .map(|(index, _)| {
            let x = left(index) + DAY_WIDTH / 2;
            line("mark", [x, x], [0.0, HEIGHT])
        })
        .collect_view();
    let bars = (days.iter().enumerate())
        .map(|(index, day)| bar(day, left(index), end, index == last))
        .collect_view();
    let labels = (days.iter().enumerate().step_by(LABEL_EVERY))
        .filter(|(index, _)| index + LABEL_EVERY / 2 < last)
        .map(|(_, day)| view! { <span>{short(day.date)}</span> })
        .collect_view();
    view! {
        <div class="chart30">
            <svg
                viewBox=format!("0 0 {width} {HEIGHT}")
                preserveAspectRatio="none"
                role="img"
                aria-label=description(totals)
            >
                {grid}
                {marks}
                {bars}
            </svg>
            <div class="chart30-scale" aria-hidden="true">
                <span>{words::grouped(end)}</span>
                <span>{words::grouped(end / 2)}</span>
                <span>"0"</span>
            </div>
            <div class="chart30-days" aria-hidden="true">{labels}<span>"Today"</span></div>
        </div>
    }
}

/// One day: accepted requests from the base line, refused ones above them.
fn bar(day: &DayUsage, left: u32, end: u64, is_today: bool) -> impl IntoView + use<> {
    let refused = day.refused_total();
    let title = format!(
        "{}: {} accepted, {} refused{}",
        short(day.date),
        words::grouped(day.accepted),
        words::grouped(refused),
        if is_today { " so far" } else { "" }
    );
    let part = |class: &'static str, y: f64, height: f64| {
        let x = left + 4;
        view! { <rect class=class x=x.to_string() y=length(y) width="12" height=length(height)></rect> }
    };
    let top = HEIGHT - height(day.accepted, end);
    let accepted = (day.accepted > 0).then(|| part("accepted", top, HEIGHT - top));
    let refused = (refused > 0).then(|| {
        let tall = height(refused, end).max(LEAST_REFUSED);
        let base = if day.accepted > 0 { top - GAP } else { HEIGHT };
        part("refused", base - tall, tall)
    });
    view! {
        <g class="day">
            <title>{title}</title>
            <rect class="hit" x=left.to_string() width=DAY_WIDTH.to_string() height="160"></rect>
            {accepted}
            {refused}
        </g>
    }
}

/// Every day, newest first.
fn table(days: &[DayUsage]) -> impl IntoView + use<> {
    let last = days.last().map(|day| day.date);
    let rows = (days.iter().rev())
        .map(|day| {
            let so_far = (last == Some(day.date)).then_some(" (so far)");
            let reason = most_frequent_reason(day).map(|code| view! { <code>{code.to_owned()}</code> });
            view! {
                <tr>
                    <td><time datetime=day.date.to_string()>{words::date(day.date)}</time>{so_far}</td>
                    <td class="number">{words::grouped(day.accepted)}</td>
                    <td class="number">{words::grouped(day.refused_total())}</td>
                    <td>{reason}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="chart-foot">
            <details class="disclosure">
                <summary><Icon name="chevron" />"Show the numbers as a table"</summary>
                <div class="scroll" role="region" aria-label="Requests a day" tabindex="0">
                    <table class="table table-plain">
                        <thead>
                            <tr>
                                <th scope="col">"Day"</th>
                                <th scope="col" class="number">"Accepted"</th>
                                <th scope="col" class="number">"Refused"</th>
                                <th scope="col">"Most frequent reason"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </details>
        </div>
    }
}
