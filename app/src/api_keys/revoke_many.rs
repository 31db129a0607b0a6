//! The dialog that revokes several keys at once.

use domain::{key::KeyStatus, propagation::Propagation};
use leptos::prelude::*;

use super::{
    dialog_close::{CancelLink, CloseLink, DialogClose},
    dialog_parts::SubmitFailure,
    idempotency_field::IdempotencyField,
    reason_field::{ReasonField, ReasonState},
    rejected_form::RejectedForm,
    responses::SelectedKeys,
    server_fns::revoke_api_keys,
    submission::Submission,
};
use crate::{
    components::{Dialog, OfTenant, SubmitButton, date::Ago},
    current_tenant::use_tenant,
    words,
};

/// The dialog. The list is reloaded before it closes.
#[component]
pub fn RevokeManyDialog(
    /// The keys.
    selected: SelectedKeys,
    /// The form as it was sent without a script and rejected.
    rejected: Option<RejectedForm>,
    /// Closes the dialog.
    close: DialogClose,
    /// Called after the keys are revoked, with their number and the propagation of the change.
    revoked: Callback<(usize, Option<Propagation>)>,
) -> impl IntoView {
    let SelectedKeys {
        ids,
        keys,
        form_id,
        now,
    } = selected;
    let number = keys
        .iter()
        .filter(|key| key.status == KeyStatus::Active)
        .count();
    if number == 0 {
        return view! { <NothingToRevoke is_empty=keys.is_empty() close /> }.into_any();
    }
    let tenant = use_tenant();
    let (typed, error) = match rejected {
        Some(rejected) => (rejected.reason, rejected.error),
        None => (String::new(), None),
    };
    let submission = Submission::new("revoked", error, Some(close.is_stale));
    let Submission {
        is_busy, failure, ..
    } = submission;
    let close = close.disabled_while(is_busy);
    let reason = ReasonState::new(typed, failure);
    let submit = reason.submit(submission, move |reason| {
        let (tenant, ids) = (tenant.get_untracked().0, ids.clone());
        async move {
            let receipt = revoke_api_keys(tenant, ids, reason, Some(form_id)).await?;
            revoked.run((number, receipt));
            Ok(())
        }
    });
    let rows = keys
        .into_iter()
        .map(|key| {
            let used = if key.status == KeyStatus::Revoked {
                view! { "Already revoked" }.into_any()
            } else {
                view! { "Last used: "<Ago at=key.last_used_at now /> }.into_any()
            };
            view! {
                <li>
                    <strong dir="auto">{key.name.to_string()}</strong>
                    <span class="muted">{used}</span>
                </li>
            }
        })
        .collect_view();
    let (these, using) = if number == 1 {
        ("this API key".to_owned(), "this key")
    } else {
        (format!("these {number} API keys"), "these keys")
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
                <IdempotencyField form_id />
                <div class="dialog-header">
                    <div><h2 id="revoke-title">{format!("Revoke {}", words::count(number as u64, "API key", "API keys"))}</h2></div>
                    <CloseLink close />
                </div>
                <div class="dialog-body">
                    <SubmitFailure failure />
                    <p id="revoke-text">
                        {format!("Are you sure you want to revoke {these}")}<OfTenant />
                        {format!("? This action cannot be undone and any applications using {using} will lose access immediately.")}
                    </p>
                    <ul class="selected-keys">{rows}</ul>
                    <ReasonField state=reason />
                </div>
                <div class="dialog-actions">
                    <CancelLink close has_focus=true />
                    <SubmitButton class="button button-danger" label=format!("Revoke {}", words::count(number as u64, "key", "keys")) waiting="Revoking…" is_busy=is_busy />
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

/// Replaces the dialog if no key is selected, or if each is revoked already.
#[component]
fn NothingToRevoke(is_empty: bool, close: DialogClose) -> impl IntoView {
    let text = if is_empty {
        "No key is selected. Select keys in the list first."
    } else {
        "These keys are revoked. Nothing re-activates a revoked key."
    };
    view! {
        <Dialog id="dialog" labelled_by="revoked-title" described_by="revoked-text" on_cancel=close.run>
            <div class="dialog-header"><div><h2 id="revoked-title">"Revoke API keys"</h2></div></div>
            <div class="dialog-body"><p id="revoked-text">{text}</p></div>
            <div class="dialog-actions">
                <CancelLink close has_focus=true label="Close" />
            </div>
        </Dialog>
    }
    .into_any()
}
