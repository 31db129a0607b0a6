//! The banner on a super user's pages of a tenant.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::{
    components::Icon,
    current_tenant::{ActingTenant, use_acting_tenant, use_tenant},
    tenants::tenant_url,
    urls, words,
};

/// The tenant in which a super user acts, and whether it is suspended. Nothing for other users.
#[component]
pub fn ActingBanner() -> impl IntoView {
    let tenant = use_acting_tenant();
    let path = use_location().pathname;
    let in_url = use_tenant();
    move || {
        let ActingTenant { name, suspended_at } = tenant.get()?;
        let all = move || urls::choice_of_tenant(&path.get());
        let suspended = suspended_at.map(|at| {
            let since = words::date(at.date_naive());
            let resume = in_url.get().0.map(|slug| tenant_url(&slug, "resume"));
            let resume = resume.map(|url| view! { <a href=url rel="external">"Resume…"</a> });
            view! {
                <div class="banner" data-tone="danger" role="region" aria-label="Suspended tenant">
                    <Icon name="alert" />
                    <p>
                        <strong>{format!("Suspended since {since}: ")}</strong>
                        "every key of this tenant is refused."
                    </p>
                    {resume}
                </div>
            }
        });
        Some(view! {
            <div class="banner" role="region" aria-label="Acting as super user">
                <Icon name="building" />
                <p>"You are acting in "<strong dir="auto">{name}</strong></p>
                <a href=all rel="external">"All tenants"</a>
            </div>
            {suspended}
        })
    }
}
