//! The dialog that edits a key, except its expiration date and its secret.

use chrono::NaiveDate;
use domain::{
    id::KeyId,
    key::{KeyStatus, expiry::ExpirationDate, form::KeyForm, today},
    network::parse_network,
};
use leptos::{
    prelude::*,
    web_sys::{MouseEvent, SubmitEvent},
};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};
use uuid::Uuid;

use super::{
    allowlist_field::AllowlistField,
    allowlist_preview::AllowlistEffect,
    conflict_notice::ConflictNotice,
    dialog_close::{CancelLink, CloseLink, DialogClose},
    dialog_parts::AlreadyRevoked,
    dialog_target::{DialogKind, DialogTarget},
    expiry_help::expiry_in_words,
    form_state::{FormState, validate_edit},
    form_summary::FormSummary,
    key_fields::{DescriptionField, GroupField, NameField},
    rejected_form::{RejectedForm, hidden},
    responses::{Changed, Conflict, EditContext, Edited, KeyDetail},
    server_fns::edit_api_key,
    submission::Submission,
    unsaved_text::{AskBeforeDiscard, UnsavedText, release},
};
use crate::{
    browser,
    components::{Callout, Dialog, OfTenant, SubmitButton, Tone},
    current_tenant::use_tenant,
    error::{AppError, ErrorCode},
    urls,
};

/// The dialog.
#[component]
pub fn EditDialog(
    /// The key, and the data of its form.
    context: EditContext,
    /// The form as it was sent without a script and rejected.
    rejected: Option<RejectedForm>,
    /// Closes the dialog.
    close: DialogClose,
    /// Called after the key is saved; reloads the list.
    saved: Callback<Changed>,
) -> impl IntoView {
    let EditContext { detail, form } = context;
    let KeyDetail {
        key,
        version,
        form_id,
        ..
    } = detail;
    if key.status == KeyStatus::Revoked {
        return view! { <AlreadyRevoked title="Edit API key" name=key.name.to_string() close /> }
            .into_any();
    }
    let opened = KeyForm::of(&key);
    let added = use_query_map()
        .get_untracked()
        .get(urls::ALLOW)
        .and_then(|address| AddedAddress::new(&opened, &address));
    let is_first = rejected.is_none();
    let sent = rejected.unwrap_or_else(|| RejectedForm {
        form: (added.as_ref()).map_or_else(|| opened.clone(), |added| added.form.clone()),
        ..RejectedForm::default()
    });
    let RejectedForm {
        form: typed,
        conflict,
        checked,
        ..
    } = sent;
    // The notice about the conflict replaces the failure.
    let failure = sent.error.filter(|_| conflict.is_none());
    // A change by another user after the form was sent is still reported.
    let version = match &conflict {
        Some(theirs) => theirs.version,
        None => sent.version.unwrap_or(version),
    };
    let state = FormState::new(today(form.now), form.rule, typed, validate_edit);
    if let Some(failure) = &failure {
        state.show_server_errors(failure.fields.clone());
    }
    let stored = StoredValue::new(opened);
    let form_state = EditState {
        fields: state,
        opened: stored,
        version: RwSignal::new(version),
        conflict: RwSignal::new(conflict),
        submission: Submission::new("changed", failure, Some(close.is_stale)),
        form_id,
        unsaved: UnsavedText::new(Signal::derive(move || {
            state
                .form
                .with(|form| stored.with_value(|stored| form != stored))
        })),
    };
    // Reads text that was typed before the script started, or that the browser restored after a reload.
    Effect::new(move |_| state.read());
    let leave = DialogClose {
        run: Callback::new(move |()| form_state.close_or_ask(close)),
        ..close
    }
    .disabled_while(form_state.submission.is_busy);
    let on_cancel = leave.run;
    // The URL of this dialog over the same list.
    let again = close.other(&DialogTarget {
        kind: DialogKind::Edit,
        id: key.id.to_string(),
    });
    let submit = form_state.submit(key.id, saved);
    let take_theirs = Callback::new(move |theirs: Conflict| form_state.use_theirs(&theirs));
    let groups = form.groups;
    let added = added.filter(|_| is_first).map(|added| {
        view! {
            <Callout tone=Tone::Neutral>
                <p>"Added "<code>{added.address}</code>" to the IP allowlist. Save to apply it."</p>
            </Callout>
        }
    });
    let expiry = view! { <ExpiryNote expires_on=key.expires_on today=today(form.now) close id=key.id.to_string() /> };
    let (id, stored) = (key.id.to_string(), key.ip_allowlist);
    let name = key.name.to_string();
    view! {
        <Dialog id="dialog" labelled_by="edit-title edit-name" wide=true on_cancel>
            <form method="post" novalidate on:submit=submit>
                // Enter in a field presses the first button of a form: Save, and not Check.
                <button class="visually-hidden" tabindex="-1" aria-hidden="true">"Save"</button>
                <input
                    type="hidden"
                    name=hidden::VERSION
                    value=move || form_state.version.get().to_string()
                    autocomplete="off"
                />
                <div class="dialog-header">
                    <div>
                        <h2 id="edit-title">"Edit API key"</h2>
                        <p class="muted" id="edit-name" dir="auto">{name}<OfTenant /></p>
                    </div>
                    <CloseLink close=leave />
                </div>
                <div class="dialog-body">
                    {move || form_state.submission.failure.get().map(|failure| view! { <FormSummary failure /> })}
                    {added}
                    <ConflictNotice
                        conflict=form_state.conflict
                        typed=state.form
                        groups=groups.clone()
                        url=again
                        take=take_theirs
                    />
                    <NameField state />
                    <DescriptionField state />
                    <GroupField state groups />
                    {expiry}
                    <AllowlistField state client=form.client>
                        <AllowlistEffect state id stored checked />
                    </AllowlistField>
                </div>
                <Actions form_state leave close />
            </form>
        </Dialog>
    }
    .into_any()
}

/// The expiration date, and a link to the dialog that changes it.
#[component]
fn ExpiryNote(
    expires_on: Option<ExpirationDate>,
    today: NaiveDate,
    close: DialogClose,
    id: String,
) -> impl IntoView {
    let url = close.other(&DialogTarget {
        kind: DialogKind::Rotate,
        id,
    });
    let navigate = use_navigate();
    let open = move |event: MouseEvent| {
        event.prevent_default();
        // The dialog replaces this one, so that closing it leads back to the list.
        let options = NavigateOptions {
            replace: true,
            scroll: false,
            ..NavigateOptions::default()
        };
        navigate(&url.get_untracked(), options);
    };
    view! {
        <p class="hint">
            {expiry_in_words(expires_on, today)}". "
            <a href=url on:click=open>"Rotate"</a>
            " to change it."
        </p>
    }
    .into_any()
}

fn is_revoked(failure: &AppError) -> bool {
    failure.code == ErrorCode::KeyRevoked
}

/// The form with an address that the URL adds to the allowlist.
struct AddedAddress {
    /// The address in its canonical form.
    address: String,
    form: KeyForm,
}

impl AddedAddress {
    /// `None` if the text is not an address or range, if the list contains it, or if the list is empty and thus admits every address.
    fn new(opened: &KeyForm, address: &str) -> Option<Self> {
        let address = parse_network(address)?.to_string();
        let mut lines: Vec<_> = opened.ip_allowlist.lines().collect();
        if lines.is_empty() || lines.contains(&address.as_str()) {
            return None;
        }
        lines.push(&address);
        let form = KeyForm {
            ip_allowlist: lines.join("\n"),
            ..opened.clone()
        };
        Some(Self { address, form })
    }
}

/// The state of the dialog.
#[derive(Clone, Copy)]
struct EditState {
    fields: FormState,
    /// The key's fields when the dialog was opened.
    opened: StoredValue<KeyForm>,
    /// The version of the key that an edit is compared with.
    version: RwSignal<i64>,
    /// A change by another user since the dialog was opened.
    conflict: RwSignal<Option<Conflict>>,
    submission: Submission,
    form_id: Uuid,
    unsaved: UnsavedText,
}

impl EditState {
    /// Closes the dialog; asks first if typed changes would be lost.
    fn close_or_ask(self, close: DialogClose) {
        let typed = self.fields.form.get_untracked();
        if self.opened.with_value(|opened| *opened == typed) {
            close.run.run(());
        } else {
            self.unsaved.ask();
        }
    }

    fn submit(
        self,
        key_id: KeyId,
        saved: Callback<Changed>,
    ) -> impl Fn(SubmitEvent) + Clone + 'static {
        let tenant = use_tenant();
        move |event: SubmitEvent| {
            event.prevent_default();
            if self.submission.is_busy.get_untracked() {
                return;
            }
            self.unsaved.is_asking.set(false);
            let errors = self.fields.validate_all();
            if !errors.is_empty() {
                self.submission.failure.set(Some(AppError::invalid(errors)));
                return;
            }
            let (tenant, id) = (tenant.get_untracked().0, key_id.to_string());
            let (version, form) = (
                self.version.get_untracked(),
                self.fields.form.get_untracked(),
            );
            let name = form.name.trim().to_owned();
            self.submission.send(async move {
                let result = edit_api_key(tenant, id, version, form, Some(self.form_id)).await;
                self.fields.show_errors_of(&result);
                if result.as_ref().is_err_and(is_revoked) {
                    // The failure replaces the notice about the conflict.
                    self.conflict.try_set(None);
                }
                match result? {
                    Edited::Saved(receipt) => {
                        release();
                        saved.run(Changed {
                            id: key_id,
                            name,
                            receipt,
                        });
                    }
                    // The dialog may be closed by now.
                    Edited::Conflict(theirs) => {
                        self.version.try_set(theirs.version);
                        self.conflict.try_set(Some(*theirs));
                    }
                }
                Ok(())
            });
        }
    }

    /// Replaces the fields by the other user's version.
    fn use_theirs(self, theirs: &Conflict) {
        let form = KeyForm::of(&theirs.key);
        self.opened.set_value(form.clone());
        self.fields.replace(form);
        self.submission.failure.set(None);
        self.conflict.set(None);
        browser::focus(super::form_state::NAME.id);
    }
}

/// Cancel and Save, or the question whether to discard the typed changes.
#[component]
fn Actions(form_state: EditState, leave: DialogClose, close: DialogClose) -> impl IntoView {
    let save = Signal::derive(move || {
        let is_conflict = form_state.conflict.with(Option::is_some);
        if is_conflict { "Save anyway" } else { "Save" }.to_owned()
    });
    move || {
        if form_state.unsaved.is_asking.get() {
            return view! {
                <AskBeforeDiscard
                    unsaved=form_state.unsaved
                    class="dialog-actions"
                    focus=super::form_state::NAME.id
                    close=close.run
                />
            }
            .into_any();
        }
        let failure = form_state.submission.failure;
        if failure.with(|failure| failure.as_ref().is_some_and(is_revoked)) {
            return view! {
                <div class="dialog-actions"><CancelLink close label="Close" /></div>
            }
            .into_any();
        }
        view! {
            <div class="dialog-actions">
                <CancelLink close=leave />
                <SubmitButton class="button button-primary" label=save waiting="Saving…" is_busy=form_state.submission.is_busy />
            </div>
        }
        .into_any()
    }
}
