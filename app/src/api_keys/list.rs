//! The page of the keys: the list, and the dialog that the URL opens over it.

use domain::key::query::KeyQuery;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{
    NavigateOptions,
    components::Outlet,
    hooks::{use_location, use_navigate, use_query_map},
};

use super::{
    dialog_target::{DialogKind, DialogTarget},
    header::{GenerateButton, ListHeader},
    list_query::ListQuery,
    revoke::RevokeDialog,
    rotate::RotateDialog,
    server_fns::{KeyDetail, KeyList, get_api_key, list_api_keys},
    table::{KeyTable, TableSkeleton},
};
use crate::{
    browser,
    error::AppError,
    layout::{use_named_tenant, use_tenant},
    status_pages::Failure,
    urls, words,
};

/// A key that a dialog is about, with the dialog.
type OpenDialog = Option<(DialogKind, KeyDetail)>;

/// The list with its dialogs.
#[component]
pub fn ApiKeysPage() -> impl IntoView {
    let tenant = use_named_tenant();
    let path = use_location().pathname;
    let parameters = use_query_map();
    let query = Memo::new(move |_| parameters.with(ListQuery::of));
    let target = Memo::new(move |_| path.with(|path| DialogTarget::of(path)));
    let list = Resource::new(
        move || (tenant.get(), query.get()),
        |(tenant, query)| list_api_keys(tenant, KeyQuery::from(query)),
    );
    let dialog = Resource::new(
        move || (tenant.get(), target.get()),
        |(tenant, target)| async move {
            match target {
                None => Ok(None),
                Some(DialogTarget { kind, id }) => get_api_key(tenant, id)
                    .await
                    .map(|detail| Some((kind, detail))),
            }
        },
    );
    // Of the browser alone: the server sends what it waited for, so nothing is pending there.
    let is_pending = RwSignal::new(false);
    let is_hydrated = RwSignal::new(false);
    Effect::new(move |_| is_hydrated.set(true));
    let is_busy = Signal::derive(move || is_hydrated.get() && is_pending.get());
    view! {
        <Transition fallback=TableSkeleton set_pending=is_pending>
            {Suspend::new(async move {
                // As in the frame: memos over what is there already.
                let _ = (list.await, dialog.await);
                view! { <Keys list dialog query target is_busy /> }
            })}
        </Transition>
        <Outlet />
    }
    .into_any()
}

#[component]
fn Keys(
    list: Resource<Result<KeyList, AppError>>,
    dialog: Resource<Result<OpenDialog, AppError>>,
    query: Memo<ListQuery>,
    target: Memo<Option<DialogTarget>>,
    is_busy: Signal<bool>,
) -> impl IntoView {
    let failure = Memo::new(move |_| {
        let of_list = list.get().and_then(Result::err);
        let of_dialog = dialog.get().and_then(Result::err);
        of_list.or(of_dialog)
    });
    let loaded = Memo::new(move |_| list.get().and_then(Result::ok));
    let open = Memo::new(move |_| {
        let open: OpenDialog = dialog.get().and_then(Result::ok).flatten();
        // What was loaded for a dialog that has been left is not shown again.
        open.filter(|(kind, detail)| {
            target.get().is_some_and(|target| {
                target.kind == *kind && target.id == detail.key.id.to_string()
            })
        })
    });
    let reload = Callback::new(move |()| list.refetch());
    move || match failure.get() {
        Some(error) => view! { <Failure error /> }.into_any(),
        None => view! { <Page loaded open query target reload is_busy /> }.into_any(),
    }
}

#[component]
fn Page(
    loaded: Memo<Option<KeyList>>,
    open: Memo<OpenDialog>,
    query: Memo<ListQuery>,
    target: Memo<Option<DialogTarget>>,
    reload: Callback<()>,
    is_busy: Signal<bool>,
) -> impl IntoView {
    let tenant = use_tenant();
    let navigate = use_navigate();
    let close = Callback::new(move |()| {
        let url = query.with_untracked(|query| query.url(&tenant.get_untracked(), urls::API_KEYS));
        let options = NavigateOptions {
            replace: true,
            scroll: false,
            ..NavigateOptions::default()
        };
        navigate(&url, options);
    });
    let opener_is_gone = RwSignal::new(false);
    return_focus(target, opener_is_gone);
    let revoked = Callback::new(move |()| {
        opener_is_gone.set(true);
        reload.run(());
        close.run(());
    });
    let is_empty = Memo::new(move |_| {
        let has_items =
            loaded.with(|list| list.as_ref().is_none_or(|list| !list.page.items.is_empty()));
        !has_items && query.with(|query| !query.filters() && query.cursor.is_none())
    });
    let title = move || {
        // A title is read when the rest of the page has been rendered, on the server outside of where signals live: so it is a text by
        // then, and not a function that asks them.
        let text = match target.with(|target| target.as_ref().map(|target| target.kind)) {
            Some(DialogKind::Rotate) => "Rotate API Key – Latchkey",
            Some(DialogKind::Revoke) => "Revoke API Key – Latchkey",
            None => "API Keys – Latchkey",
        };
        view! { <Title text /> }
    };
    let keys = move || {
        if is_empty.get() {
            view! { <NothingYet list=loaded /> }.into_any()
        } else {
            view! {
                <KeyTable list=loaded query is_busy />
                <Pager list=loaded query />
            }
            .into_any()
        }
    };
    let dialog = move || {
        open.get().map(|(kind, detail)| match kind {
            DialogKind::Rotate => view! { <RotateDialog detail close reload /> }.into_any(),
            DialogKind::Revoke => view! { <RevokeDialog detail close revoked /> }.into_any(),
        })
    };
    view! {
        {title}
        <div class="page">
            <nav aria-label="Breadcrumb">
                <ol class="breadcrumbs">
                    <li>"Settings"</li>
                    <li>"Data & Monitoring"</li>
                    <li aria-current="page">"API Keys"</li>
                </ol>
            </nav>
            <ListHeader list=loaded is_empty />
            <FilterNote query />
            {keys}
        </div>
        {dialog}
    }
    .into_any()
}

/// Which keys the URL leaves in the list, and the way to all of them.
#[component]
fn FilterNote(query: Memo<ListQuery>) -> impl IntoView {
    let tenant = use_tenant();
    move || {
        let shown = query.with(ListQuery::in_words)?;
        Some(view! {
            <div class="toolbar">
                <span class="filter-label">"Only "{shown}</span>
                <a class="button button-s button-text" href=move || tenant.get().url(urls::API_KEYS)>"Clear all"</a>
            </div>
        })
    }
}

/// When a dialog goes, the focus returns to the button that opened it, or to the title where that is gone or about to go.
fn return_focus(target: Memo<Option<DialogTarget>>, opener_is_gone: RwSignal<bool>) {
    Effect::new(move |before: Option<Option<DialogTarget>>| {
        let now = target.get();
        if let (Some(Some(before)), None) = (before, &now) {
            let mut places = vec!["page-title".to_owned()];
            if !opener_is_gone.get_untracked() {
                places.insert(0, before.opener());
            }
            opener_is_gone.set(false);
            browser::focus_first(places);
        }
        now
    });
}

#[component]
fn NothingYet(list: Memo<Option<KeyList>>) -> impl IntoView {
    let button = move || {
        let usage = list.with(|list| list.as_ref().map(|list| list.usage));
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

/// Where there are more keys than a page holds: the way on, and back to the beginning.
#[component]
fn Pager(list: Memo<Option<KeyList>>, query: Memo<ListQuery>) -> impl IntoView {
    let tenant = use_tenant();
    let link = move |label: &'static str, cursor: Option<String>| {
        let href = query.with(|query| query.from_cursor(cursor).url(&tenant.get(), urls::API_KEYS));
        view! { <a class="button button-s" href=href>{label}</a> }
    };
    move || {
        let (shown, next) = list.with(|list| {
            list.as_ref()
                .map(|list| (list.page.items.len(), list.page.next_cursor.clone()))
        })?;
        let is_first = query.with(|query| query.cursor.is_none());
        if is_first && next.is_none() {
            return None;
        }
        let shown = words::count(shown as u64, "key", "keys");
        let text = match (is_first, next.is_some()) {
            (true, _) => format!("The first {shown}"),
            (false, true) => format!("The next {shown}"),
            (false, false) => format!("The last {shown}"),
        };
        Some(view! {
            <nav class="pager" aria-label="Pages">
                <span>{text}</span>
                <span class="pager-links">
                    {(!is_first).then(|| link("First page", None))}
                    {next.map(|cursor| link("Next", Some(cursor)))}
                </span>
            </nav>
        })
    }
}
