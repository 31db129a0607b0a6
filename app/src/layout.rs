//! The layout of every page behind sign-in: sidebar, top bar, content.

pub mod banner;
pub mod console;
mod focus;
#[cfg(feature = "ssr")]
pub mod open;
pub mod sidebar;

use domain::user::Role;
use leptos::prelude::*;
use leptos_router::{components::Outlet, hooks::use_location};

use crate::{
    browser,
    components::{Icon, support::SupportUrl},
    current_tenant::{ActingTenant, provide_acting_tenant, use_named_tenant, use_tenant},
    error::AppError,
    notice::{Notice, Toasts},
    page::{Access, Page},
    status_pages::WholePageFailure,
    urls::{self, TenantQuery},
};
use banner::ActingBanner;
use console::{Console, get_console};
use sidebar::Sidebar;

/// The state of the console's data.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Failed(AppError),
    Ready,
}

/// The layout, with the requested page in it.
#[component]
pub fn Layout(
    /// The page table, for the menu.
    pages: &'static [Page],
) -> impl IntoView {
    let tenant = use_named_tenant();
    let console = Resource::new(move || tenant.get(), get_console);
    focus::follow_navigation();
    focus::let_escape_hide_tooltips();
    Effect::new(|_| browser::track_pointer());
    view! {
        <Transition>
            {Suspend::new(async move {
                // Memos over the resource are created after it is loaded: on the server it is loaded on another thread, and a memo created before could
                // still return nothing.
                let _ = console.await;
                view! { <Frame pages console tenant /> }
            })}
        </Transition>
    }
    .into_any()
}

#[component]
fn Frame(
    pages: &'static [Page],
    console: Resource<Result<Console, AppError>>,
    tenant: Memo<Option<String>>,
) -> impl IntoView {
    let state = Memo::new(move |_| match console.get() {
        None => State::Waiting,
        Some(Err(error)) => State::Failed(error),
        Some(Ok(_)) => State::Ready,
    });
    let loaded = Memo::new(move |_| console.get().and_then(Result::ok));
    provide_context(SupportUrl(Signal::derive(move || {
        loaded.with(|console| console.as_ref()?.support_url.clone())
    })));
    provide_context(Signal::derive(move || {
        let named = || tenant.get();
        TenantQuery(loaded.with(|console| {
            console
                .as_ref()
                .filter(|console| console.role == Role::SuperUser)
                .and_then(|_| named())
        }))
    }));
    let path = use_location().pathname;
    // The pages of the operator belong to no tenant.
    let is_of_tenant = Memo::new(move |_| {
        path.with(|path| {
            let mut operator = (pages.iter()).filter(|page| page.access == Access::SuperUser);
            !operator.any(|page| page.is_shown_at(path))
        })
    });
    provide_acting_tenant(Signal::derive(move || {
        let is_of_tenant = is_of_tenant.get();
        loaded.with(|console| {
            let console = console
                .as_ref()
                .filter(|console| is_of_tenant && console.role == Role::SuperUser)?;
            console.tenant.as_ref().map(|tenant| ActingTenant {
                name: tenant.name.clone(),
                suspended_at: console.suspended_at,
            })
        })
    }));
    let confirmation = loaded.with_untracked(|console| console.as_ref()?.confirmation.clone());
    provide_context(Notice::new(confirmation));
    move || {
        let state = state.get();
        Unsuspend::new(move || match state {
            State::Waiting => ().into_any(),
            State::Failed(error) => view! { <WholePageFailure error /> }.into_any(),
            State::Ready => view! { <Shell pages console=loaded><Outlet /></Shell> }.into_any(),
        })
    }
}

#[component]
fn Shell(
    pages: &'static [Page],
    console: Memo<Option<Console>>,
    children: Children,
) -> impl IntoView {
    let tenant = use_tenant();
    let path = use_location().pathname;
    let role =
        Memo::new(move |_| console.with(|console| console.as_ref().map(|console| console.role)));
    let is_without_tenant =
        move || role.get() == Some(Role::SuperUser) && tenant.with(|tenant| tenant.0.is_none());
    let home = move || {
        if is_without_tenant() {
            return urls::TENANTS.to_owned();
        }
        tenant
            .get()
            .url(role.get().map_or(urls::ACCOUNT, urls::first_page))
    };
    // The list of tenants and the account, the first page of members, have no script.
    let rel = move || {
        let is_external = is_without_tenant() || role.get() == Some(Role::Member);
        is_external.then_some("external")
    };
    view! {
        <div class="shell">
            <a class="skip-link" href="#main" on:click=focus::skip_to_content>"Skip to content"</a>
            <header class="topbar">
                <a class="brand" href=home rel=rel><Icon name="key" large=true />"Latchkey"</a>
                <button class="icon-button" type="button" popovertarget="sidebar" aria-label="Menu">
                    <Icon name="menu" large=true />
                </button>
            </header>
            <aside class="sidebar" id="sidebar" popover="auto" aria-label="Console">
                <a class="brand" href=home rel=rel><Icon name="key" large=true />"Latchkey"</a>
                {move || console.get().map(|console| view! { <Sidebar pages console path /> })}
            </aside>
            <main class="main" id="main" tabindex="-1">
                <ActingBanner />
                {children()}
            </main>
            <Toasts notice=Notice::of_page() />
        </div>
    }
    .into_any()
}
