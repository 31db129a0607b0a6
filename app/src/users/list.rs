//! The list of users and open invitations.

use chrono::{DateTime, Utc};
use domain::{
    id::UserId,
    store::tenant_users::{People, PeopleQuery, Person, PersonState},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::named_tenant;
use crate::{
    components::{
        Breadcrumb, Icon, PageTitle,
        date::Ago,
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

/// The parameter of the URL with the state of the people.
const STATE: &str = "state";

const COLUMNS: &[Column] = &[
    Column::new("col-name", "E-mail address").sorted(),
    Column::new("col-role", "Role"),
    Column::new("col-state col-state-wide", "State"),
    Column::new("col-when", "Last sign-in"),
    Column::new("col-actions col-actions-4", "Actions").visually_hidden(),
];

/// The parameters of the list's URL.
#[derive(Clone, Debug)]
struct ListUrl {
    tenant: Option<String>,
    /// Part of a name or address.
    q: String,
    state: Option<PersonState>,
    cursor: Option<String>,
}

impl ListUrl {
    fn read() -> Self {
        let query = use_query_map().get_untracked();
        Self {
            tenant: named_tenant(),
            q: query.get("q").unwrap_or_default().trim().to_owned(),
            state: query
                .get(STATE)
                .and_then(|word| PersonState::from_word(&word)),
            cursor: query.get("cursor").filter(|cursor| !cursor.is_empty()),
        }
    }

    /// The first page with this filter.
    fn with_state(&self, tenant: &TenantQuery, state: Option<PersonState>) -> String {
        let state = state.map_or("", PersonState::as_str);
        tenant.url_with(urls::USERS, &[("q", &self.q), (STATE, state)])
    }

    /// The page at this cursor.
    fn at(&self, tenant: &TenantQuery, cursor: &str) -> String {
        let state = self.state.map_or("", PersonState::as_str);
        let parameters = [("q", self.q.as_str()), (STATE, state), ("cursor", cursor)];
        tenant.url_with(urls::USERS, &parameters)
    }

    const fn is_filtered(&self) -> bool {
        !self.q.is_empty() || self.state.is_some()
    }
}

struct Users {
    people: People,
    /// The signed-in user.
    own: UserId,
    /// The user who was just changed.
    changed: Option<UserId>,
    now: DateTime<Utc>,
}

/// The list, 25 people per page, by address.
#[component]
pub fn UsersPage() -> impl IntoView {
    let url = ListUrl::read();
    view! {
        <Suspense>
            {Suspend::new(async move {
                match ssr::respond(read_users(&url)).await {
                    Err(error) => view! { <TenantPageFailure error /> }.into_any(),
                    Ok(users) => list(&url, &users),
                }
            })}
        </Suspense>
    }
}

async fn read_users(url: &ListUrl) -> Result<Users, AppError> {
    let request = ssr::request()?;
    let within = ssr::tenant_request_of(&request, url.tenant.as_deref()).await?;
    let query = PeopleQuery {
        search: url.q.clone(),
        state: url.state,
        cursor: url.cursor.clone(),
        ..PeopleQuery::default()
    };
    let users = request.store.tenant_users(&within.scope);
    Ok(Users {
        people: users.people(&query, request.now).await?,
        own: within.user.user.id,
        changed: request.done.and_then(Done::user),
        now: request.now,
    })
}

fn list(url: &ListUrl, users: &Users) -> AnyView {
    let tenant = use_tenant().get_untracked();
    let invite = tenant.url(urls::INVITE);
    let People {
        page,
        users: number,
        administrators,
    } = &users.people;
    let summary = format!(
        "{}, {}",
        words::count(*number, "user", "users"),
        words::count(
            *administrators,
            "enabled administrator",
            "enabled administrators"
        ),
    );
    let pager = pager(page, |cursor| url.at(&tenant, cursor));
    let is_empty = page.items.is_empty();
    let content = if is_empty && url.is_filtered() {
        let all = tenant.url(urls::USERS);
        view! {
            <section class="empty">
                <h2>"Nobody matches these filters"</h2>
                <p>"The search looks for a part of the name or e-mail address."</p>
                <a class="button" href=all>"Clear all filters"</a>
            </section>
        }
        .into_any()
    } else if is_empty {
        view! {
            <section class="empty">
                <h2>"No users yet"</h2>
                <p>"Invite the first person. You get a link to send."</p>
                <a class="button" href=invite.clone()><Icon name="plus" />"Invite user"</a>
            </section>
        }
        .into_any()
    } else {
        let rows: Vec<_> = page
            .items
            .iter()
            .map(|person| row(&tenant, person, users))
            .collect();
        list_table("Users", COLUMNS, rows)
    };
    view! {
        <PageTitle text="Users – Latchkey" />
        <div class="page">
            <Breadcrumb section=MenuSection::Access page="Users" />
            <header class="page-header">
                <div>
                    <h1 tabindex="-1">"Users"</h1>
                    <div class="page-meta"><span>{summary}</span></div>
                </div>
                <div class="key-buttons">
                    <a class="button button-primary" href=invite><Icon name="plus" />"Invite user"</a>
                </div>
            </header>
            {toolbar(&tenant, url)}
            {content}
            {pager}
        </div>
    }
    .into_any()
}

fn row(tenant: &TenantQuery, person: &Person, users: &Users) -> AnyView {
    let is_own = person.id == users.own.as_uuid();
    let is_new = users.changed.map(UserId::as_uuid) == Some(person.id);
    let email = person.email.to_string();
    let name = person.name.clone().unwrap_or_else(|| email.clone());
    let action = |word: &'static str, label: String, tip: &'static str, icon: &'static str| {
        let href = tenant.url(&format!("{}/{}/{word}", urls::USERS, person.id));
        let class = match word {
            "disable" | "withdraw" => "icon-button icon-button-danger",
            _ => "icon-button",
        };
        view! { <a class=class href=href aria-label=label data-tip=tip><Icon name=icon /></a> }
    };
    let role = || {
        action(
            "role",
            format!("Change role of {name}"),
            "Change role",
            "pencil",
        )
    };
    let end = || {
        action(
            "end-sessions",
            format!("End sessions of {name}"),
            "End sessions",
            "exit",
        )
    };
    let link = || action("invite", format!("New link for {name}"), "New link", "link");
    let actions = match person.state {
        PersonState::Active if is_own => vec![end()],
        PersonState::Active => vec![
            role(),
            link(),
            end(),
            action("disable", format!("Disable {name}"), "Disable", "slash"),
        ],
        PersonState::Disabled => vec![
            role(),
            action("enable", format!("Enable {name}"), "Enable", "check-circle"),
        ],
        PersonState::Invited => vec![
            link(),
            action(
                "withdraw",
                format!("Withdraw the invitation of {name}"),
                "Withdraw",
                "trash",
            ),
        ],
    };
    let (tone, icon, label) = match person.state {
        PersonState::Active => ("success", "check-circle", "Active"),
        PersonState::Invited => ("neutral", "clock", "Invited"),
        PersonState::Disabled => ("neutral", "slash", "Disabled"),
    };
    let until = person.link_until.map(|until| {
        let until = words::minute(until);
        let text = match person.state {
            PersonState::Invited => format!("until {until}"),
            _ => format!("password link until {until}"),
        };
        view! { <span class="sub">{text}</span> }
    });
    let second_line = person.name.clone().map(|name| {
        let own = is_own.then_some(" (you)");
        view! { <span class="key-about"><span class="truncate" dir="auto">{name}</span>{own}</span> }
    });
    let status = (person.state == PersonState::Disabled).then_some("revoked");
    view! {
        <tr role="row" class:is-new=is_new data-status=status>
            <td role="cell" class="col-name">
                <span class="key-name"><span class="truncate">{email}</span></span>
                {second_line}
            </td>
            <td role="cell" class="col-role" data-label="Role"><span class="value">{person.role.label()}</span></td>
            <td role="cell" class="col-state col-state-wide" data-label="State">
                <span class="value">
                    <span class="badge" data-tone=tone><Icon name=icon />{label}</span>
                    {until}
                </span>
            </td>
            <td role="cell" class="col-when" data-label="Last sign-in">
                <span class="value"><Ago at=person.last_signed_in_at now=users.now /></span>
            </td>
            <td role="cell" class="col-actions col-actions-4"><div class="actions">{actions}</div></td>
        </tr>
    }
    .into_any()
}

/// The search and the filter by state.
fn toolbar(tenant: &TenantQuery, url: &ListUrl) -> AnyView {
    let hidden = |name: &'static str, value: Option<String>| {
        value.map(|value| view! { <input type="hidden" name=name value=value /> })
    };
    let segment = |label: &'static str, state: Option<PersonState>| {
        let current = (url.state == state).then_some("true");
        view! { <a href=url.with_state(tenant, state) aria-current=current>{label}</a> }
    };
    view! {
        <div class="toolbar">
            <form class="search search-submit" method="get" action=urls::USERS role="search" aria-label="Users">
                <Icon name="search" />
                {hidden("tenant", tenant.0.clone())}
                {hidden(STATE, url.state.map(|state| state.as_str().to_owned()))}
                <input
                    class="input"
                    type="search"
                    name="q"
                    maxlength="100"
                    value=url.q.clone()
                    placeholder="Search people"
                    aria-label="Search names and e-mail addresses"
                />
                <button class="button button-s">"Search"</button>
            </form>
            <div class="filter" role="group" aria-labelledby="user-state">
                <span class="filter-label" id="user-state">"State"</span>
                <div class="segments">
                    {segment("All", None)}
                    {segment("Active", Some(PersonState::Active))}
                    {segment("Invited", Some(PersonState::Invited))}
                    {segment("Disabled", Some(PersonState::Disabled))}
                </div>
            </div>
        </div>
    }
    .into_any()
}
