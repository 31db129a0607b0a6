//! The content of the list's page if there is no table of keys.

use leptos::prelude::*;

use super::{list_header::GenerateButton, responses::KeyList};
use crate::{current_tenant::use_tenant, urls};

/// Replaces a list that could not be loaded.
#[component]
pub fn ListUnavailable(
    /// The reason.
    message: String,
    /// The URL of the list.
    url: Signal<String>,
) -> impl IntoView {
    view! {
        <section class="empty" role="status">
            <p>{message}</p>
            <a class="button" rel="external" href=url>"Try again"</a>
        </section>
    }
}

/// Replaces the table in a tenant without keys.
#[component]
pub fn NoKeys(
    /// The list.
    list: Memo<Option<KeyList>>,
) -> impl IntoView {
    let button = move || {
        let usage = list.with(|list| list.as_ref().map(|list| list.summary.quota));
        usage.map(|usage| view! { <GenerateButton usage /> })
    };
    let next = move || {
        if list.with(|list| list.as_ref().is_some_and(|list| list.needs_group)) {
            view! { <FirstGroup /> }.into_any()
        } else {
            view! { {button} }.into_any()
        }
    };
    view! {
        <section class="empty">
            <h2>"No API keys yet"</h2>
            <p>
                "A key lets an integration call your services without a person signing in. You choose what it may do, from where, and until when."
            </p>
            {next}
        </section>
    }
}

/// The first step in a tenant without an authorization group for keys.
#[component]
fn FirstGroup() -> impl IntoView {
    let tenant = use_tenant();
    let new_group = move || tenant.get().url(urls::NEW_GROUP);
    view! {
        <p>"First create an authorization group: it holds the permissions of its keys, such as "<code>"orders:read"</code>"."</p>
        <a class="button button-primary" rel="external" href=new_group>"Create a group"</a>
    }
}
