//! The tenant that a change concerns.

use leptos::prelude::*;

use crate::current_tenant::use_acting_tenant;

/// ` of Acme Logistics` for super users, who may act in any tenant; nothing for other users. Follows the name of a key or group in a
/// dialog or confirmation.
#[component]
pub fn OfTenant() -> impl IntoView {
    let tenant = use_acting_tenant();
    move || {
        let tenant = tenant.get();
        tenant.map(|tenant| view! { " of "<strong dir="auto">{tenant.name}</strong> })
    }
}
