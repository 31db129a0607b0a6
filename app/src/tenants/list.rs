//! The list of tenants: searched and paged, without script.

use chrono::{DateTime, Utc};
use domain::{
    id::TenantId,
    page::TwoWayPage,
    store::tenants::TenantQuery as Search,
    tenant::{KeyQuota, Tenant},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{TenantSearch, tenant_url};
use crate::{
    components::{
        Breadcrumb, Icon, KeyQuotaMeter, PageTitle,
        date::Day,
        list_table::{Column, list_table, pager},
    },
    done::Done,
    error::{AppError, ErrorCode},
    page::MenuSection,
    ssr,
    status_pages::Failure,
    urls::{self, TenantQuery},
    words,
};

const COLUMNS: &[Column] = &[
    Column::new("col-name", "Tenant").sorted(),
    Column::new("col-state", "State"),
    Column::new("col-keys", "Keys"),
    Column::new("col-when", "Created"),
    Column::new("col-open", "Actions").visually_hidden(),
];

/// The parameters of the list's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ListUrl {
    /// Part of a name or slug.
    q: String,
    /// The cursor of the page of the list.
    cursor: Option<String>,
    /// The path of the page that the links open in a tenant.
    page: String,
}

impl ListUrl {
    fn read() -> Self {
        let query = use_query_map().get_untracked();
        let page = query.get(urls::PAGE).unwrap_or_default();
        // A path of this site without parameters; another one would lead away.
        let page = urls::local_path(&page)
            .filter(|path| !path.contains(['?', '#']))
            .map_or(urls::API_KEYS, urls::page_in_any_tenant);
        Self {
            q: query.get("q").unwrap_or_default().trim().to_owned(),
            cursor: query.get("cursor").filter(|cursor| !cursor.is_empty()),
            page: page.to_owned(),
        }
    }

    /// The list with this search, from this cursor on.
    fn at(&self, q: &str, cursor: &str) -> String {
        let page = if self.page == urls::API_KEYS {
            ""
        } else {
            &self.page
        };
        urls::with_parameters(
            urls::TENANTS,
            &[("q", q), (urls::PAGE, page), ("cursor", cursor)],
        )
    }
}

/// The list of tenants, 25 on a page, by name.
#[component]
pub fn TenantsPage() -> impl IntoView {
    let url = ListUrl::read();
    view! {
        <Suspense>
            {Suspend::new(async move {
                match ssr::respond(read_tenants(&url)).await {
                    Err(error) => view! { <Failure error /> }.into_any(),
                    Ok((tenants, changed)) => list(&url, tenants, changed),
                }
            })}
        </Suspense>
    }
}

type Tenants = TwoWayPage<(Tenant, KeyQuota)>;

/// The page of tenants, and the tenant that the change before this request concerned.
async fn read_tenants(url: &ListUrl) -> Result<(Tenants, Option<TenantId>), AppError> {
    let request = ssr::request()?;
    let user = ssr::signed_in(&request).await?;
    let operator = user
        .operator()
        .ok_or_else(|| AppError::new(ErrorCode::Forbidden))?;
    let search = Search {
        search: url.q.clone(),
        cursor: url.cursor.clone(),
        ..Search::default()
    };
    let page = request.store.tenants(&operator).page(&search).await?;
    Ok((page, request.done.and_then(Done::tenant)))
}

fn list(url: &ListUrl, tenants: Tenants, changed: Option<TenantId>) -> AnyView {
    let is_whole = url.q.is_empty() && url.cursor.is_none();
    let content = if tenants.items.is_empty() && is_whole {
        view! {
            <section class="empty">
                <h2>"No tenants yet"</h2>
                <p>"A tenant is a customer organisation: its keys, groups and users."</p>
                <a class="button button-primary" href=urls::NEW_TENANT><Icon name="plus" />"New tenant"</a>
            </section>
        }
        .into_any()
    } else {
        let pager = pager(&tenants, |cursor| url.at(&url.q, cursor));
        view! {
            <div class="toolbar"><TenantSearch q=url.q.clone() page=url.page.clone() /></div>
            {table(url, tenants.items, changed)}
            {pager}
        }
        .into_any()
    };
    view! {
        <PageTitle text="Tenants – Latchkey" />
        <div class="page">
            <Breadcrumb section=MenuSection::Operator page="Tenants" />
            <header class="page-header">
                <div>
                    <h1 tabindex="-1">"Tenants"</h1>
                    <div class="page-meta"><span>"Open a tenant to act in it."</span></div>
                </div>
                <div class="key-buttons">
                    <a class="button button-primary" href=urls::NEW_TENANT><Icon name="plus" />"New tenant"</a>
                </div>
            </header>
            {content}
        </div>
    }
    .into_any()
}

fn table(url: &ListUrl, tenants: Vec<(Tenant, KeyQuota)>, changed: Option<TenantId>) -> AnyView {
    if tenants.is_empty() {
        let all = url.at("", "");
        return view! {
            <section class="empty">
                <h2>"No tenant matches this search"</h2>
                <p>"The search looks for a part of the name or slug."</p>
                <a class="button" href=all>"Clear search"</a>
            </section>
        }
        .into_any();
    }
    let rows: Vec<_> = tenants
        .into_iter()
        .map(|(tenant, quota)| {
            let is_new = changed == Some(tenant.id);
            row(url, tenant, quota, is_new)
        })
        .collect();
    list_table("Tenants", COLUMNS, rows)
}

fn row(url: &ListUrl, tenant: Tenant, usage: KeyQuota, is_new: bool) -> impl IntoView + use<> {
    let open = TenantQuery(Some(tenant.slug.to_string())).url(&url.page);
    let Tenant {
        name,
        slug,
        created_at,
        suspended_at,
        ..
    } = tenant;
    let edit = tenant_url(slug.as_str(), "edit");
    let (switch, verb, icon) = match suspended_at {
        None => (tenant_url(slug.as_str(), "suspend"), "Suspend", "pause"),
        Some(_) => (tenant_url(slug.as_str(), "resume"), "Resume", "play"),
    };
    view! {
        <tr role="row" class=is_new.then_some("is-new")>
            <td role="cell" class="col-name">
                <a class="key-name" href=open.clone() rel="external">
                    <span class="truncate" dir="auto">{name.clone()}</span>
                </a>
                <span class="key-about"><code>{slug.to_string()}</code></span>
            </td>
            <td role="cell" class="col-state" data-label="State"><span class="value">{state(suspended_at)}</span></td>
            <td role="cell" class="col-keys" data-label="Keys">
                <span class="value"><KeyQuotaMeter usage /></span>
            </td>
            <td role="cell" class="col-when" data-label="Created"><span class="value"><Day at=created_at /></span></td>
            <td role="cell" class="col-open">
                <div class="tenant-actions">
                    <div class="actions">
                        <a class="icon-button" href=edit aria-label=format!("Edit name and limit of {name}") data-tip="Edit">
                            <Icon name="pencil" />
                        </a>
                        <a class="icon-button" href=switch aria-label=format!("{verb} {name}") data-tip=verb>
                            <Icon name=icon />
                        </a>
                    </div>
                    <a class="button button-s" href=open rel="external" aria-label=format!("Open {name}")>"Open"</a>
                </div>
            </td>
        </tr>
    }
}

fn state(suspended_at: Option<DateTime<Utc>>) -> AnyView {
    match suspended_at {
        None => view! {
            <span class="badge" data-tone="success"><Icon name="check-circle" />"Active"</span>
        }
        .into_any(),
        Some(at) => view! {
            <span class="badge" data-tone="danger"><Icon name="slash" />"Suspended"</span>
            <span class="sub">{format!("since {}", words::date(at.date_naive()))}</span>
        }
        .into_any(),
    }
}
