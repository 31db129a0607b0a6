//! The pages: components and server functions. Features `ssr` and `hydrate` exclude each other.
//!
//! | question | room |
//! | --- | --- |
//! | which pages are there? | [`App`], below |
//! | what does the document around a page hold? | `shell` |
//! | what frames every page behind sign-in? | [`layout`] |
//! | the keys: list, generate, edit, rotate, revoke | [`api_keys`] |
//! | who asks, and in which tenant? (feature `ssr`) | `ssr` |
//! | what does a failure look like? | [`error`], [`status_pages`] |
//! | signing in (feature `ssr`) | `sign_in` |
//! | how is a URL, a number, a date written? | [`urls`], [`words`] |
//! | how do browser and server talk? | [`page_json`], the `#[server]` functions beside each page |
//! | what does only a browser do? | [`browser`] |

// A page's type is as deep as its elements, and the compiler's default of 128 does not reach down to a cell of the table.
#![recursion_limit = "256"]

pub mod account;
pub mod api_keys;
pub mod browser;
pub mod components;
pub mod current_tenant;
pub mod error;
pub mod layout;
pub mod page_json;
#[cfg(feature = "ssr")]
pub mod sign_in;
pub mod status_pages;
pub mod tenants;
pub mod urls;
pub mod words;

#[cfg(feature = "ssr")]
mod shell;
#[cfg(feature = "ssr")]
pub mod ssr;

#[cfg(feature = "ssr")]
pub use shell::{shell, with_shape};
#[cfg(feature = "ssr")]
use sign_in::SignInPage;

use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

use account::AccountPage;
use api_keys::{generate::GeneratePage, list::ApiKeysPage};
use layout::Layout;
use status_pages::NotFoundPage;

/// The sign-in page has no script (`shell.rs`): a browser never makes it, and need not be sent what it is made of.
#[cfg(not(feature = "ssr"))]
#[component]
fn SignInPage() -> impl IntoView {}

/// Where the server functions are.
pub const SERVER_FUNCTIONS: &str = "/api/pages";

/// Every page. Each is rendered as a whole before it is sent, so that it is complete without a script and its status is right.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=NotFoundPage>
                <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async />
                <ParentRoute path=path!("") view=Layout ssr=SsrMode::Async>
                    <Route path=path!("/account") view=AccountPage ssr=SsrMode::Async />
                    <Route path=path!("/tenant-api-keys/new") view=GeneratePage ssr=SsrMode::Async />
                    // The dialogs have URLs; the page itself sees from the URL which one is open.
                    <ParentRoute path=path!("/tenant-api-keys") view=ApiKeysPage ssr=SsrMode::Async>
                        <Route path=path!("") view=|| () ssr=SsrMode::Async />
                        <Route path=path!("/:id/edit") view=|| () ssr=SsrMode::Async />
                        <Route path=path!("/:id/rotate") view=|| () ssr=SsrMode::Async />
                        <Route path=path!("/:id/revoke") view=|| () ssr=SsrMode::Async />
                    </ParentRoute>
                </ParentRoute>
            </Routes>
        </Router>
    }
}
