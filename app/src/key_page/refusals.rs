//! The refused requests of the last 7 days by reason, with their addresses and remedies.

use chrono::{DateTime, Utc};
use domain::key::{
    ApiKey, KeyStatus,
    usage::{ADDRESS_DAYS, DayUsage, RefusalReason, RefusedAddress},
};
use leptos::prelude::*;

use super::{
    ago, allow_url, reasons,
    trial::{self, TrialQuery},
};
use crate::{components::Icon, current_tenant::use_tenant, urls, words};

/// The code whose remedy is another permission of the group.
const MISSING_PERMISSION: &str = "missing_permission";
/// The code whose remedy is an entry in the allowlist.
const IP_NOT_ALLOWED: &str = "ip_not_allowed";

/// The number of addresses of a reason outside the disclosure.
const SHOWN: usize = 10;

/// The card. `reasons` are sorted by frequency, most frequent first; `today` are the requests of today.
pub(super) fn refusals_card(
    key: &ApiKey,
    reasons: &[RefusalReason],
    today: Option<&DayUsage>,
    now: DateTime<Utc>,
) -> AnyView {
    let total: u64 = reasons.iter().map(|reason| reason.count).sum();
    let today = today.map_or(0, DayUsage::refused_total);
    let summary = (total > 0).then(|| {
        let text = format!(
            "{}, {} of them today",
            words::count(total, "request", "requests"),
            words::grouped(today)
        );
        view! { <p>{text}</p> }
    });
    let body = if total == 0 {
        let text = format!("No request was refused in the last {ADDRESS_DAYS} days");
        view! { <p class="muted">{text}</p> }.into_any()
    } else {
        let list = reasons
            .iter()
            .map(|reason| entry(key, reason, now))
            .collect_view();
        view! { <ul class="reasons">{list}</ul> }.into_any()
    };
    view! {
        <section class="card" aria-labelledby="refusals-title">
            <div class="card-header">
                <h2 id="refusals-title">{format!("Refusals, last {ADDRESS_DAYS} days")}</h2>
                {summary}
            </div>
            {body}
        </section>
    }
    .into_any()
}

fn entry(key: &ApiKey, reason: &RefusalReason, now: DateTime<Utc>) -> impl IntoView + use<> {
    let code = format!("{} {}", reasons::status(&reason.code).as_u16(), reason.code);
    let requests = if reason.count == 1 {
        " request"
    } else {
        " requests"
    };
    let last = (reason.last_at).map(|at| view! { ", most recently "{ago(at, now)} });
    let mut lines = reason
        .addresses
        .iter()
        .map(|address| line(key, &reason.code, address).into_any())
        .collect::<Vec<_>>();
    let rest = lines.split_off(lines.len().min(SHOWN));
    let more = (!rest.is_empty()).then(|| {
        view! {
            <li>
                <details class="disclosure">
                    <summary><Icon name="chevron" />{format!("and {} more", rest.len())}</summary>
                    <ul class="who">{rest}</ul>
                </details>
            </li>
        }
    });
    let addresses = (!lines.is_empty()).then(|| view! { <ul class="who">{lines}{more}</ul> });
    view! {
        <li>
            <p>
                <strong>{reasons::sentence(&reason.code)}</strong>" "
                <a class="code" href=use_tenant().get_untracked().help_on_refusal(&reason.code) rel="external">{code}</a>
            </p>
            <p class="muted small"><b>{words::grouped(reason.count)}</b>{requests}{last}</p>
            {addresses}
        </li>
    }
}

fn line(key: &ApiKey, code: &str, address: &RefusedAddress) -> impl IntoView + use<> {
    let tenant = use_tenant().get_untracked();
    let times = words::count(address.count, "time", "times");
    let ip = address.ip.as_deref().filter(|ip| trial::is_address(ip));
    let name = match &address.ip {
        Some(ip) if trial::is_address(ip) => view! { <code>{ip.clone()}</code> }.into_any(),
        Some(_) => view! { <span>"Unknown address"</span> }.into_any(),
        None => view! { <span>"Other addresses"</span> }.into_any(),
    };
    let link = |href: String, text: &'static str, ip: &str| {
        view! {
            <a class="small" href=href rel="external">
                {text}<span class="visually-hidden">{format!(" {ip}")}</span>
            </a>
        }
    };
    let allow = ip
        .filter(|_| code == IP_NOT_ALLOWED && key.status == KeyStatus::Active)
        .map(|ip| link(allow_url(&tenant, key.id, ip), "Add to allowlist", ip));
    let ask = ip.map(|ip| {
        let query = TrialQuery::of_address(ip);
        link(query.url(&tenant, key.id), "Would it pass?", ip)
    });
    let group = (code == MISSING_PERMISSION).then(|| {
        let path = format!("{}/{}", urls::GROUPS, key.authorization_group.id);
        let href = tenant.url(&path);
        view! { <a class="small" href=href rel="external">"Open the group"</a> }
    });
    view! {
        <li class="row">{name}<span class="muted small">{times}</span>{allow}{ask}{group}</li>
    }
}
