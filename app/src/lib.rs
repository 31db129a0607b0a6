//! The pages: components and server functions. Features `ssr` and `hydrate` exclude each other.
//!
//! | topic | module |
//! | --- | --- |
//! | the table of pages, menu entries and server functions | [`pages`]; its types: [`page`] |
//! | the keys: list, generate, edit, rotate, revoke | [`api_keys`] |
//! | the authorization groups (feature `ssr`) | `groups` |
//! | the security policy (feature `ssr`) | `security_policy` |
//! | the page of one key (feature `ssr`) | `key_page` |
//! | the audit log and the installation log (feature `ssr`) | `audit_log` |
//! | the guide, the API documentation, and their layout with a table of contents (feature `ssr`) | `help`, `api_docs`, `document` |
//! | the user's own page (feature `ssr`) | `account`; the theme that it chooses: `theme` |
//! | the choice and the list of tenants | [`tenants`] |
//! | the confirmation of a change | [`notice`]; its cookie: [`done`] |
//! | the layout of every page behind sign-in, with the menu | [`layout`] |
//! | the tenant that a page acts in | [`current_tenant`] |
//! | pages and messages for failures | [`error`], [`status_pages`] |
//! | URLs; numbers, dates and times as text | [`urls`], [`words`] |
//! | the encoding of server functions | [`page_json`] |
//! | functions of the browser | [`browser`] |
//! | the request, the session and the tenant's scope (feature `ssr`) | `ssr` |
//! | the document around a page, and its script (feature `ssr`) | `shell` |
//! | signing in (feature `ssr`) | `sign_in`; the second factor: `second_factor` |

// The type of a page is as deep as its elements, so the compiler's default of 128 is too small.
#![recursion_limit = "256"]

#[cfg(feature = "ssr")]
pub mod account;
#[cfg(feature = "ssr")]
pub mod api_docs;
pub mod api_keys;
#[cfg(feature = "ssr")]
pub mod audit_log;
pub mod browser;
pub mod components;
#[cfg(feature = "ssr")]
mod confirmation;
pub mod current_tenant;
#[cfg(feature = "ssr")]
pub mod document;
pub mod done;
pub mod error;
#[cfg(feature = "ssr")]
pub mod groups;
#[cfg(feature = "ssr")]
pub mod help;
#[cfg(feature = "ssr")]
pub mod key_page;
pub mod layout;
pub mod notice;
#[cfg(feature = "ssr")]
pub mod one_time_link;
pub mod page;
pub mod page_json;
pub mod pages;
#[cfg(feature = "ssr")]
pub mod second_factor;
#[cfg(feature = "ssr")]
pub mod security_policy;
#[cfg(feature = "ssr")]
pub mod sign_in;
pub mod status_pages;
pub mod tenants;
#[cfg(feature = "ssr")]
pub mod theme;
pub mod urls;
#[cfg(feature = "ssr")]
pub mod users;
pub mod words;

#[cfg(feature = "ssr")]
mod shell;
#[cfg(feature = "ssr")]
pub mod ssr;

#[cfg(feature = "ssr")]
pub use shell::{shell, with_shape};
