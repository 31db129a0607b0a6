//! The tenants of an installation, for super users: the list, the forms, and what replaces a page whose URL names no tenant or an unknown
//! one.

#[cfg(feature = "ssr")]
pub mod actions;
#[cfg(feature = "ssr")]
pub mod form;
#[cfg(feature = "ssr")]
pub mod list;
#[cfg(feature = "ssr")]
pub mod suspension;

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::{
    browser,
    components::{Icon, PageTitle},
    error::{AppError, ErrorCode},
    status_pages::Failure,
    urls,
};

/// The typed values of a tenant's form.
#[cfg(feature = "ssr")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantForm {
    /// The name.
    pub name: String,
    /// The slug of a new tenant, or empty.
    pub slug: String,
    /// The key limit.
    pub key_limit: String,
}

#[cfg(feature = "ssr")]
impl TenantForm {
    fn of(tenant: &domain::tenant::Tenant) -> Self {
        Self {
            name: tenant.name.clone(),
            slug: tenant.slug.to_string(),
            key_limit: tenant.key_limit.to_string(),
        }
    }
}

/// A submitted form that is shown again, which the server provides as context to the page that it renders in response.
#[cfg(feature = "ssr")]
#[derive(Clone, Debug)]
pub struct SubmittedTenant {
    /// The typed values.
    pub form: TenantForm,
    /// The error.
    pub error: Option<AppError>,
    /// The version of the tenant that the typed values change; `None` if the form changes no stored values.
    pub version: Option<i64>,
}

/// The slug in the path of a page.
#[cfg(feature = "ssr")]
fn slug_in_path() -> String {
    let path = leptos_router::hooks::use_params_map();
    path.with_untracked(|path| path.get("slug"))
        .unwrap_or_default()
}

/// The URL of a form of the tenant with this slug, such as `edit`.
pub(crate) fn tenant_url(slug: &str, form: &str) -> String {
    format!("{}/{slug}/{form}", urls::TENANTS)
}

/// Replaces a page of a tenant that could not be loaded. If the tenant is missing in the URL, leads to the list of tenants; if there is no
/// such tenant, offers a search for it; otherwise shows the failure.
#[component]
pub fn TenantPageFailure(
    /// The failure.
    error: AppError,
) -> impl IntoView {
    match error.code {
        ErrorCode::TenantNeeded => view! { <ChooseTenant /> }.into_any(),
        ErrorCode::NoSuchTenant => view! { <NoSuchTenant error /> }.into_any(),
        _ => view! { <Failure error /> }.into_any(),
    }
}

/// Leads to the list of tenants when the browser opened the page. (The server redirects instead.)
#[component]
fn ChooseTenant() -> impl IntoView {
    let path = use_location().pathname;
    let list = urls::choice_of_tenant(&path.get_untracked());
    let target = list.clone();
    Effect::new(move |_| browser::go(&target));
    view! {
        <section class="status-page">
            <h1>"Choose a tenant"</h1>
            <a class="button" rel="external" href=list>"All tenants"</a>
        </section>
    }
}

#[component]
fn NoSuchTenant(error: AppError) -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    let page = urls::page_in_any_tenant(&path).to_owned();
    let all = urls::choice_of_tenant(&path);
    view! {
        <PageTitle text="No such tenant – Latchkey" />
        <div class="page">
            <section class="status-page">
                <p class="status-code">"404"</p>
                <h1 dir="auto">{error.message}</h1>
                <p class="muted">"Search names and slugs, or choose from the list."</p>
                <TenantSearch q=String::new() page />
                <a class="button" rel="external" href=all>"All tenants"</a>
            </section>
        </div>
    }
}

/// The form that searches the list of tenants.
#[component]
pub(crate) fn TenantSearch(
    /// The search.
    q: String,
    /// The page that the links of the list open.
    page: String,
) -> impl IntoView {
    view! {
        <form class="search search-submit" method="get" action=urls::TENANTS role="search" aria-label="Tenants">
            <Icon name="search" />
            <input
                class="input"
                type="search"
                name="q"
                maxlength="100"
                value=q
                placeholder="Search names and slugs"
                aria-label="Search names and slugs"
            />
            <input type="hidden" name=urls::PAGE value=page />
            <button class="button button-s">"Search"</button>
        </form>
    }
}
