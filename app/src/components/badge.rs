//! Badges of a key: icon and word.

use domain::key::{KeyStatus, expiry::ExpirationState};
use leptos::prelude::*;

use super::Icon;

/// The status of a key.
#[component]
pub fn StatusBadge(
    /// The status.
    status: KeyStatus,
) -> impl IntoView {
    let (tone, icon, word) = match status {
        KeyStatus::Active => ("success", "check-circle", "Active"),
        KeyStatus::Revoked => ("neutral", "slash", "Revoked"),
    };
    view! { <span class="badge" data-tone=tone><Icon name=icon />{word}</span> }
}

/// One badge about the date of a key: its expiration state, else that it is outside the tenant's security policy; none otherwise. Muted on a
/// revoked key.
#[component]
pub fn ExpirationBadge(
    /// The expiration state.
    state: ExpirationState,
    /// The key's status.
    status: KeyStatus,
    /// Whether the key is outside the policy.
    outside_policy: bool,
) -> impl IntoView {
    let (tone, icon, word) = match state {
        ExpirationState::ExpiringSoon => ("warning", "clock", "Expiring Soon"),
        ExpirationState::Expired => ("danger", "alert", "Expired"),
        ExpirationState::Valid if outside_policy => ("outline", "policy", "Outside policy"),
        ExpirationState::Valid => return None,
    };
    let tone = if status == KeyStatus::Revoked {
        "neutral"
    } else {
        tone
    };
    Some(view! { <span class="badge" data-tone=tone><Icon name=icon />{word}</span> })
}
