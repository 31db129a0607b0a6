//! What a super user sees where the URL names no tenant: the tenants.

use domain::tenant::{Tenant, Usage};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use crate::{
    api_keys::dialog_target::page_of,
    components::UsageMeter,
    error::AppError,
    status_pages::Failure,
    urls::{self, TenantQuery},
};

/// Every tenant with its usage, by name; for a super user.
///
/// # Errors
/// [`crate::error::ErrorCode::Forbidden`] for everybody else.
#[server(prefix = "/api/pages", endpoint = "list_tenants", input = leptos::server_fn::codec::Json)]
pub async fn list_tenants() -> Result<Vec<(Tenant, Usage)>, AppError> {
    use crate::{error::ErrorCode, ssr};

    ssr::answer(async {
        let request = ssr::request()?;
        let user = ssr::signed_in(&request).await?;
        let operator = user
            .operator()
            .ok_or_else(|| AppError::new(ErrorCode::Forbidden))?;
        Ok(request.store.tenants(&operator).list().await?)
    })
    .await
}

/// The tenants, each a link to the page that was asked for.
#[component]
pub fn TenantsPage() -> impl IntoView {
    let path = use_location().pathname;
    let tenants = Resource::new(|| (), |()| list_tenants());
    let list = move || {
        tenants.get().map(|tenants| match tenants {
            Err(error) => view! { <Failure error /> }.into_any(),
            Ok(tenants) if tenants.is_empty() => view! {
                <section class="empty">
                    <h2>"No tenants yet"</h2>
                    <p>"An operator makes the first one at the command line:"</p>
                    <pre class="command"><code>"latchkey tenant create --name Acme"</code></pre>
                </section>
            }
            .into_any(),
            Ok(tenants) => view! {
                <ul class="tenant-list">
                    {tenants
                        .into_iter()
                        .map(|(tenant, usage)| view! { <TenantLink tenant usage path /> })
                        .collect_view()}
                </ul>
            }
            .into_any(),
        })
    };
    view! {
        <Title text="Tenants – Latchkey" />
        <div class="page">
            <header class="page-header">
                <div>
                    <h1 tabindex="-1">"Tenants"</h1>
                    <div class="page-meta"><span>"Choose the tenant whose keys you want to see."</span></div>
                </div>
            </header>
            <Transition>{list}</Transition>
        </div>
    }
    .into_any()
}

#[component]
fn TenantLink(tenant: Tenant, usage: Usage, path: Memo<String>) -> impl IntoView {
    let query = TenantQuery(Some(tenant.slug.to_string()));
    let href = move || {
        let path = path.get();
        query.url(match page_of(&path) {
            page if page.starts_with(urls::API_KEYS) => page,
            _ => urls::API_KEYS,
        })
    };
    let slug = match tenant.suspended_at {
        Some(_) => format!("{} · Suspended", tenant.slug),
        None => tenant.slug.to_string(),
    };
    view! {
        <li>
            <a href=href>
                <span class="tenant-name">{tenant.name}</span>
                <span class="tenant-slug">{slug}</span>
                <span class="tenant-usage"><UsageMeter usage /></span>
            </a>
        </li>
    }
}
