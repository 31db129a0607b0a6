//! The list of groups.

use domain::{
    group::GroupType,
    id::GroupId,
    page::TwoWayPage,
    store::groups::{GroupQuery, ListedGroup},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{edit_url, generate_url, named_tenant};
use crate::{
    components::{
        Breadcrumb, Icon, PageTitle,
        date::Day,
        list_table::{Column, list_table, pager},
    },
    current_tenant::use_tenant,
    done::Done,
    error::AppError,
    page::MenuSection,
    ssr,
    tenants::TenantPageFailure,
    urls::{self, TenantQuery},
    words,
};

/// The parameter of the URL with the type of the groups.
const TYPE: &str = "type";
/// The maximum number of a group's permissions in the list.
const SHOWN_PERMISSIONS: usize = 3;

const COLUMNS: &[Column] = &[
    Column::new("col-name", "Name").sorted(),
    Column::new("col-permissions", "Permissions"),
    Column::new("col-keys", "Keys"),
    Column::new("col-when col-minor", "Changed"),
    Column::new("col-actions", "Actions").visually_hidden(),
];

/// The parameters of the list's URL.
#[derive(Clone, Debug)]
struct ListUrl {
    tenant: Option<String>,
    /// Part of a name or permission.
    q: String,
    kind: Option<GroupType>,
    cursor: Option<String>,
}

impl ListUrl {
    fn read() -> Self {
        let query = use_query_map().get_untracked();
        Self {
            tenant: named_tenant(),
            q: query.get("q").unwrap_or_default().trim().to_owned(),
            kind: query.get(TYPE).and_then(|word| word.parse().ok()),
            cursor: query.get("cursor").filter(|cursor| !cursor.is_empty()),
        }
    }

    /// The first page with this filter.
    fn with_kind(&self, tenant: &TenantQuery, kind: Option<GroupType>) -> String {
        let kind = kind.map_or("", GroupType::as_str);
        tenant.url_with(urls::GROUPS, &[("q", &self.q), (TYPE, kind)])
    }

    /// The page at this cursor.
    fn at(&self, tenant: &TenantQuery, cursor: &str) -> String {
        let kind = self.kind.map_or("", GroupType::as_str);
        let parameters = [("q", self.q.as_str()), (TYPE, kind), ("cursor", cursor)];
        tenant.url_with(urls::GROUPS, &parameters)
    }

    const fn is_filtered(&self) -> bool {
        !self.q.is_empty() || self.kind.is_some()
    }
}

struct Groups {
    page: TwoWayPage<ListedGroup>,
    /// The group that was just created or changed.
    changed: Option<GroupId>,
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
    let query = GroupQuery {
        search: url.q.clone(),
        kind: url.kind,
        cursor: url.cursor.clone(),
        ..GroupQuery::default()
    };
    let page = groups.page_with_keys(&query, request.now).await?;
    let changed = request.done.and_then(Done::group);
    Ok(Groups { page, changed })
}

fn list(url: &ListUrl, groups: Groups) -> AnyView {
    let tenant = use_tenant().get_untracked();
    let new = tenant.url(urls::NEW_GROUP);
    let Groups { page, changed } = groups;
    let pager = pager(&page, |cursor| url.at(&tenant, cursor));
    let is_empty = page.items.is_empty();
    let toolbar =
        (url.is_filtered() || url.cursor.is_some() || !is_empty).then(|| toolbar(&tenant, url));
    let content = if is_empty && url.is_filtered() {
        let all = tenant.url(urls::GROUPS);
        view! {
            <section class="empty">
                <h2>"No group matches these filters"</h2>
                <p>"The search looks for a part of the name or of a permission."</p>
                <a class="button" href=all>"Clear all filters"</a>
            </section>
        }
        .into_any()
    } else if is_empty {
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
            .map(|listed| {
                let is_new = changed == Some(listed.group.id);
                row(&tenant, listed, is_new)
            })
            .collect_view();
        list_table("Authorization groups", COLUMNS, rows)
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
            {toolbar}
            {content}
            {pager}
        </div>
    }
    .into_any()
}

fn row(tenant: &TenantQuery, listed: ListedGroup, is_new: bool) -> impl IntoView + use<> {
    let ListedGroup {
        group,
        keys,
        changed_at,
    } = listed;
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
        (GroupType::TenantApiKey, 0) => {
            let label = format!("Generate a key in {name}");
            view! {
                <span class="muted">"No keys"</span>
                <a class="sub" href=generate_url(tenant, group.id) aria-label=label>"Generate a key"</a>
            }
            .into_any()
        }
        (GroupType::TenantApiKey, active) => {
            let used = format!("{} used in 7 days", words::grouped(keys.used_lately));
            // The group's page names its keys there.
            let named = format!("{edit}#effect");
            view! {
                <a href=named>{words::count(active, "key", "keys")}</a>
                <span class="sub">{used}</span>
            }
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
            <td role="cell" class="col-when col-minor" data-label="Changed">
                <span class="value"><Day at=changed_at /></span>
            </td>
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

/// The search and the filter by type.
fn toolbar(tenant: &TenantQuery, url: &ListUrl) -> impl IntoView + use<> {
    let hidden = |name: &'static str, value: Option<String>| {
        value.map(|value| view! { <input type="hidden" name=name value=value /> })
    };
    let segment = |label: &'static str, kind: Option<GroupType>| {
        let current = (url.kind == kind).then_some("true");
        view! { <a href=url.with_kind(tenant, kind) aria-current=current>{label}</a> }
    };
    view! {
        <div class="toolbar">
            <form
                class="search search-submit"
                method="get"
                action=urls::GROUPS
                role="search"
                aria-label="Authorization groups"
            >
                <Icon name="search" />
                {hidden("tenant", tenant.0.clone())}
                {hidden(TYPE, url.kind.map(|kind| kind.as_str().to_owned()))}
                <input
                    class="input"
                    type="search"
                    name="q"
                    maxlength="100"
                    value=url.q.clone()
                    placeholder="Search names and permissions"
                    aria-label="Search names and permissions"
                />
                <button class="button button-s" data-wait="Searching…"><span>"Search"</span></button>
            </form>
            <div class="filter" role="group" aria-labelledby="group-type">
                <span class="filter-label" id="group-type">"For"</span>
                <div class="segments">
                    {segment("All", None)}
                    {segment("API keys", Some(GroupType::TenantApiKey))}
                    {segment("Users", Some(GroupType::User))}
                </div>
            </div>
        </div>
    }
}
