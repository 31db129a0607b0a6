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

/// The expiration state of a key; nothing if it is valid. Muted on a revoked key.
#[component]
pub fn ExpirationBadge(
    /// The expiration state.
    state: ExpirationState,
    /// The key's status.
    status: KeyStatus,
) -> impl IntoView {
    let (tone, icon, word) = match state {
        ExpirationState::Valid => return None,
        ExpirationState::ExpiringSoon => ("warning", "clock", "Expiring Soon"),
        ExpirationState::Expired => ("danger", "alert", "Expired"),
    };
    let tone = if status == KeyStatus::Revoked {
        "neutral"
    } else {
        tone
    };
    Some(view! { <span class="badge" data-tone=tone><Icon name=icon />{word}</span> })
}
