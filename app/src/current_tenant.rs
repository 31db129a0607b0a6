//! The tenant that a page acts in: the one in the URL, and the one in links.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::urls::TenantQuery;

/// The value of `?tenant=` in the URL, for users of every role.
pub fn use_named_tenant() -> Memo<Option<String>> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| query.get("tenant")))
}

/// The tenant of the console's links; `None` outside the console's layout.
#[must_use]
pub fn use_console_tenant() -> Option<Signal<TenantQuery>> {
    use_context::<Signal<TenantQuery>>()
}

/// The tenant of links inside the console's layout.
#[must_use]
pub fn use_tenant() -> Signal<TenantQuery> {
    use_console_tenant().unwrap_or_default()
}
