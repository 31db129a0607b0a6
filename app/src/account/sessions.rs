//! The section that lists the user's sessions and ends them.

use chrono::{DateTime, Utc};
use domain::{
    store::own_account::{OwnSession, OwnSessions},
    user_agent,
};
use leptos::prelude::*;

use crate::{components::Icon, current_tenant::use_tenant, ssr, urls, words};

/// The list, with a button for each other session and one for all of them.
pub(super) fn sessions_section(sessions: OwnSessions) -> AnyView {
    let tenant = use_tenant().get_untracked();
    let has_others = sessions.listed.len() > 1;
    let end = tenant.url(urls::END_SESSION);
    let items: Vec<_> = sessions
        .listed
        .into_iter()
        .map(|session| item(session, &end))
        .collect();
    let more = sessions.has_more.then(|| {
        view! { <p class="hint">"Further sessions are not listed. Sign out elsewhere ends them too."</p> }
    });
    let elsewhere = has_others.then(|| {
        view! {
            <form method="post" action=tenant.url(urls::END_OTHER_SESSIONS)>
                <button class="button button-s" data-wait="Signing out…"><span>"Sign out elsewhere"</span></button>
            </form>
        }
    });
    view! {
        <section class="field" id="sessions-section" aria-labelledby="sessions-title">
            <div class="field-about">
                <h2 class="label" id="sessions-title">"Sessions"</h2>
                <p class="hint">"Each ends after 8 hours without use, and after 7 days."</p>
            </div>
            <div class="field-control stack">
                <ul class="sessions">{items}</ul>
                {more}
                {elsewhere}
            </div>
        </section>
    }
    .into_any()
}

fn item(session: OwnSession, end: &str) -> AnyView {
    let OwnSession {
        id,
        browser,
        system,
        address,
        created_at,
        last_seen_at,
        is_current,
    } = session;
    let is_phone = matches!(system.as_deref(), Some("iPhone" | "Android"));
    let label = user_agent::label(browser.as_deref(), system.as_deref());
    let now = ssr::request().map_or(last_seen_at, |request| request.now);
    let address = address.unwrap_or_else(|| "Unknown address".to_owned());
    let current = is_current.then(|| {
        view! { " "<span class="muted small">"This session"</span> }
    });
    let button = (!is_current).then(|| {
        view! {
            <form method="post" action=end.to_owned()>
                <input type="hidden" name="session" value=id.as_str().to_owned() />
                <button class="button button-s" data-wait="Signing out…">
                    <span>"Sign out"<span class="visually-hidden">{format!(" {label}")}</span></span>
                </button>
            </form>
        }
    });
    view! {
        <li>
            <Icon name=if is_phone { "phone" } else { "monitor" } />
            <div>
                <strong>{label.clone()}</strong>
                {current}
                <p>
                    <bdi>{address}</bdi>", "{used(is_current, last_seen_at, now)}
                    {format!(". Signed in {}", words::minute(created_at))}
                </p>
            </div>
            {button}
        </li>
    }
    .into_any()
}

/// The last use in the middle of a sentence. The current session is in use now.
fn used(is_current: bool, last_seen_at: DateTime<Utc>, now: DateTime<Utc>) -> AnyView {
    if is_current {
        return "now".into_any();
    }
    let text = words::relative(last_seen_at, now).to_lowercase();
    view! { <time datetime=words::machine(last_seen_at) title=words::exact(last_seen_at)>{text}</time> }
        .into_any()
}
