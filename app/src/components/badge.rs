//! Badges of a key: icon and word. What is normal has no fill; what needs action is tinted.

use domain::key::{KeyStatus, expiry::ExpirationState};
use leptos::prelude::*;

use super::Icon;

/// Whether a key is revoked.
#[component]
pub fn StatusBadge(
    /// Active or revoked.
    status: KeyStatus,
) -> impl IntoView {
    let (tone, icon, word) = match status {
        KeyStatus::Active => ("success", "check-circle", "Active"),
        KeyStatus::Revoked => ("neutral", "slash", "Revoked"),
    };
    view! { <span class="badge" data-tone=tone><Icon name=icon />{word}</span> }
}

/// Where a key stands with its expiration date; nothing for one that is valid. On a revoked key it is muted.
#[component]
pub fn ExpirationBadge(
    /// The key's state.
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
