//! The tenant that a page acts in: the one in the URL, the one in links, and the one that a super user's pages name.

use chrono::{DateTime, Utc};
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

/// The tenant in which a super user acts: the one in the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActingTenant {
    /// Its name.
    pub name: String,
    /// The time from which its keys are refused; `None` if it is not suspended.
    pub suspended_at: Option<DateTime<Utc>>,
}

/// Provides the tenant in which a super user acts to the pages of the console's layout.
pub fn provide_acting_tenant(tenant: Signal<Option<ActingTenant>>) {
    provide_context(tenant);
}

/// The tenant in which a super user acts. `None` for other users, outside the console's layout, and if the URL names no tenant.
#[must_use]
pub fn use_acting_tenant() -> Signal<Option<ActingTenant>> {
    use_context::<Signal<Option<ActingTenant>>>().unwrap_or_default()
}
