//! The dialog that revokes a key.

use chrono::{DateTime, Utc};
use domain::{
    key::{ApiKey, KeyStatus},
    receipt::Receipt,
};
use leptos::{prelude::*, web_sys::SubmitEvent};

use super::{
    change::Change,
    closing::{CancelLink, CloseLink, Closing},
    refused::Refused,
    rotate::SubmitFailure,
    server_fns::{KeyDetail, revoke_api_key},
};
use crate::{
    components::{Dialog, date::Ago, field::flag},
    layout::use_tenant,
};

/// The dialog. The list is read again before it closes.
#[component]
pub fn RevokeDialog(
    /// The key.
    detail: KeyDetail,
    /// What was sent without a script and not done.
    refused: Option<Refused>,
    /// Leaves for the list.
    close: Closing,
    /// The key is revoked, and this is what the replicas said of it.
    revoked: Callback<Option<Receipt>>,
) -> impl IntoView {
    let KeyDetail {
        key, now, form_id, ..
    } = detail;
    let name = key.name.to_string();
    if key.status == KeyStatus::Revoked {
        return view! { <AlreadyRevoked title="Revoke API key" name close /> }.into_any();
    }
    let tenant = use_tenant();
    let change = Change::new(
        "revoked",
        refused.map(|refused| refused.error),
        Some(close.is_stale),
    );
    let Change {
        is_busy, failure, ..
    } = change;
    let close = close.unless(is_busy);
    let id = key.id.to_string();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if is_busy.get_untracked() {
            return;
        }
        let (tenant, id) = (tenant.get_untracked().0, id.clone());
        change.send(async move {
            revoked.run(revoke_api_key(tenant, id, Some(form_id)).await?);
            Ok(())
        });
    };
    view! {
        <Dialog
            id="dialog"
            labelled_by="revoke-title"
            described_by="revoke-text"
            role="alertdialog"
            on_cancel=close.run
        >
            <form method="post" on:submit=submit>
                <div class="dialog-header">
                    <div><h2 id="revoke-title">"Revoke API key"</h2></div>
                    <CloseLink close />
                </div>
                <div class="dialog-body">
                    <SubmitFailure failure />
                    <p id="revoke-text">
                        "Are you sure you want to revoke the API key "<strong dir="auto">{name}</strong>
                        "? This action cannot be undone and any applications using this key will lose access immediately."
                    </p>
                    <KeyFacts key now label="Secret" />
                </div>
                <div class="dialog-actions">
                    <CancelLink close has_focus=true />
                    <button
                        class="button button-danger"
                        aria-busy=flag(is_busy)
                    >
                        "Revoke"
                    </button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

/// The hint of the secret, and when and from where it was last used.
#[component]
pub fn KeyFacts(
    /// The key.
    key: ApiKey,
    /// The server's time.
    now: DateTime<Utc>,
    /// What the hint is called.
    label: &'static str,
) -> impl IntoView {
    let from = key
        .last_used_ip
        .map(|address| view! { " from "<code>{address}</code> });
    view! {
        <dl class="facts facts-row">
            <div><dt>{label}</dt><dd><code>{key.hint}</code></dd></div>
            <div><dt>"Last used"</dt><dd><Ago at=key.last_used_at now />{from}</dd></div>
        </dl>
    }
}

/// In the place of a dialog whose key is revoked: there is nothing to do.
#[component]
pub fn AlreadyRevoked(
    /// What was asked for.
    title: &'static str,
    /// The key's name.
    name: String,
    /// Leaves for the list.
    close: Closing,
) -> impl IntoView {
    view! {
        <Dialog id="dialog" labelled_by="revoked-title" described_by="revoked-text" on_cancel=close.run>
            <div class="dialog-header">
                <div>
                    <h2 id="revoked-title">{title}</h2>
                    <p class="muted" dir="auto">{name}</p>
                </div>
            </div>
            <div class="dialog-body">
                <p id="revoked-text">"This key is revoked. Nothing re-activates a revoked key."</p>
            </div>
            <div class="dialog-actions">
                <CancelLink close has_focus=true label="Close" />
            </div>
        </Dialog>
    }
}
