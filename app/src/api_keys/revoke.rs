//! The dialog that revokes a key.

use domain::key::KeyStatus;
use leptos::prelude::*;

use super::{
    dialog_close::{CancelLink, CloseLink, DialogClose},
    dialog_parts::{AlreadyRevoked, KeyFacts, SubmitFailure},
    reason_field::{ReasonField, ReasonState},
    rejected_form::RejectedForm,
    responses::{Changed, KeyDetail},
    server_fns::revoke_api_key,
    submission::Submission,
};
use crate::{
    components::{Dialog, OfTenant, SubmitButton},
    current_tenant::use_tenant,
};

/// The dialog. The list is reloaded before it closes.
#[component]
pub fn RevokeDialog(
    /// The key.
    detail: KeyDetail,
    /// The form as it was sent without a script and rejected.
    rejected: Option<RejectedForm>,
    /// Closes the dialog.
    close: DialogClose,
    /// Called after the key is revoked.
    revoked: Callback<Changed>,
) -> impl IntoView {
    let KeyDetail {
        key, now, form_id, ..
    } = detail;
    let name = key.name.to_string();
    if key.status == KeyStatus::Revoked {
        return view! { <AlreadyRevoked title="Revoke API key" name close /> }.into_any();
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
    let (key_id, id) = (key.id, key.id.to_string());
    let named = name.clone();
    let submit = reason.submit(submission, move |reason| {
        let (tenant, id, name) = (tenant.get_untracked().0, id.clone(), named.clone());
        async move {
            let receipt = revoke_api_key(tenant, id, Some(reason), Some(form_id)).await?;
            revoked.run(Changed {
                id: key_id,
                name,
                receipt,
            });
            Ok(())
        }
    });
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
                        <OfTenant />"? This action cannot be undone and any applications using this key will lose access immediately."
                    </p>
                    <KeyFacts key now label="Secret" />
                    <ReasonField state=reason />
                </div>
                <div class="dialog-actions">
                    <CancelLink close has_focus=true />
                    <SubmitButton class="button button-danger" label="Revoke" waiting="Revoking…" is_busy=is_busy />
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}
