//! The list of keys, with the dialog that the URL opens over it.

use domain::{key::query::KeyQuery, propagation::Propagation};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    components::Outlet,
    hooks::{use_location, use_navigate, use_query_map},
};

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::{
    dialog_close::DialogClose,
    dialog_target::{DialogKind, DialogTarget, IDS, OpenTarget},
    edit::EditDialog,
    filters::FilterBar,
    list_header::{GenerateButton, ListHeader},
    list_query::ListQuery,
    pager::{Pager, ResultCount},
    rejected_form::{RejectedForm, use_rejected_form},
    responses::{EditContext, KeyDetail, KeyList, SelectedKeys},
    revoke::RevokeDialog,
    revoke_many::RevokeManyDialog,
    rotate::RotateDialog,
    selection::{Selection, SelectionBar},
    server_fns::{get_api_key, get_selected_keys, list_api_keys, open_edit_form},
    table::{KeyTable, TableSkeleton},
};
use crate::{
    browser,
    components::{Breadcrumb, Icon, PageTitle},
    current_tenant::{use_named_tenant, use_tenant},
    error::{AppError, ErrorCode},
    page::MenuSection,
    tenants::TenantPageFailure,
    urls, words,
};

/// A dialog with its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Opened {
    Edit(Box<EditContext>),
    Rotate(Box<KeyDetail>),
    Revoke(Box<KeyDetail>),
    RevokeMany(Box<SelectedKeys>),
}

impl Opened {
    fn is_of(&self, target: &OpenTarget) -> bool {
        let (kind, detail) = match self {
            Self::RevokeMany(selected) => {
                return matches!(target, OpenTarget::Keys(ids) if *ids == selected.ids);
            }
            Self::Edit(context) => (DialogKind::Edit, &context.detail),
            Self::Rotate(detail) => (DialogKind::Rotate, detail.as_ref()),
            Self::Revoke(detail) => (DialogKind::Revoke, detail.as_ref()),
        };
        matches!(target, OpenTarget::Key(target) if kind == target.kind && detail.key.id.to_string() == target.id)
    }
}

/// The open dialog, if there is one.
type OpenDialog = Option<Opened>;

async fn open_dialog(
    tenant: Option<String>,
    target: Option<OpenTarget>,
) -> Result<OpenDialog, AppError> {
    let DialogTarget { kind, id } = match target {
        None => return Ok(None),
        Some(OpenTarget::Keys(ids)) => {
            let selected = get_selected_keys(tenant, ids).await?;
            return Ok(Some(Opened::RevokeMany(Box::new(selected))));
        }
        Some(OpenTarget::Key(target)) => target,
    };
    let opened = match kind {
        DialogKind::Edit => Opened::Edit(Box::new(open_edit_form(tenant, id).await?)),
        DialogKind::Rotate => Opened::Rotate(Box::new(get_api_key(tenant, id).await?)),
        DialogKind::Revoke => Opened::Revoke(Box::new(get_api_key(tenant, id).await?)),
    };
    Ok(Some(opened))
}

/// The list with its dialogs.
#[component]
pub fn ApiKeysPage() -> impl IntoView {
    let tenant = use_named_tenant();
    let path = use_location().pathname;
    let parameters = use_query_map();
    let query = Memo::new(move |_| parameters.with(ListQuery::parse));
    let target = Memo::new(move |_| {
        let ids = || parameters.with(|parameters| parameters.get_all(IDS).unwrap_or_default());
        path.with(|path| OpenTarget::parse(path, ids))
    });
    let selection = Selection::provide();
    let list = Resource::new(
        move || (tenant.get(), query.get()),
        |(tenant, query)| list_api_keys(tenant, KeyQuery::from(query)),
    );
    let dialog = Resource::new(
        move || (tenant.get(), target.get()),
        |(tenant, target)| open_dialog(tenant, target),
    );
    let rejected = StoredValue::new(use_rejected_form());
    // The rejected form belongs only to the first page that is loaded, not to a dialog that is opened later.
    Effect::new(move |_| request_animation_frame(move || rejected.set_value(None)));
    // Only the browser shows a pending state: the server renders the page when everything is loaded.
    let is_pending = RwSignal::new(false);
    let is_hydrated = RwSignal::new(false);
    Effect::new(move |_| is_hydrated.set(true));
    let is_busy = Signal::derive(move || is_hydrated.get() && is_pending.get());
    let fallback = move || view! { <TableSkeleton query /> };
    let keys = Suspend::new(async move {
        // Memos over the resources are created after these are loaded, as in the layout.
        let _ = (list.await, dialog.await);
        view! { <Keys list dialog query target is_busy rejected selection /> }
    });
    // The effect that sets the signal also runs on the server, where it could outlive the page and use a disposed signal.
    #[cfg(feature = "ssr")]
    let keys = {
        let _ = is_pending;
        view! { <Transition fallback>{keys}</Transition> }
    };
    #[cfg(not(feature = "ssr"))]
    let keys = view! { <Transition fallback set_pending=is_pending>{keys}</Transition> };
    view! {
        {keys}
        <Outlet />
    }
    .into_any()
}

#[component]
fn Keys(
    list: Resource<Result<KeyList, AppError>>,
    dialog: Resource<Result<OpenDialog, AppError>>,
    query: Memo<ListQuery>,
    target: Memo<Option<OpenTarget>>,
    is_busy: Signal<bool>,
    rejected: StoredValue<Option<RejectedForm>>,
    selection: Selection,
) -> impl IntoView {
    let failure = Memo::new(move |_| {
        let of_list = list
            .get()
            .and_then(Result::err)
            .filter(|error| !is_temporary(error));
        let of_dialog = dialog.get().and_then(Result::err);
        of_list.or(of_dialog)
    });
    let loaded = Memo::new(move |_| list.get().and_then(Result::ok));
    selection.follow(loaded);
    let unavailable = Memo::new(move |_| {
        let error = list.get().and_then(Result::err).filter(is_temporary);
        error.map(|error| error.message)
    });
    let open = Memo::new(move |_| {
        let open: OpenDialog = dialog.get().and_then(Result::ok).flatten();
        // Data that arrives after its dialog was closed is not shown.
        open.filter(|opened| {
            target.with(|target| target.as_ref().is_some_and(|target| opened.is_of(target)))
        })
    });
    let reload = Callback::new(move |()| list.refetch());
    move || {
        match failure.get() {
        Some(error) => view! { <TenantPageFailure error /> }.into_any(),
        None => view! { <Page loaded unavailable open query target reload is_busy rejected selection /> }
            .into_any(),
    }
    }
}

/// Whether only the list is temporarily unavailable: the page stays, with its filters.
fn is_temporary(error: &AppError) -> bool {
    error.code == ErrorCode::TooManyRequests
}

#[component]
fn Page(
    loaded: Memo<Option<KeyList>>,
    unavailable: Memo<Option<String>>,
    open: Memo<OpenDialog>,
    query: Memo<ListQuery>,
    target: Memo<Option<OpenTarget>>,
    reload: Callback<()>,
    is_busy: Signal<bool>,
    rejected: StoredValue<Option<RejectedForm>>,
    selection: Selection,
) -> impl IntoView {
    let tenant = use_tenant();
    let navigate = use_navigate();
    let url = Signal::derive(move || query.with(|query| query.url(&tenant.get(), urls::API_KEYS)));
    let is_stale = RwSignal::new(false);
    // Whether the entry before the dialog in the history is the list under it: closing goes back to it.
    let is_opened_from_list = StoredValue::new(false);
    Effect::new(move |was_open: Option<bool>| {
        let is_open = target.with(Option::is_some);
        if was_open != Some(true) {
            is_opened_from_list.set_value(is_open && was_open.is_some());
        }
        is_open
    });
    let close = DialogClose {
        url,
        run: Callback::new(move |()| {
            if is_opened_from_list.get_value() {
                browser::back();
                return;
            }
            let options = NavigateOptions {
                replace: true,
                scroll: false,
                ..NavigateOptions::default()
            };
            navigate(&url.get_untracked(), options);
        }),
        is_disabled: RwSignal::new(false),
        is_stale,
    };
    let opener_is_gone = RwSignal::new(false);
    restore_focus(target, opener_is_gone);
    Effect::new(move |_| {
        if target.with(Option::is_none) && is_stale.get_untracked() {
            is_stale.set(false);
            reload.run(());
        }
    });
    let message = RwSignal::new(String::new());
    // A message refers only to the last change.
    Effect::new(move |_| {
        if target.with(Option::is_some) {
            message.set(String::new());
        }
    });
    let done = move |what: &str, receipt: Option<Propagation>| {
        reload.run(());
        close.run.run(());
        message.set(receipt.map_or_else(String::new, |receipt| receipt.sentence(what)));
    };
    let revoked = Callback::new(move |receipt| {
        opener_is_gone.set(true);
        done("Refused", receipt);
    });
    let revoked_many = Callback::new(move |(number, receipt): (usize, Option<Propagation>)| {
        opener_is_gone.set(true);
        selection.clear();
        done("Refused", None);
        let revoked = format!("{} revoked.", words::count(number as u64, "key", "keys"));
        let receipt = receipt.map(|receipt| format!(" {}", receipt.sentence("Refused")));
        message.set(revoked + &receipt.unwrap_or_default());
    });
    let saved = Callback::new(move |receipt| done("In force", receipt));
    let is_empty = Memo::new(move |_| {
        loaded.with(|list| list.as_ref().is_some_and(|list| list.summary.total == 0))
    });
    let title = move || {
        // The title is rendered after the rest of the page, on the server outside the scope of its signals: so it is a string and not a function
        // over signals.
        let kind = target.with(|target| {
            target.as_ref().map(|target| match target {
                OpenTarget::Key(target) => Some(target.kind),
                OpenTarget::Keys(_) => None,
            })
        });
        let text = match kind.map(|kind| kind.unwrap_or(DialogKind::Revoke)) {
            Some(DialogKind::Edit) => "Edit API Key – Latchkey",
            Some(DialogKind::Rotate) => "Rotate API Key – Latchkey",
            Some(DialogKind::Revoke) => "Revoke API Key – Latchkey",
            None => "API Keys – Latchkey",
        };
        view! { <PageTitle text /> }
    };
    let list = move || match unavailable.get() {
        Some(message) => view! { <ListUnavailable message url /> }.into_any(),
        None => view! {
            <KeyTable list=loaded query is_busy />
            <Pager list=loaded query />
            <ResultCount list=loaded query />
            <SelectionBar list=loaded query />
        }
        .into_any(),
    };
    let keys = move || {
        if is_empty.get() {
            view! { <NoKeys list=loaded /> }.into_any()
        } else {
            view! {
                <FilterBar query />
                {list}
            }
            .into_any()
        }
    };
    let dialog = move || {
        let rejected = rejected.get_value();
        open.get().map(|opened| match opened {
            Opened::Edit(context) => {
                view! { <EditDialog context=*context rejected close saved /> }.into_any()
            }
            Opened::Rotate(detail) => {
                view! { <RotateDialog detail=*detail rejected close reload /> }.into_any()
            }
            Opened::Revoke(detail) => {
                view! { <RevokeDialog detail=*detail rejected close revoked /> }.into_any()
            }
            Opened::RevokeMany(selected) => {
                view! { <RevokeManyDialog selected=*selected rejected close revoked=revoked_many /> }
                    .into_any()
            }
        })
    };
    view! {
        {title}
        <div class="page">
            <Breadcrumb section=MenuSection::DataAndMonitoring page="API Keys" />
            <ListHeader list=loaded />
            {keys}
        </div>
        {dialog}
        <Toast message />
    }
    .into_any()
}

/// The display time of a message that requires no action.
const TOAST_DURATION: Duration = Duration::from_secs(8);

/// The outcome of the last change if the list does not show it.
#[component]
fn Toast(message: RwSignal<String>) -> impl IntoView {
    Effect::new(move |_| {
        let now = message.get();
        if !now.is_empty() {
            set_timeout(
                move || {
                    // A newer message has its own timeout.
                    if message.try_get_untracked() == Some(now) {
                        message.set(String::new());
                    }
                },
                TOAST_DURATION,
            );
        }
    });
    let dismiss = move || message.set(String::new());
    let message = move || {
        let message = message.get();
        (!message.is_empty()).then(|| {
            view! {
                <div class="toast">
                    <Icon name="check" />
                    <p>{message}</p>
                    <button
                        class="icon-button"
                        type="button"
                        aria-label="Dismiss"
                        on:click=move |_| dismiss()
                    >
                        <Icon name="x" />
                    </button>
                </div>
            }
        })
    };
    view! { <div class="toasts" role="status">{message}</div> }
}

/// Returns the focus to the link that opened a dialog when the dialog closes, or to the page's title if the link is gone or about to go.
fn restore_focus(target: Memo<Option<OpenTarget>>, opener_is_gone: RwSignal<bool>) {
    Effect::new(move |before: Option<Option<OpenTarget>>| {
        let now = target.get();
        if let (Some(Some(before)), None) = (before, &now) {
            let mut places = vec!["page-title".to_owned()];
            if !opener_is_gone.get_untracked() {
                places.insert(0, before.opener_id());
            }
            opener_is_gone.set(false);
            browser::focus_first(places);
        }
        now
    });
}

/// Replaces a list that could not be loaded.
#[component]
fn ListUnavailable(message: String, url: Signal<String>) -> impl IntoView {
    view! {
        <section class="empty" role="status">
            <p>{message}</p>
            <a class="button" rel="external" href=url>"Try again"</a>
        </section>
    }
}

#[component]
fn NoKeys(list: Memo<Option<KeyList>>) -> impl IntoView {
    let button = move || {
        let usage = list.with(|list| list.as_ref().map(|list| list.summary.quota));
        usage.map(|usage| view! { <GenerateButton usage /> })
    };
    view! {
        <section class="empty">
            <h2>"No API keys yet"</h2>
            <p>
                "A key lets an integration call your services without a person signing in. You choose what it may do, from where, and until when."
            </p>
            {button}
        </section>
    }
}
