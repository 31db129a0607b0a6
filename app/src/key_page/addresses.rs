//! The addresses from which the key was used in the last 7 days.

use chrono::NaiveDate;
use domain::key::usage::{ADDRESS_DAYS, AddressUsage};
use leptos::prelude::*;

use super::trial::is_address;
use crate::words;

/// The number of rows above which the table scrolls.
const SCROLLS_FROM: usize = 12;

/// The card. `addresses` are sorted by use, most used first; addresses with only refused requests are left out.
pub(super) fn addresses_card(addresses: Vec<AddressUsage>, today: NaiveDate) -> AnyView {
    let used: Vec<_> = addresses
        .into_iter()
        .filter(|address| address.accepted > 0)
        .collect();
    let count = used.len();
    let rows = used
        .into_iter()
        .map(|address| row(address, today))
        .collect_view();
    let table = view! {
        <table class="table table-plain">
            <thead>
                <tr>
                    <th scope="col">"Address"</th>
                    <th scope="col" class="number">"Accepted"</th>
                    <th scope="col" class="shrink">"Last day"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    };
    let body = if count == 0 {
        let text = format!("No request was accepted in the last {ADDRESS_DAYS} days");
        view! { <p class="muted">{text}</p> }.into_any()
    } else if count >= SCROLLS_FROM {
        view! {
            <div class="scroll" role="region" aria-labelledby="addresses-title" tabindex="0">{table}</div>
        }
        .into_any()
    } else {
        table.into_any()
    };
    view! {
        <section class="card" aria-labelledby="addresses-title">
            <div class="card-header">
                <h2 id="addresses-title">{format!("Addresses, last {ADDRESS_DAYS} days")}</h2>
                <p>"Accepted requests by client address"</p>
            </div>
            {body}
        </section>
    }
    .into_any()
}

fn row(address: AddressUsage, today: NaiveDate) -> impl IntoView {
    let name = match address.ip {
        Some(ip) if is_address(&ip) => view! { <code>{ip}</code> }.into_any(),
        Some(_) => "Unknown address".into_any(),
        None => "Other addresses".into_any(),
    };
    let day = if address.last_date == today {
        "Today".to_owned()
    } else {
        words::date(address.last_date)
    };
    view! {
        <tr>
            <td>{name}</td>
            <td class="number">{words::grouped(address.accepted)}</td>
            <td class="shrink"><time datetime=address.last_date.to_string()>{day}</time></td>
        </tr>
    }
}
