//! The header of the list: title, key quota, keys that expire soon, the button that generates a key.

use domain::tenant::KeyQuota;
use leptos::prelude::*;

use super::{list_query::ListQuery, responses::KeyList};
use crate::{
    components::{Icon, KeyQuotaMeter, support::with_support_link},
    current_tenant::use_tenant,
    error::key_limit_reached,
    urls, words,
};

/// The header.
#[component]
pub fn ListHeader(
    /// The list.
    list: Memo<Option<KeyList>>,
) -> impl IntoView {
    let usage = Memo::new(move |_| list.with(|list| list.as_ref().map(|list| list.summary.quota)));
    let facts = move || {
        usage.get().map(|usage| {
            view! { <KeyQuotaMeter usage /> }
        })
    };
    let reason = move || {
        usage.get().filter(|usage| usage.is_full()).map(|usage| {
            view! { <span id="limit-reason">{with_support_link(key_limit_reached(usage.limit))}</span> }
        })
    };
    // Without a group the form cannot succeed: the empty list leads to the first group.
    let needs_group =
        Memo::new(move |_| list.with(|list| list.as_ref().is_some_and(|list| list.needs_group)));
    let button = move || {
        let usage = usage.get().filter(|_| !needs_group.get());
        usage.map(|usage| view! { <GenerateButton usage /> })
    };
    view! {
        <header class="page-header">
            <div>
                <h1 id="page-title" tabindex="-1">"API Keys"</h1>
                <div class="page-meta">
                    {facts}
                    {move || list.get().map(|list| expiring_soon(&list))}
                    {reason}
                    {move || list.get().map(|list| expired_at_limit(&list))}
                </div>
            </div>
            {button}
        </header>
    }
    .into_any()
}

/// "3 keys expire within 30 days", as a link to them.
fn expiring_soon(list: &KeyList) -> impl IntoView + use<> {
    let tenant = use_tenant();
    let (count, days) = (list.summary.expiring_soon, list.soon_days);
    (count > 0).then(|| {
        let verb = if count == 1 { "expires" } else { "expire" };
        let text = format!(
            "{} {verb} within {}",
            words::count(count, "key", "keys"),
            words::count(u64::from(days), "day", "days")
        );
        let href = move || ListQuery::expiring_soon().url(&tenant.get(), urls::API_KEYS);
        view! { <a class="notice-link" href=href><Icon name="clock" />{text}</a> }
    })
}

/// "3 of them are expired", as a link to them. Shown at the key limit, because revoking them makes room.
fn expired_at_limit(list: &KeyList) -> impl IntoView + use<> {
    let tenant = use_tenant();
    let count = list.summary.expired;
    (list.summary.quota.is_full() && count > 0).then(|| {
        let verb = if count == 1 { "is" } else { "are" };
        let text = format!("{} of them {verb} expired", words::grouped(count));
        let href = move || ListQuery::expired().url(&tenant.get(), urls::API_KEYS);
        view! { <a class="notice-link" href=href><Icon name="alert" />{text}</a> }
    })
}

/// The link to the form. At the key limit it is a disabled button that can be focused; the header gives the reason.
#[component]
pub fn GenerateButton(
    /// The tenant's key quota.
    usage: KeyQuota,
) -> impl IntoView {
    let tenant = use_tenant();
    if usage.is_full() {
        view! {
            <button class="button button-primary" type="button" aria-disabled="true" aria-describedby="limit-reason">
                <Icon name="plus" />
                "Generate API Key"
            </button>
        }
        .into_any()
    } else {
        view! {
            <a class="button button-primary" href=move || tenant.get().url(urls::GENERATE)>
                <Icon name="plus" />
                "Generate API Key"
            </a>
        }
        .into_any()
    }
}
