//! The audit log of a tenant and the log of the installation: pages without script.

pub mod query;
pub mod wording;

pub mod entry;
pub mod filter_form;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    audit::{AuditEntry, AuditPage, AuditQuery},
    store::{Store, TenantScope},
    user::User,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use self::query::AuditLogQuery;
use crate::{
    components::{Breadcrumb, Icon, PageTitle},
    current_tenant::use_tenant,
    error::AppError,
    page::MenuSection,
    ssr,
    tenants::TenantPageFailure,
    urls, words,
};

/// The maximum number of keys that a search resolves to. If more match, only the first ones by name are used.
const KEYS_BY_SEARCH: u32 = 25;

/// The maximum number of people in the filter by actor.
const ACTORS: u64 = 100;

/// The subject of a log: a tenant or the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The events of one tenant.
    Tenant,
    /// The events of the installation.
    Installation,
}

impl Subject {
    const fn path(self) -> &'static str {
        match self {
            Self::Tenant => urls::AUDIT_LOG,
            Self::Installation => urls::INSTALLATION_LOG,
        }
    }
}

/// A page of events with the options of its filters.
#[derive(Clone, Debug)]
struct Events {
    page: AuditPage,
    /// The people of the tenant, for the filter.
    actors: Vec<User>,
    /// The name of the key that a filter by identifier selects, if the key exists.
    key_name: Option<String>,
    now: DateTime<Utc>,
}

/// The audit log of a tenant.
#[component]
pub fn AuditLogPage() -> impl IntoView {
    view! { <LogPage subject=Subject::Tenant /> }
}

/// The events that belong to no tenant, for super users.
#[component]
pub fn InstallationLogPage() -> impl IntoView {
    view! { <LogPage subject=Subject::Installation /> }
}

#[component]
fn LogPage(subject: Subject) -> impl IntoView {
    let parameters = use_query_map().get_untracked();
    let named = parameters.get("tenant");
    let query = AuditLogQuery::new(|name| parameters.get(name));
    view! {
        <Suspense>
            {Suspend::new(async move {
                let events = ssr::respond(read_events(subject, query.clone(), named)).await;
                match events {
                    Err(error) => view! { <TenantPageFailure error /> }.into_any(),
                    Ok(events) => view! { <Log subject query events /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

async fn read_events(
    subject: Subject,
    query: AuditLogQuery,
    tenant: Option<String>,
) -> Result<Events, AppError> {
    let request = ssr::request()?;
    let (store, now) = (&request.store, request.now);
    match subject {
        Subject::Tenant => {
            let scope = ssr::tenant_request_of(&request, tenant.as_deref())
                .await?
                .scope;
            let log = store.audit(&scope);
            let mut wanted = query_of(store, &scope, &query).await?;
            if let Some(event) = query.event {
                let found = log.find(event).await?;
                wanted.cursor = Some(domain::store::audit::AuditLog::cursor_at(&found.event)?);
            }
            let page = log.page(&wanted).await?;
            let actors = store.tenant_users(&scope).list(ACTORS).await?;
            let key_name = match query.key_id {
                Some(id) => page
                    .entries
                    .iter()
                    .find(|entry| entry.event.target.id == Some(id.as_uuid()))
                    .map(|entry| entry.event.target.name.clone()),
                None => None,
            };
            Ok(Events {
                page,
                actors,
                key_name,
                now,
            })
        }
        Subject::Installation => {
            let user = ssr::signed_in(&request).await?;
            let operator = user
                .operator()
                .ok_or_else(|| AppError::new(crate::error::ErrorCode::Forbidden))?;
            let log = store.installation_log(&operator);
            let mut wanted = query.to_query(None);
            if let Some(event) = query.event {
                let found = log.find(event).await?;
                wanted.cursor = Some(domain::store::audit::AuditLog::cursor_at(&found.event)?);
            }
            let page = log.page(&wanted).await?;
            Ok(Events {
                page,
                actors: Vec::new(),
                key_name: None,
                now,
            })
        }
    }
}

/// The store's query for the filters of a URL. A search is resolved to keys first, so that each filter has an index.
///
/// # Errors
/// The errors of [`Keys::find`](domain::store::keys::Keys::find).
pub async fn query_of(
    store: &Store,
    scope: &TenantScope,
    query: &AuditLogQuery,
) -> Result<AuditQuery, AppError> {
    let keys = if query.q.is_empty() {
        None
    } else if let Ok(id) = query.q.parse() {
        Some(vec![id])
    } else {
        Some(store.keys(scope).find(&query.q, KEYS_BY_SEARCH).await?)
    };
    Ok(query.to_query(keys))
}

#[component]
fn Log(subject: Subject, query: AuditLogQuery, events: Events) -> impl IntoView {
    let tenant = use_tenant();
    let (title, about) = match subject {
        Subject::Tenant => (
            "Audit Log",
            "Every change, who made it and from where. Nothing here can be edited or deleted.",
        ),
        Subject::Installation => (
            "Installation Log",
            "Sign-ins of super users, refused sign-ins of unknown accounts, and changes of tenants.",
        ),
    };
    let exports = (subject == Subject::Tenant).then(|| {
        let filters = query.from_start();
        let csv = filters.url(&tenant.get_untracked(), urls::AUDIT_LOG_CSV);
        let lines = filters.url(&tenant.get_untracked(), urls::AUDIT_LOG_JSON_LINES);
        view! {
            <div class="key-buttons">
                <a class="button" href=csv rel="external" download><Icon name="download" />"Export CSV"</a>
                <a class="button" href=lines rel="external" download>
                    <Icon name="download" />"Export JSON Lines"
                </a>
            </div>
        }
    });
    let Events {
        page,
        actors,
        key_name,
        now,
    } = events;
    let list = list(subject, &query, &page, now);
    let pager = pager(subject, &query, &page);
    let section = match subject {
        Subject::Tenant => MenuSection::DataAndMonitoring,
        Subject::Installation => MenuSection::Operator,
    };
    view! {
        <PageTitle text=format!("{title} – Latchkey") />
        <div class="page">
            <Breadcrumb section page=title />
            <header class="page-header">
                <div>
                    <h1 tabindex="-1">{title}</h1>
                    <div class="page-meta"><span>{about}</span></div>
                </div>
                {exports}
            </header>
            {filter_form::filter_form(subject, &query, actors, key_name)}
            {list}
            {pager}
        </div>
    }
}

/// The entries under the heading of their day.
fn list(subject: Subject, query: &AuditLogQuery, page: &AuditPage, now: DateTime<Utc>) -> AnyView {
    if page.entries.is_empty() {
        return empty(subject, query);
    }
    let mut days: Vec<(NaiveDate, Vec<AuditEntry>)> = Vec::new();
    for entry in &page.entries {
        let day = entry.event.at.date_naive();
        match days.last_mut() {
            Some((last, entries)) if *last == day => entries.push(entry.clone()),
            _ => days.push((day, vec![entry.clone()])),
        }
    }
    days.into_iter()
        .map(|(day, entries)| {
            let entries = entries
                .into_iter()
                .map(|entry| {
                    let open = query.event == Some(entry.event.id);
                    entry::entry(subject, query, &entry, open)
                })
                .collect_view();
            view! {
                <h2 class="day-title">{day_title(day, now.date_naive())}</h2>
                {entries}
            }
        })
        .collect_view()
        .into_any()
}

fn empty(subject: Subject, query: &AuditLogQuery) -> AnyView {
    let tenant = use_tenant();
    if query.filters() {
        let href = tenant.get_untracked().url(subject.path());
        view! {
            <section class="empty">
                <h2>"No event matches these filters"</h2>
                <a class="button" href=href>"Clear all filters"</a>
            </section>
        }
        .into_any()
    } else {
        view! {
            <section class="empty">
                <h2>"No events yet"</h2>
                <p>"Each change is listed here with who made it, and from where."</p>
            </section>
        }
        .into_any()
    }
}

/// `Today, 24 Nov 2026`.
fn day_title(day: NaiveDate, today: NaiveDate) -> String {
    let date = words::date(day);
    match today.signed_duration_since(day).num_days() {
        0 => format!("Today, {date}"),
        1 => format!("Yesterday, {date}"),
        _ => date,
    }
}

fn pager(subject: Subject, query: &AuditLogQuery, page: &AuditPage) -> impl IntoView {
    let tenant = use_tenant().get_untracked();
    let way = |label: &'static str, cursor: &Option<String>| match cursor {
        Some(cursor) => {
            let href = query.at(Some(cursor.clone())).url(&tenant, subject.path());
            view! { <a class="button button-s" href=href>{label}</a> }.into_any()
        }
        None => view! { <button class="button button-s" type="button" disabled>{label}</button> }
            .into_any(),
    };
    let range = page.first.map(|first| {
        let last = first + page.entries.len() as u64 - 1;
        format!("Events {}–{}", words::grouped(first), words::grouped(last))
    });
    let previous = way("Previous", &page.previous_cursor);
    let next = way("Next", &page.next_cursor);
    (!page.entries.is_empty()).then(|| {
        view! {
            <nav class="pager" aria-label="Pages">
                <span>{range}</span>
                <span class="pager-links">{previous}{next}</span>
            </nav>
        }
    })
}
