//! The layout of pages that anyone may read: within the console's layout for a signed-in user, otherwise below a header.

use domain::user::Role;
use leptos::prelude::*;
use leptos_router::components::Outlet;

use super::{
    Shell,
    console::{Console, read_console},
};
use crate::{
    components::{Icon, support::SupportUrl},
    current_tenant::use_named_tenant,
    error::ErrorCode,
    page::{Page, PageTable},
    ssr,
    status_pages::NotFound,
    urls::{self, TenantQuery},
};

/// The layout as a route around its pages.
#[component]
pub fn OpenLayout() -> impl IntoView {
    view! { <OpenFrame><Outlet /></OpenFrame> }
}

/// The page for an unknown URL.
#[component]
pub fn UnknownPage() -> impl IntoView {
    ssr::set_not_found();
    view! { <OpenFrame><NotFound /></OpenFrame> }
}

/// The layout around `children`.
#[component]
fn OpenFrame(children: Children) -> impl IntoView {
    let pages = use_context::<PageTable>().map_or(&[][..], |table| table.0);
    let named = use_named_tenant().get_untracked();
    view! {
        <Suspense>
            {Suspend::new(async move {
                match read_console(named.clone()).await {
                    Ok(console) => in_console(pages, console, named, children),
                    Err(error) => {
                        let is_expected = matches!(
                            error.code,
                            ErrorCode::NotSignedIn | ErrorCode::SecondFactorNeeded
                        );
                        if !is_expected {
                            tracing::warn!(code = ?error.code, "page shown without the console's menu: session not read");
                        }
                        below_header(children)
                    }
                }
            })}
        </Suspense>
    }
}

fn in_console(
    pages: &'static [Page],
    console: Console,
    named: Option<String>,
    children: Children,
) -> AnyView {
    let tenant = named.filter(|_| console.role == Role::SuperUser);
    provide_context(SupportUrl(Signal::stored(console.support_url.clone())));
    provide_context(Signal::stored(TenantQuery(tenant)));
    let console = Memo::new(move |_| Some(console.clone()));
    view! { <Shell pages console>{children()}</Shell> }.into_any()
}

fn below_header(children: Children) -> AnyView {
    let support = ssr::request()
        .ok()
        .and_then(|request| request.support_url.as_deref().map(str::to_owned));
    provide_context(SupportUrl(Signal::stored(support)));
    view! {
        <a class="skip-link" href="#main">"Skip to content"</a>
        <header class="site-header">
            <a class="brand" href="/"><Icon name="key" large=true />"Latchkey"</a>
            <nav aria-label="Latchkey">
                <a href=urls::HELP>"Help"</a>
                <a href=urls::API_DOCS>"API documentation"</a>
                <a href=urls::SIGN_IN>"Sign in"</a>
            </nav>
        </header>
        <main id="main" tabindex="-1">{children()}</main>
    }
    .into_any()
}
