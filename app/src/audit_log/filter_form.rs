//! The filters: a plain form whose fields are the parameters of the URL.

use domain::{audit::AuditAction, user::User};
use leptos::prelude::*;

use super::{
    Subject,
    query::{AuditLogQuery, NO_DATE},
    wording,
};
use crate::{components::Icon, current_tenant::use_tenant, words};

/// The form, and the sentence that states which events the page shows. `actors` are the people that the filter by actor offers; `key_name`
/// is the name of the key that a filter by identifier selects.
pub fn filter_form(
    subject: Subject,
    query: &AuditLogQuery,
    actors: Vec<User>,
    key_name: Option<String>,
) -> impl IntoView + use<> {
    let tenant = use_tenant().get_untracked();
    let tenant_field = tenant.0.clone().map(|slug| {
        view! { <input type="hidden" name="tenant" value=slug /> }
    });
    let search = (subject == Subject::Tenant).then(|| match query.key_id {
        Some(id) => {
            let name = key_name.unwrap_or_else(|| id.to_string());
            let without = AuditLogQuery { key_id: None, ..query.from_start() };
            let href = without.url(&tenant, subject.path());
            view! {
                <input type="hidden" name="key_id" value=id.to_string() />
                <a class="toggle" aria-current="true" href=href>
                    {format!("Key: {name}")}<Icon name="x" /><span class="visually-hidden">"Remove this filter"</span>
                </a>
            }
            .into_any()
        }
        None => view! {
            <div class="search">
                <Icon name="search" />
                <input
                    class="input"
                    type="search"
                    name="q"
                    maxlength="100"
                    value=query.q.clone()
                    placeholder="Key name or last four"
                    aria-label="Key name or last four"
                />
            </div>
        }
        .into_any(),
    });
    let actions = AuditAction::ALL
        .iter()
        .filter(|action| concerns(subject, **action))
        .map(|action| {
            let selected = query.action == Some(*action);
            view! {
                <option value=action.as_str() selected=selected>{wording::action_label(*action)}</option>
            }
        })
        .collect_view();
    let by = by(subject, query, actors);
    let range = range(query);
    let clear = query.filters().then(|| {
        let href = tenant.url(subject.path());
        view! { <a class="clear" href=href>"Clear all"</a> }
    });
    let (from_error, to_error) = (query.first_day().is_err(), query.last_day().is_err());
    let errors = [("From: ", from_error), ("To: ", to_error)]
        .into_iter()
        .filter(|(_, is_wrong)| *is_wrong)
        .map(|(field, _)| view! { <p class="error" role="alert"><Icon name="alert" />{field}{NO_DATE}</p> })
        .collect_view();
    view! {
        <form class="toolbar" method="get" action=subject.path() role="search" aria-label="Filters">
            {tenant_field}
            {search}
            <div class="select">
                <select class="input" name="action" aria-label="Action">
                    <option value="">"Any action"</option>
                    {actions}
                </select>
                <Icon name="chevron-down" />
            </div>
            {by}
            <div class="dates">
                <label class="filter-label" for="from">"From"</label>
                <input
                    class="input input-date"
                    id="from"
                    name="from"
                    value=query.from.clone()
                    placeholder="2026-12-31"
                    autocomplete="off"
                    aria-invalid=from_error.then_some("true")
                    aria-describedby="range"
                />
                <label class="filter-label" for="to">"to"</label>
                <input
                    class="input input-date"
                    id="to"
                    name="to"
                    value=query.to.clone()
                    placeholder="today"
                    autocomplete="off"
                    aria-invalid=to_error.then_some("true")
                    aria-describedby="range"
                />
            </div>
            <button class="button button-s" data-wait="Applying…"><span>"Apply"</span></button>
            {clear}
        </form>
        {errors}
        <p class="muted small" id="range">{range}</p>
    }
}

/// Whether the log contains events of the action.
const fn concerns(subject: Subject, action: AuditAction) -> bool {
    match subject {
        Subject::Tenant => !matches!(action, AuditAction::TenantCreated),
        Subject::Installation => matches!(
            action,
            AuditAction::TenantCreated
                | AuditAction::TenantLimitChanged
                | AuditAction::TenantSuspended
                | AuditAction::TenantRenamed
                | AuditAction::TenantResumed
                | AuditAction::UserCreated
                | AuditAction::UserPasswordChanged
                | AuditAction::UserRenamed
                | AuditAction::UserSessionsEnded
                | AuditAction::UserSsoLinked
                | AuditAction::UserSsoUnlinked
                | AuditAction::SecondFactorEnabled
                | AuditAction::SecondFactorDisabled
                | AuditAction::RecoveryCodesReplaced
                | AuditAction::RecoveryCodeUsed
                | AuditAction::SecondFactorReset
                | AuditAction::UserDisabled
                | AuditAction::UserEnabled
                | AuditAction::UserInvited
                | AuditAction::PasswordLinkCreated
                | AuditAction::SignInLinkCreated
                | AuditAction::LinkRefused
                | AuditAction::SignedIn
                | AuditAction::SignedOut
                | AuditAction::SignInRefused
        ),
    }
}

/// The filter by actor. An actor that is not listed, such as a key, stays selected under its identifier.
fn by(subject: Subject, query: &AuditLogQuery, actors: Vec<User>) -> impl IntoView + use<> {
    let chosen = query.actor.clone();
    let is_listed = chosen.as_deref().is_none_or(|actor| {
        actor == "cli" || actors.iter().any(|user| user.id.to_string() == actor)
    });
    let other = chosen.clone().filter(|_| !is_listed).map(|actor| {
        view! { <option value=actor.clone() selected=true>{actor.clone()}</option> }
    });
    let people = actors
        .into_iter()
        .map(|user| {
            let id = user.id.to_string();
            let selected = chosen.as_deref() == Some(id.as_str());
            view! { <option value=id selected=selected>{user.name}</option> }
        })
        .collect_view();
    let cli = chosen.as_deref() == Some("cli");
    let label = match subject {
        Subject::Tenant => "Person",
        Subject::Installation => "Actor",
    };
    view! {
        <div class="select">
            <select class="input" name="actor" aria-label=label>
                <option value="">"Anybody"</option>
                {people}
                <option value="cli" selected=cli>"Command line"</option>
                {other}
            </select>
            <Icon name="chevron-down" />
        </div>
    }
}

/// `Events from 17 Nov 2026 until now, newest first. Times are UTC.`
fn range(query: &AuditLogQuery) -> impl IntoView + use<> {
    let day = |day: Result<Option<chrono::NaiveDate>, _>| day.ok().flatten().map(words::date);
    let from = day(query.first_day()).map(|day| view! { " from "<strong>{day}</strong> });
    let until = match day(query.last_day()) {
        Some(day) => view! { " until the end of "<strong>{day}</strong> }.into_any(),
        None => view! { " until now" }.into_any(),
    };
    view! {
        "Events"{from}{until}", newest first. Times are UTC. "
        <span class="nowrap">"Dates like 2026-12-31."</span>
    }
}
