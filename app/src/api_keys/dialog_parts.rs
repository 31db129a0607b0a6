//! Parts that the dialogs and the form of keys share.

use chrono::{DateTime, Utc};
use domain::key::ApiKey;
use leptos::prelude::*;

use super::dialog_close::{CancelLink, DialogClose};
use crate::{
    components::{Dialog, Icon, OfTenant, date::Ago},
    current_tenant::use_tenant,
    error::{AppError, ErrorCode},
    urls,
};

/// The reason for which a dialog's form failed. Errors of its fields are shown at the fields instead.
#[component]
pub fn SubmitFailure(
    /// The failure, if there is one.
    failure: RwSignal<Option<AppError>>,
) -> impl IntoView {
    move || {
        let failure = failure
            .get()
            .filter(|failure| failure.code != ErrorCode::Invalid)?;
        Some(view! {
            <div class="callout" data-tone="danger" role="alert">
                <Icon name="alert" />
                <p>{failure.message}" "<NextStepLink code=failure.code /></p>
            </div>
        })
    }
}

/// The link below a failed form: to a new sign-in if the session ended, which keeps the typed text; to the list if the change was made or
/// may have been made.
#[component]
pub fn NextStepLink(
    /// The error code of the form.
    code: ErrorCode,
) -> impl IntoView {
    let (href, text, target, rest) = match code {
        ErrorCode::NotSignedIn => (
            urls::sign_in(urls::ACCOUNT),
            "Sign in in a new tab",
            Some("_blank"),
            ", then try again here.",
        ),
        ErrorCode::OutcomeUnknown | ErrorCode::AlreadyDone => (
            use_tenant().get_untracked().url(urls::API_KEYS),
            "Go to API Keys",
            None,
            "",
        ),
        _ => return None,
    };
    Some(view! { <a href=href target=target>{text}</a>{rest} })
}

/// A key's hint, and the time and address of its secret's last use.
#[component]
pub fn KeyFacts(
    /// The key.
    key: ApiKey,
    /// The server's time.
    now: DateTime<Utc>,
    /// The label of the hint.
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

/// Replaces a dialog whose key is revoked.
#[component]
pub fn AlreadyRevoked(
    /// The title of the dialog.
    title: &'static str,
    /// The key's name.
    name: String,
    /// Closes the dialog.
    close: DialogClose,
) -> impl IntoView {
    view! {
        <Dialog id="dialog" labelled_by="revoked-title revoked-name" described_by="revoked-text" on_cancel=close.run>
            <div class="dialog-header">
                <div>
                    <h2 id="revoked-title">{title}</h2>
                    <p class="muted" id="revoked-name" dir="auto">{name}<OfTenant /></p>
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
