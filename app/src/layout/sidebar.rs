//! The sidebar: tenant, menu, account.

use domain::{tenant::TenantRef, user::Role};
use leptos::prelude::*;

use super::console::Console;
use crate::{
    components::Icon,
    current_tenant::use_tenant,
    page::{MenuSection, Page},
    urls::{self, TenantQuery},
};

/// The sidebar below the brand. Lists the pages that the user's role may open.
#[component]
pub fn Sidebar(
    /// The page table.
    pages: &'static [Page],
    /// The signed-in user.
    console: Console,
    /// The path of the shown page.
    path: Memo<String>,
) -> impl IntoView {
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
    let tenants = is_super_user.then(|| {
        view! { <TenantMenu current tenants=console.recent_tenants path /> }
    });
    let role = console.role;
    // A member's menu contains only their account.
    let (in_sidebar, in_account) = if role.manages_keys() {
        (&MenuSection::SIDEBAR[..], None)
    } else {
        (&[][..], Some(links(pages, MenuSection::Help, role, path)))
    };
    let has_tenant = console.tenant.is_some();
    let menu = in_sidebar
        .iter()
        .filter_map(|sections| nav(pages, sections, role, has_tenant, path))
        .collect_view();
    let email = console.email;
    view! {
        {switcher}
        {menu}
        <button class="account" type="button" popovertarget="account">
            <Icon name="user" />
            <span class="account-who truncate">
                {email}
                <span class="muted truncate">{role.label()}</span>
            </span>
            <Icon name="chevrons" />
        </button>
        {tenants}
        <div class="menu menu-account" id="account" popover="auto">
            {links(pages, MenuSection::Account, role, path)}
            {in_account}
            <a href=move || tenant.get().url(urls::API_DOCS) rel="external"><Icon name="info" />"API documentation"</a>
            <form method="post" action=urls::SIGN_OUT>
                <button><Icon name="exit" />"Sign out"</button>
            </form>
        </div>
    }
    .into_any()
}

/// One part of the menu, e.g. Settings with its sections. `None` if the role may open none of its pages. Without a tenant, a super user has
/// only the pages that belong to none.
fn nav(
    pages: &'static [Page],
    sections: &'static [MenuSection],
    role: Role,
    has_tenant: bool,
    path: Memo<String>,
) -> Option<impl IntoView> {
    let title = sections
        .first()
        .and_then(|section| section.titles().first().copied());
    let lists: Vec<_> = sections
        .iter()
        .filter(|section| has_tenant || !section.needs_tenant())
        .filter_map(|section| {
            let links = links(pages, *section, role, path);
            let id = format!("nav-{}", *section as u8);
            let heading = section.titles().get(1).map(|heading| {
                view! { <h2 class="nav-title" id=id.clone()>{*heading}</h2> }
            });
            let labelled_by = heading.is_some().then_some(id);
            (!links.is_empty()).then(|| {
                let links = links.into_iter().map(|link| view! { <li>{link}</li> });
                view! { <div>{heading}<ul aria-labelledby=labelled_by>{links.collect_view()}</ul></div> }
            })
        })
        .collect();
    (!lists.is_empty()).then(|| {
        view! {
            <nav class="nav" aria-label=title.unwrap_or("Help")>
                {title.map(|title| view! { <p class="nav-root">{title}</p> })}
                {lists}
            </nav>
        }
    })
}

/// The `rel` of a link to a page without script, which the browser loads from the server.
fn external(page: &Page) -> Option<&'static str> {
    (!page.has_script).then_some("external")
}

/// The links of a section to pages that the role may open.
fn links(
    pages: &'static [Page],
    section: MenuSection,
    role: Role,
    path: Memo<String>,
) -> Vec<impl IntoView> {
    let tenant = use_tenant();
    let entries = pages
        .iter()
        .filter(|page| page.access.admits(role))
        .filter_map(|page| Some((page, page.menu?)));
    entries
        .filter(|(_, entry)| entry.section == section)
        .map(|(page, entry)| {
            let href = move || {
                if section.is_of_tenant() {
                    tenant.get().url(page.path)
                } else {
                    page.path.to_owned()
                }
            };
            let current = move || path.with(|path| page.contains(path)).then_some("page");
            view! {
                <a href=href rel=external(page) aria-current=current><Icon name=entry.icon />{entry.label}</a>
            }
        })
        .collect()
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

/// Links to the current page in other tenants. The tenant is in the URL, so that two tabs never mix tenants.
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
                    href=move || query.url(urls::page_in_any_tenant(&path.get()))
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
            <a href=move || urls::choice_of_tenant(&path.get()) rel="external"><Icon name="chevrons" />"All tenants"</a>
        </div>
    }
}
