//! The menu: tenant, pages, account.

use domain::{tenant::TenantRef, user::Role};
use leptos::prelude::*;

use super::console::Console;
use crate::{
    api_keys::dialog_target::page_of,
    components::Icon,
    current_tenant::use_tenant,
    urls::{self, TenantQuery},
};

/// What stands in the sidebar under the brand.
#[component]
pub fn Sidebar(console: Console, path: Memo<String>) -> impl IntoView {
    let tenant = use_tenant();
    let is_super_user = console.role == Role::SuperUser;
    let current = console.tenant.clone();
    let switcher = if is_super_user {
        view! { <Switcher current=current.clone() /> }.into_any()
    } else {
        let name = current.clone().map(|tenant| tenant.name);
        view! {
            <p class="switcher"><Icon name="building" /><span class="switcher-name truncate">{name}</span></p>
        }
        .into_any()
    };
    let settings = console.role.manages_keys().then(|| {
        let here = move || path.get().starts_with(urls::API_KEYS).then_some("page");
        view! {
            <nav class="nav" aria-label="Settings">
                <p class="nav-root">"Settings"</p>
                <div>
                    <h2 class="nav-title" id="nav-data">"Data & Monitoring"</h2>
                    <ul aria-labelledby="nav-data">
                        <li>
                            <a href=move || tenant.get().url(urls::API_KEYS) aria-current=here>
                                <Icon name="key" />
                                "API Keys"
                            </a>
                        </li>
                    </ul>
                </div>
            </nav>
        }
    });
    let tenants = is_super_user.then(|| {
        view! { <TenantMenu current tenants=console.tenants path /> }
    });
    let email = console.email;
    view! {
        {switcher}
        {settings}
        <button class="account" type="button" popovertarget="account">
            <Icon name="user" />
            <span class="account-who truncate">
                {email}
                <span class="muted truncate">{console.role.label()}</span>
            </span>
            <Icon name="chevrons" />
        </button>
        {tenants}
        <div class="menu menu-account" id="account" popover="auto">
            <a href=move || tenant.get().url(urls::ACCOUNT)><Icon name="user" />"My account"</a>
            <a href="/api/docs" rel="external"><Icon name="info" />"API documentation"</a>
            <form method="post" action=urls::SIGN_OUT>
                <button><Icon name="exit" />"Sign out"</button>
            </form>
        </div>
    }
    .into_any()
}

#[component]
fn Switcher(current: Option<TenantRef>) -> impl IntoView {
    let name = current.map_or_else(|| "Choose a tenant".to_owned(), |tenant| tenant.name);
    view! {
        <button class="switcher" type="button" popovertarget="tenants">
            <Icon name="building" />
            <span class="switcher-name truncate">{name}</span>
            <span class="visually-hidden">"Switch tenant"</span>
            <Icon name="chevrons" />
        </button>
    }
}

/// Links to the same page of other tenants, so that two tabs never mix.
#[component]
fn TenantMenu(
    current: Option<TenantRef>,
    tenants: Vec<TenantRef>,
    path: Memo<String>,
) -> impl IntoView {
    let links = tenants
        .into_iter()
        .map(|tenant| {
            let is_current = current
                .as_ref()
                .is_some_and(|current| current.id == tenant.id);
            let query = TenantQuery(Some(tenant.slug.to_string()));
            view! {
                <a
                    href=move || query.url(page_of(&path.get()))
                    aria-current=is_current.then_some("true")
                >
                    <Icon name=if is_current { "check" } else { "building" } />
                    {tenant.name}
                </a>
            }
        })
        .collect_view();
    view! {
        <div class="menu menu-tenants" id="tenants" popover="auto">
            {links}
            <a href=urls::API_KEYS><Icon name="chevrons" />"All tenants"</a>
        </div>
    }
}
