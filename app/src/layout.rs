//! The frame of every page behind sign-in: sidebar, top bar, and where the page stands.

mod focus;
pub mod sidebar;

use domain::{tenant::TenantRef, user::Role};
use leptos::prelude::*;
use leptos_router::{
    components::Outlet,
    hooks::{use_location, use_query_map},
};
use serde::{Deserialize, Serialize};

use crate::{
    browser,
    components::Icon,
    error::AppError,
    status_pages::WholePageFailure,
    urls::{self, TenantQuery},
};
use sidebar::Sidebar;

/// Whose console it is. The same for every page of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Console {
    /// Who is signed in.
    pub email: String,
    /// As whom.
    pub role: Role,
    /// The user's own tenant, or the one that a super user named.
    pub tenant: Option<TenantRef>,
    /// Tenants that a super user may change to; at most [`MAX_SWITCHER_TENANTS`] of them, by name.
    pub tenants: Vec<TenantRef>,
}

/// A menu with more entries than this is a list to search in: the page of the tenants.
pub const MAX_SWITCHER_TENANTS: usize = 20;

/// What the frame needs to know.
///
/// # Errors
/// [`crate::error::ErrorCode::NotSignedIn`].
#[server(prefix = "/api/pages", endpoint = "get_console", input = crate::page_json::PageJson, output = crate::page_json::PageJson)]
pub async fn get_console(tenant: Option<String>) -> Result<Console, AppError> {
    use crate::ssr;

    ssr::answer(async {
        let request = ssr::request()?;
        let user = ssr::signed_in(&request).await?;
        let (mut current, mut tenants) = (user.tenant.as_ref().map(TenantRef::from), Vec::new());
        if let Some(operator) = user.operator() {
            let all = request.store.tenants(&operator).list().await?;
            current = all
                .iter()
                .find(|(each, _)| Some(each.slug.as_str()) == tenant.as_deref())
                .map(|(each, _)| TenantRef::from(each));
            tenants.extend(
                all.iter()
                    .take(MAX_SWITCHER_TENANTS)
                    .map(|(each, _)| TenantRef::from(each)),
            );
        }
        Ok(Console {
            email: user.user.email.to_string(),
            role: user.user.role,
            tenant: current,
            tenants,
        })
    })
    .await
}

/// The tenant that the URL names, whoever asks.
pub fn use_named_tenant() -> Memo<Option<String>> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| query.get("tenant")))
}

/// The tenant that links of this console carry; `None` outside of the console's frame.
#[must_use]
pub fn use_console_tenant() -> Option<Signal<TenantQuery>> {
    use_context::<Signal<TenantQuery>>()
}

/// The same within the frame, where there always is one.
#[must_use]
pub fn use_tenant() -> Signal<TenantQuery> {
    use_console_tenant().unwrap_or_default()
}

/// What came of asking for the console.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Failed(AppError),
    Ready,
}

/// The frame, with the page that the URL asks for in it.
#[component]
pub fn Layout() -> impl IntoView {
    let tenant = use_named_tenant();
    let console = Resource::new(move || tenant.get(), get_console);
    focus::follow_navigation();
    focus::let_escape_hide_tooltips();
    Effect::new(|_| browser::watch_presses());
    view! {
        <Transition>
            {Suspend::new(async move {
                // What derives from the resource is made when it is there: on the server, where it comes on another thread, a memo made
                // before could still say that nothing came.
                let _ = console.await;
                view! { <Frame console tenant /> }
            })}
        </Transition>
    }
    .into_any()
}

#[component]
fn Frame(
    console: Resource<Result<Console, AppError>>,
    tenant: Memo<Option<String>>,
) -> impl IntoView {
    let state = Memo::new(move |_| match console.get() {
        None => State::Waiting,
        Some(Err(error)) => State::Failed(error),
        Some(Ok(_)) => State::Ready,
    });
    let loaded = Memo::new(move |_| console.get().and_then(Result::ok));
    provide_context(Signal::derive(move || {
        let named = || tenant.get();
        TenantQuery(loaded.with(|console| {
            console
                .as_ref()
                .filter(|console| console.role == Role::SuperUser)
                .and_then(|_| named())
        }))
    }));
    move || {
        let state = state.get();
        Unsuspend::new(move || match state {
            State::Waiting => ().into_any(),
            State::Failed(error) => view! { <WholePageFailure error /> }.into_any(),
            State::Ready => view! { <Shell console=loaded /> }.into_any(),
        })
    }
}

#[component]
fn Shell(console: Memo<Option<Console>>) -> impl IntoView {
    let tenant = use_tenant();
    let path = use_location().pathname;
    let home = move || {
        let manages = console.with(|console| {
            console
                .as_ref()
                .is_some_and(|console| console.role.manages_keys())
        });
        tenant.get().url(if manages {
            urls::API_KEYS
        } else {
            urls::ACCOUNT
        })
    };
    view! {
        <div class="shell">
            <a class="skip-link" href="#main" on:click=focus::skip_to_content>"Skip to content"</a>
            <header class="topbar">
                <a class="brand" href=home><Icon name="key" large=true />"Latchkey"</a>
                <button class="icon-button" type="button" popovertarget="sidebar" aria-label="Menu">
                    <Icon name="menu" large=true />
                </button>
            </header>
            <aside class="sidebar" id="sidebar" popover="auto" aria-label="Console">
                <a class="brand" href=home><Icon name="key" large=true />"Latchkey"</a>
                {move || console.get().map(|console| view! { <Sidebar console path /> })}
            </aside>
            <main class="main" id="main" tabindex="-1">
                <Outlet />
            </main>
        </div>
    }
    .into_any()
}
