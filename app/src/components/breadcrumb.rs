//! The position of a page in the menu.

use leptos::prelude::*;

use crate::{current_tenant::use_acting_tenant, page::MenuSection};

/// The menu's titles down to the page, e.g. Settings, Data & Monitoring, API Keys, Generate. A super user's begin with the tenant.
#[component]
pub fn Breadcrumb(
    /// The section of the menu.
    section: MenuSection,
    /// The parent page and its URL, if there is one between the section and this page.
    #[prop(optional)]
    parent: Option<(&'static str, Signal<String>)>,
    /// The name of this page.
    #[prop(into)]
    page: String,
) -> impl IntoView {
    let titles = section
        .titles()
        .iter()
        .map(|title| view! { <li>{*title}</li> })
        .collect_view();
    let tenant = use_acting_tenant();
    let tenant = move || {
        let tenant = tenant.get();
        tenant.map(|tenant| view! { <li><strong dir="auto">{tenant.name}</strong></li> })
    };
    let parent = parent.map(|(name, url)| view! { <li><a href=url>{name}</a></li> });
    view! {
        <nav aria-label="Breadcrumb">
            <ol class="breadcrumbs">
                {tenant}
                {titles}
                {parent}
                <li aria-current="page">{page}</li>
            </ol>
        </nav>
    }
    .into_any()
}
