//! The dialog that edits a key, except its expiration date and its secret.

use domain::{
    group::AuthorizationGroup,
    key::{ApiKey, KeyStatus, form::KeyForm, today},
    network::parse_network,
    propagation::Propagation,
};
use leptos::{prelude::*, web_sys::SubmitEvent};
use leptos_router::hooks::use_query_map;
use uuid::Uuid;

use super::{
    allowlist_field::AllowlistField,
    allowlist_preview::AllowlistEffect,
    dialog_close::{CancelLink, CloseLink, DialogClose},
    dialog_parts::AlreadyRevoked,
    dialog_target::{DialogKind, DialogTarget},
    form_state::{FormState, validate_edit},
    form_summary::FormSummary,
    key_fields::{DescriptionField, GroupField, NameField},
    rejected_form::{RejectedForm, hidden},
    responses::{Conflict, EditContext, Edited, KeyDetail},
    server_fns::edit_api_key,
    submission::Submission,
};
use crate::{
    browser,
    components::{Callout, Dialog, Icon, Tone, field::flag},
    current_tenant::use_tenant,
    error::AppError,
    urls,
};

/// The id of the notice about a conflict.
const CONFLICT: &str = "edit-conflict";

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
    saved: Callback<Option<Propagation>>,
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
    let state = FormState::new(today(form.now), typed, validate_edit);
    if let Some(failure) = &failure {
        state.show_server_errors(failure.fields.clone());
    }
    let form_state = EditState {
        fields: state,
        opened: StoredValue::new(opened),
        version: RwSignal::new(version),
        conflict: RwSignal::new(conflict),
        submission: Submission::new("changed", failure, Some(close.is_stale)),
        form_id,
        is_asking: RwSignal::new(false),
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
    let path = DialogTarget {
        kind: DialogKind::Edit,
        id: key.id.to_string(),
    }
    .path();
    let again = Signal::derive(move || close.url.get().replacen(urls::API_KEYS, &path, 1));
    let submit = form_state.submit(key.id.to_string(), saved);
    let groups = form.groups;
    let added = added.filter(|_| is_first).map(|added| {
        view! {
            <Callout tone=Tone::Neutral>
                <p>"Added "<code>{added.address}</code>" to the IP allowlist. Save to apply it."</p>
            </Callout>
        }
    });
    let (id, stored) = (key.id.to_string(), key.ip_allowlist);
    let name = key.name.to_string();
    view! {
        <Dialog id="dialog" labelled_by="edit-title" wide=true on_cancel>
            <form method="post" novalidate on:submit=submit>
                // Enter in a field presses the first button of a form: Save, and not Check.
                <button class="visually-hidden without-script" tabindex="-1" aria-hidden="true">"Save"</button>
                <input
                    type="hidden"
                    name=hidden::VERSION
                    value=move || form_state.version.get().to_string()
                    autocomplete="off"
                />
                <div class="dialog-header">
                    <div>
                        <h2 id="edit-title">"Edit API key"</h2>
                        <p class="muted" dir="auto">{name}</p>
                    </div>
                    <CloseLink close=leave />
                </div>
                <div class="dialog-body">
                    {move || form_state.submission.failure.get().map(|failure| view! { <FormSummary failure /> })}
                    {added}
                    <ConflictNotice form_state groups=groups.clone() url=again />
                    <NameField state />
                    <DescriptionField state />
                    <GroupField state groups />
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
    /// Whether the dialog asks to discard the typed changes.
    is_asking: RwSignal<bool>,
}

impl EditState {
    /// Closes the dialog; asks first if typed changes would be lost.
    fn close_or_ask(self, close: DialogClose) {
        let typed = self.fields.form.get_untracked();
        if self.opened.with_value(|opened| *opened == typed) {
            close.run.run(());
        } else {
            self.is_asking.set(true);
        }
    }

    fn submit(
        self,
        id: String,
        saved: Callback<Option<Propagation>>,
    ) -> impl Fn(SubmitEvent) + Clone + 'static {
        let tenant = use_tenant();
        move |event: SubmitEvent| {
            event.prevent_default();
            if self.submission.is_busy.get_untracked() {
                return;
            }
            self.is_asking.set(false);
            let errors = self.fields.validate_all();
            if !errors.is_empty() {
                self.submission.failure.set(Some(AppError::invalid(errors)));
                return;
            }
            let (tenant, id) = (tenant.get_untracked().0, id.clone());
            let (version, form) = (
                self.version.get_untracked(),
                self.fields.form.get_untracked(),
            );
            self.submission.send(async move {
                let result = edit_api_key(tenant, id, version, form, Some(self.form_id)).await;
                self.fields.show_errors_of(&result);
                match result? {
                    Edited::Saved(receipt) => saved.run(receipt),
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

/// Reports a conflict: who changed the key, the current values that differ, and how to continue.
#[component]
fn ConflictNotice(
    form_state: EditState,
    groups: Vec<AuthorizationGroup>,
    url: Signal<String>,
) -> impl IntoView {
    move || {
        let theirs = form_state.conflict.get()?;
        let who = theirs.by.clone().unwrap_or_else(|| "Somebody".to_owned());
        let typed = form_state.fields.form.get_untracked();
        let changes: Vec<_> = differences(&typed, &theirs.key, &groups)
            .into_iter()
            .map(|change| view! { <li>{change}</li> })
            .collect();
        let is_same = changes.is_empty();
        let list = if is_same {
            view! { <p>"It is the same as what you typed."</p> }.into_any()
        } else {
            view! { <ul>{changes}</ul> }.into_any()
        };
        let theirs = StoredValue::new(theirs);
        // Moves the focus once the notice is in the document.
        Effect::new(|_| {
            browser::focus(CONFLICT);
        });
        let take = move |event: leptos::web_sys::MouseEvent| {
            event.prevent_default();
            theirs.with_value(|theirs| form_state.use_theirs(theirs));
        };
        Some(view! {
            <div class="callout" data-tone="danger" role="alert" tabindex="-1" id=CONFLICT>
                <Icon name="alert" />
                <div>
                    <p>
                        <strong>{format!("{who} changed this key while you were editing.")}</strong>
                        " What you typed is kept."
                    </p>
                    {list}
                    // Without a script, the link opens the dialog again.
                    <p><a href=url rel="external" on:click=take>"Use theirs"</a></p>
                </div>
            </div>
        })
    }
}

/// One sentence for each field in which the stored key differs from the typed values.
fn differences(typed: &KeyForm, theirs: &ApiKey, groups: &[AuthorizationGroup]) -> Vec<String> {
    let now = KeyForm::of(theirs);
    let mut sentences = Vec::new();
    if typed.name.trim() != now.name {
        sentences.push(format!("Key Name is now “{}”.", now.name));
    }
    if typed.description.trim() != now.description {
        sentences.push(if now.description.is_empty() {
            "Description is now empty.".to_owned()
        } else {
            format!("Description is now “{}”.", now.description)
        });
    }
    if typed.authorization_group_id != now.authorization_group_id {
        let name = groups
            .iter()
            .find(|group| group.id == theirs.authorization_group.id)
            .map_or(theirs.authorization_group.name.as_str(), |group| {
                group.name.as_str()
            });
        sentences.push(format!("Authorization Group is now “{name}”."));
    }
    if typed.ip_allowlist.trim() != now.ip_allowlist.trim() {
        sentences.push(if now.ip_allowlist.is_empty() {
            "IP Allowlist is now empty: any address.".to_owned()
        } else {
            format!(
                "IP Allowlist is now {}.",
                now.ip_allowlist.trim().replace('\n', ", ")
            )
        });
    }
    sentences
}

/// Cancel and Save, or the question whether to discard the typed changes.
#[component]
fn Actions(form_state: EditState, leave: DialogClose, close: DialogClose) -> impl IntoView {
    let save = move || {
        if form_state.conflict.with(Option::is_some) {
            "Save anyway"
        } else {
            "Save"
        }
    };
    move || {
        if form_state.is_asking.get() {
            return view! { <AskBeforeClosing is_asking=form_state.is_asking close /> }.into_any();
        }
        view! {
            <div class="dialog-actions">
                <CancelLink close=leave />
                <button
                    class="button button-primary"
                    aria-busy=flag(form_state.submission.is_busy)
                >
                    {save}
                </button>
            </div>
        }
        .into_any()
    }
}

#[component]
fn AskBeforeClosing(is_asking: RwSignal<bool>, close: DialogClose) -> impl IntoView {
    Effect::new(|_| {
        browser::focus("edit-keep");
    });
    let keep = move |_| {
        is_asking.set(false);
        browser::focus(super::form_state::NAME.id);
    };
    view! {
        <div class="dialog-actions" role="alertdialog" aria-labelledby="edit-discard">
            <p id="edit-discard"><strong>"Discard changes?"</strong></p>
            <button class="button" id="edit-keep" type="button" on:click=keep>"Keep editing"</button>
            <button class="button button-danger-quiet" type="button" on:click=move |_| close.run.run(())>
                "Discard"
            </button>
        </div>
    }
}
