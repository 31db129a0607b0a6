//! The list of keys, with the dialog that the URL opens over it.

use domain::{key::query::KeyQuery, propagation::Propagation};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    components::Outlet,
    hooks::{use_location, use_navigate, use_query_map},
};

use serde::{Deserialize, Serialize};

use super::{
    dialog_close::DialogClose,
    dialog_target::{DialogKind, DialogTarget, IDS, OpenTarget},
    edit::EditDialog,
    empty_list::{ListUnavailable, NoKeys},
    filters::FilterBar,
    list_header::ListHeader,
    list_query::ListQuery,
    pager::{Pager, ResultCount},
    pending_dialog::PendingDialog,
    rejected_form::{RejectedForm, use_rejected_form},
    responses::{Changed, EditContext, KeyDetail, KeyList, SelectedKeys},
    revoke::RevokeDialog,
    revoke_many::RevokeManyDialog,
    rotate::RotateDialog,
    selection::{Selection, SelectionBar},
    server_fns::{get_api_key, get_selected_keys, list_api_keys, open_edit_form},
    table::{KeyTable, RenderedRows, TableSkeleton},
};
use crate::{
    browser,
    components::{
        Breadcrumb, PageTitle,
        dialog::DialogIsShown,
        waiting::{is_slow, loading},
    },
    current_tenant::{use_named_tenant, use_tenant},
    done::Done,
    error::{AppError, ErrorCode},
    notice::{Confirmation, Notice},
    page::MenuSection,
    tenants::TenantPageFailure,
    urls,
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

/// Signals that are true while the page loads its list or a dialog.
#[derive(Clone, Copy)]
struct Waits {
    list: RwSignal<bool>,
    dialog: RwSignal<bool>,
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
    provide_context(DialogIsShown::default());
    let (is_list_loading, is_dialog_loading) = (RwSignal::new(false), RwSignal::new(false));
    let rendered = RenderedRows::default();
    provide_context(rendered.clone());
    let list = Resource::new(
        move || (tenant.get(), query.get()),
        move |(tenant, query)| {
            let rendered = rendered.clone();
            loading(is_list_loading, async move {
                let mut list = list_api_keys(tenant, KeyQuery::from(query)).await?;
                rendered.take_from(&mut list);
                Ok(list)
            })
        },
    );
    let dialog = Resource::new(
        move || (tenant.get(), target.get()),
        move |(tenant, target)| loading(is_dialog_loading, open_dialog(tenant, target)),
    );
    let rejected = StoredValue::new(use_rejected_form());
    // The rejected form belongs only to the first page that is loaded, not to a dialog that is opened later.
    Effect::new(move |_| request_animation_frame(move || rejected.set_value(None)));
    let waits = Waits {
        list: is_list_loading,
        dialog: is_dialog_loading,
    };
    let fallback = move || view! { <TableSkeleton query /> };
    let keys = Suspend::new(async move {
        // Memos over the resources are created after these are loaded, as in the layout.
        let _ = (list.await, dialog.await);
        view! { <Keys list dialog query target waits rejected selection /> }
    });
    view! {
        <Transition fallback>{keys}</Transition>
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
    waits: Waits,
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
    move || match failure.get() {
        Some(error) => view! { <TenantPageFailure error /> }.into_any(),
        None => {
            view! { <Page loaded unavailable open query target reload waits rejected selection /> }
                .into_any()
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
    waits: Waits,
    rejected: StoredValue<Option<RejectedForm>>,
    selection: Selection,
) -> impl IntoView {
    let tenant = use_tenant();
    let navigate = use_navigate();
    let opener = use_opener(target);
    let list_url = Signal::derive(move || {
        let url = query.with(|query| query.url(&tenant.get(), urls::API_KEYS));
        urls::with_opener(url, opener.get().is_some())
    });
    let url = Signal::derive(move || {
        opener
            .get()
            .unwrap_or_else(|| query.with(|query| query.url(&tenant.get(), urls::API_KEYS)))
    });
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
        list: list_url,
        run: Callback::new(move |()| {
            if let Some(page) = opener.get_untracked() {
                browser::return_to(&page);
                return;
            }
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
    let notice = Notice::of_page();
    // A confirmation refers only to the last change.
    Effect::new(move |_| {
        if target.with(Option::is_some) {
            notice.clear();
        } else if let Some(shown) = use_context::<DialogIsShown>() {
            shown.reset();
        }
    });
    let done = move |change: Done, name: &str| {
        if let Some(page) = opener.get_untracked() {
            browser::release();
            browser::confirm_at(&page, change);
            return;
        }
        notice.show(Confirmation {
            text: change.sentence_about(name),
            row: change.key().map(|id| id.to_string()),
            is_of_tenant: true,
        });
        reload.run(());
        close.run.run(());
    };
    let revoked = Callback::new(move |Changed { id, name, receipt }: Changed| {
        opener_is_gone.set(true);
        done(Done::Revoked(id, receipt), &name);
    });
    let revoked_many = Callback::new(move |(number, receipt): (usize, Option<Propagation>)| {
        opener_is_gone.set(true);
        selection.clear();
        done(Done::RevokedMany(number, receipt), "");
    });
    let saved = Callback::new(move |Changed { id, name, receipt }: Changed| {
        done(Done::Saved(id, receipt), &name);
    });
    let rotated = Callback::new(move |Changed { id, name, .. }: Changed| {
        done(Done::Rotated(id), &name);
    });
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
            <KeyTable list=loaded query is_busy=waits.list reload />
            <Pager list=loaded query />
            <ResultCount list=loaded query is_busy=waits.list />
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
    let is_slow = is_slow(waits.dialog);
    let pending = move || {
        let target = target.get()?;
        let is_waiting = is_slow.get() && open.with(Option::is_none);
        is_waiting.then(|| view! { <PendingDialog target list=loaded close /> })
    };
    let dialog = move || {
        let rejected = rejected.get_value();
        open.get().map(|opened| match opened {
            Opened::Edit(context) => {
                view! { <EditDialog context=*context rejected close saved /> }.into_any()
            }
            Opened::Rotate(detail) => {
                view! { <RotateDialog detail=*detail rejected close rotated /> }.into_any()
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
        {pending}
        {dialog}
    }
    .into_any()
}

/// The URL of the key's page, if it opened the dialog. Pages without a script are loaded from the server.
fn use_opener(target: Memo<Option<OpenTarget>>) -> Memo<Option<String>> {
    let tenant = use_tenant();
    let parameters = use_query_map();
    Memo::new(move |_| {
        let is_from_key = parameters.with(|parameters| {
            parameters
                .get(urls::FROM)
                .is_some_and(|from| from == urls::FROM_KEY)
        });
        let target = target.get().filter(|_| is_from_key)?;
        let OpenTarget::Key(DialogTarget { id, .. }) = target else {
            return None;
        };
        Some(tenant.get().url(&urls::key(&id)))
    })
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
