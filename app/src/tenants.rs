//! The list of tenants, shown to a super user if the URL names no tenant.

use domain::tenant::KeyQuota;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use serde::{Deserialize, Serialize};

use crate::{
    api_keys::dialog_target::page_path,
    components::{KeyQuotaMeter, PageTitle},
    error::{AppError, ErrorCode},
    status_pages::Failure,
    urls::{self, TenantQuery},
};

/// A tenant in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantLine {
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Whether it is suspended.
    pub is_suspended: bool,
    /// Its key quota.
    pub usage: KeyQuota,
}

/// Returns every tenant with its quota, ordered by name.
///
/// # Errors
/// [`crate::error::ErrorCode::Forbidden`] for users who are not super users.
#[server(prefix = "/api/pages", endpoint = "list_tenants", input = crate::page_json::PageJson, output = crate::page_json::PageJson)]
pub async fn list_tenants() -> Result<Vec<TenantLine>, AppError> {
    use crate::ssr;

    ssr::respond(async {
        let request = ssr::request()?;
        let user = ssr::signed_in(&request).await?;
        let operator = user
            .operator()
            .ok_or_else(|| AppError::new(ErrorCode::Forbidden))?;
        let tenants = request.store.tenants(&operator).list().await?;
        Ok(tenants
            .into_iter()
            .map(|(tenant, usage)| TenantLine {
                slug: tenant.slug.to_string(),
                name: tenant.name,
                is_suspended: tenant.suspended_at.is_some(),
                usage,
            })
            .collect())
    })
    .await
}

/// Replaces a page of a tenant that could not be loaded. Shows the list of tenants if the tenant is missing in the URL, otherwise the
/// failure.
#[component]
pub fn TenantPageFailure(
    /// The failure.
    error: AppError,
) -> impl IntoView {
    if error.code == ErrorCode::TenantNeeded {
        view! { <TenantsPage /> }.into_any()
    } else {
        view! { <Failure error /> }.into_any()
    }
}

/// The list: each tenant links to the requested page.
#[component]
fn TenantsPage() -> impl IntoView {
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
                        .map(|tenant| view! { <TenantLink tenant path /> })
                        .collect_view()}
                </ul>
            }
            .into_any(),
        })
    };
    view! {
        <PageTitle text="Tenants – Latchkey" />
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
fn TenantLink(tenant: TenantLine, path: Memo<String>) -> impl IntoView {
    let usage = tenant.usage;
    let query = TenantQuery(Some(tenant.slug.clone()));
    let href = move || {
        let path = path.get();
        query.url(match page_path(&path) {
            page if page.starts_with(urls::API_KEYS) => page,
            _ => urls::API_KEYS,
        })
    };
    let slug = if tenant.is_suspended {
        format!("{} · Suspended", tenant.slug)
    } else {
        tenant.slug
    };
    view! {
        <li>
            <a href=href>
                <span class="tenant-name">{tenant.name}</span>
                <span class="tenant-slug">{slug}</span>
                <span class="tenant-usage"><KeyQuotaMeter usage /></span>
            </a>
        </li>
    }
}
