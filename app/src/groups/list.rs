//! The list of groups.

use domain::{
    group::{AuthorizationGroup, GroupKeys, GroupType},
    page::Page,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{edit_url, named_tenant, notice};
use crate::{
    components::{Breadcrumb, Icon, PageTitle},
    current_tenant::use_tenant,
    error::AppError,
    page::MenuSection,
    ssr,
    tenants::TenantPageFailure,
    urls::{self, TenantQuery},
    words,
};

/// The number of groups on a page.
const PAGE_SIZE: u32 = 25;
/// The maximum number of a group's permissions in the list.
const SHOWN_PERMISSIONS: usize = 3;

/// The parameters of the list's URL.
#[derive(Clone, Debug)]
struct ListUrl {
    tenant: Option<String>,
    cursor: Option<String>,
    created: Option<String>,
    saved: Option<String>,
    is_deleted: bool,
}

impl ListUrl {
    fn read() -> Self {
        let query = use_query_map().get_untracked();
        Self {
            tenant: named_tenant(),
            cursor: query.get("cursor").filter(|cursor| !cursor.is_empty()),
            created: query.get(notice::CREATED),
            saved: query.get(notice::SAVED),
            is_deleted: query.get(notice::DELETED).is_some(),
        }
    }
}

struct Groups {
    page: Page<(AuthorizationGroup, GroupKeys)>,
    notice: Option<Notice>,
}

struct Notice {
    done: &'static str,
    group: Option<AuthorizationGroup>,
}

/// The list, 25 groups per page, by name.
#[component]
pub fn GroupsPage() -> impl IntoView {
    let url = ListUrl::read();
    view! {
        <Suspense>
            {Suspend::new(async move {
                match ssr::respond(read_groups(&url)).await {
                    Err(error) => view! { <TenantPageFailure error /> }.into_any(),
                    Ok(groups) => list(&url, groups),
                }
            })}
        </Suspense>
    }
}

async fn read_groups(url: &ListUrl) -> Result<Groups, AppError> {
    let request = ssr::request()?;
    let scope = ssr::tenant_request_of(&request, url.tenant.as_deref())
        .await?
        .scope;
    let groups = request.store.groups(&scope);
    let page = groups
        .page_with_keys(PAGE_SIZE, url.cursor.as_deref(), request.now)
        .await?;
    let named = match (&url.created, &url.saved) {
        (Some(id), _) => Some(("Created ", id)),
        (None, Some(id)) => Some(("Saved ", id)),
        (None, None) => None,
    };
    let named = named.and_then(|(done, id)| Some((done, id.parse().ok()?)));
    let notice = match named {
        Some((done, id)) => match groups.get(id).await {
            Ok(group) => Some(Notice {
                done,
                group: Some(group),
            }),
            Err(domain::Error::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        },
        None => url.is_deleted.then_some(Notice {
            done: "The group was deleted. Its name is free.",
            group: None,
        }),
    };
    Ok(Groups { page, notice })
}

fn list(url: &ListUrl, groups: Groups) -> AnyView {
    let tenant = use_tenant().get_untracked();
    let new = tenant.url(urls::NEW_GROUP);
    let Groups { page, notice } = groups;
    let changed = notice
        .as_ref()
        .and_then(|notice| notice.group.as_ref())
        .map(|group| group.id);
    let notice = notice.map(|notice| {
        let name = notice
            .group
            .map(|group| view! { <strong dir="auto">{group.name}</strong>"." });
        view! {
            <div class="callout" data-tone="success" role="status">
                <Icon name="check-circle" />
                <p>{notice.done}{name}</p>
            </div>
        }
    });
    let content = if page.items.is_empty() {
        view! {
            <section class="empty">
                <h2>"No authorization groups yet"</h2>
                <p>"A group lists the permissions of its keys. Every key needs one."</p>
                <a class="button" href=new.clone()><Icon name="plus" />"New group"</a>
            </section>
        }
        .into_any()
    } else {
        let rows = page
            .items
            .into_iter()
            .map(|(group, keys)| {
                let is_new = changed == Some(group.id);
                row(&tenant, group, keys, is_new)
            })
            .collect_view();
        view! {
            <div class="table-region">
                <table class="table" role="table" aria-label="Authorization groups">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th role="columnheader" scope="col" class="col-name" aria-sort="ascending">"Name"</th>
                            <th role="columnheader" scope="col" class="col-permissions">"Permissions"</th>
                            <th role="columnheader" scope="col" class="col-keys">"Keys"</th>
                            <th role="columnheader" scope="col" class="col-actions">
                                <span class="visually-hidden">"Actions"</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        <PageTitle text="Authorization Groups – Latchkey" />
        <div class="page">
            <Breadcrumb section=MenuSection::Access page="Authorization Groups" />
            <header class="page-header">
                <div>
                    <h1 tabindex="-1">"Authorization Groups"</h1>
                    <div class="page-meta">
                        <span>"A group lists what a key may do. A key has exactly one."</span>
                    </div>
                </div>
                <div class="key-buttons">
                    <a class="button button-primary" href=new><Icon name="plus" />"New group"</a>
                </div>
            </header>
            {notice}
            {content}
            {pager(&tenant, url.cursor.is_some(), page.next_cursor)}
        </div>
    }
    .into_any()
}

fn row(
    tenant: &TenantQuery,
    group: AuthorizationGroup,
    keys: GroupKeys,
    is_new: bool,
) -> impl IntoView + use<> {
    let edit = edit_url(tenant, group.id);
    let delete = tenant.url(&format!("{}/{}/delete", urls::GROUPS, group.id));
    let name = group.name;
    let kind = match group.kind {
        GroupType::TenantApiKey => "For API keys",
        GroupType::User => "For users",
    };
    let permissions = group.permissions.iter();
    let shown = permissions
        .take(SHOWN_PERMISSIONS)
        .map(|permission| view! { <code>{permission.to_string()}</code> })
        .collect_view();
    let number = group.permissions.iter().count();
    let more = number.saturating_sub(SHOWN_PERMISSIONS);
    let more = (more > 0).then(|| {
        view! {
            <span class="muted small">
                {format!("+{more}")}<span class="visually-hidden">" more permissions"</span>
            </span>
        }
    });
    let none = (number == 0).then(|| view! { <span class="muted">"None"</span> });
    let keys = match (group.kind, keys.active) {
        (GroupType::User, _) => view! { <span class="muted">"Not for keys"</span> }.into_any(),
        (GroupType::TenantApiKey, 0) => view! { <span class="muted">"No keys"</span> }.into_any(),
        (GroupType::TenantApiKey, active) => {
            let used = format!("{} used in 7 days", words::grouped(keys.used_lately));
            view! { {words::count(active, "key", "keys")}<span class="sub">{used}</span> }
                .into_any()
        }
    };
    view! {
        <tr role="row" class:is-new=is_new>
            <td role="cell" class="col-name">
                <a class="key-name" href=edit.clone()><span class="truncate" dir="auto">{name.clone()}</span></a>
                <span class="key-about">{kind}</span>
            </td>
            <td role="cell" class="col-permissions" data-label="Permissions">
                <span class="permissions value">{shown}{more}{none}</span>
            </td>
            <td role="cell" class="col-keys" data-label="Keys"><span class="value">{keys}</span></td>
            <td role="cell" class="col-actions">
                <div class="actions">
                    <a class="icon-button" href=edit aria-label=format!("Edit {name}") data-tip="Edit">
                        <Icon name="pencil" />
                    </a>
                    <a
                        class="icon-button icon-button-danger"
                        href=delete
                        aria-label=format!("Delete {name}")
                        data-tip="Delete"
                    >
                        <Icon name="trash" />
                    </a>
                </div>
            </td>
        </tr>
    }
}

/// The list pages only forwards; a link leads to the first page.
fn pager(tenant: &TenantQuery, is_later: bool, next: Option<String>) -> Option<impl IntoView> {
    let link = |label: &'static str, href: Option<String>| match href {
        Some(href) => view! { <a class="button button-s" href=href>{label}</a> }.into_any(),
        None => view! { <button class="button button-s" type="button" disabled>{label}</button> }
            .into_any(),
    };
    let next = next.map(|cursor| tenant.url_with(urls::GROUPS, &[("cursor", &cursor)]));
    (is_later || next.is_some()).then(|| {
        let first = is_later.then(|| tenant.url(urls::GROUPS));
        view! {
            <nav class="pager" aria-label="Pages">
                <span></span>
                <span class="pager-links">{link("First page", first)}{link("Next", next)}</span>
            </nav>
        }
    })
}
