//! The facts of the key in the side column.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    actor::{ActorKind, ActorRef},
    audit::{AuditAction, AuditEvent},
    key::{ApiKey, expiry::ExpirationDate, lifetime::LifetimeRule, today},
    permission::PermissionSet,
};
use leptos::prelude::*;

use crate::{
    components::{
        Icon,
        date::{Ago, Day},
    },
    current_tenant::use_tenant,
    urls, words,
};

/// The number of entries of a list outside the disclosure.
const SHOWN: usize = 10;

/// The facts. `rule` is the tenant's, `permissions` are those of the group, `None` if it was deleted; `events` are sorted newest first.
pub(super) fn facts(
    key: &ApiKey,
    rule: LifetimeRule,
    permissions: Option<PermissionSet>,
    events: &[AuditEvent],
    now: DateTime<Utc>,
) -> AnyView {
    let revoked = key.revoked_at.map(|at| {
        let who = key.revoked_by.as_ref().map(by);
        let reason = key.revoked_reason.as_ref().map(|reason| {
            view! { <span class="note">"Reason: "<bdi>{reason.as_str().to_owned()}</bdi></span> }
        });
        view! { <div><dt>"Revoked"</dt><dd><Day at />{who}{reason}</dd></div> }
    });
    let name = key.authorization_group.name.clone();
    let group = if permissions.is_some() {
        let path = format!("{}/{}", urls::GROUPS, key.authorization_group.id);
        let href = use_tenant().get_untracked().url(&path);
        view! { <a href=href rel="external"><bdi>{name}</bdi></a> }.into_any()
    } else {
        view! { <bdi>{name}</bdi> }.into_any()
    };
    let permissions = match permissions {
        Some(permissions) => {
            let codes = permissions
                .iter()
                .map(|permission| view! { <code>{permission.to_string()}</code> }.into_any())
                .collect::<Vec<_>>();
            if codes.is_empty() {
                view! { <span class="note">"No permission"</span> }.into_any()
            } else {
                shortened(codes, |codes| {
                    view! { <span class="permissions">{codes}</span> }.into_any()
                })
            }
        }
        None => view! { <span class="note">"The group was deleted."</span> }.into_any(),
    };
    let networks = key
        .ip_allowlist
        .networks()
        .iter()
        .map(|network| view! { <code>{network.to_string()}</code><br /> }.into_any())
        .collect::<Vec<_>>();
    let allowlist = if networks.is_empty() {
        "Any address".into_any()
    } else {
        shortened(networks, |networks| networks.into_any())
    };
    let last_used = match key.last_used_at {
        Some(at) => {
            let from = key.last_used_ip.clone();
            let from = from.map(|ip| view! { " from "<code>{ip}</code> });
            view! { <Ago at=Some(at) now />{from} }.into_any()
        }
        None => "Never".into_any(),
    };
    let rotated = key.rotated_at.map(|at| {
        let newest = (events.iter()).find(|event| event.action == AuditAction::ApiKeyRotated);
        let who = newest.map(|event| by(&event.actor));
        view! { <div><dt>"Rotated"</dt><dd><Day at />{who}</dd></div> }
    });
    let broken = rule.broken_by(key.expires_on, key.issued_on());
    let outside = broken.filter(|_| key.outside_policy).map(|broken| {
        let reason = broken.sentence(key.rotated_at.is_some());
        view! { <span class="note">{reason}</span> }
    });
    let created = by(&key.created_by);
    view! {
        <aside class="key-page-aside card" aria-label="About this key">
            <dl class="facts">
                {revoked}
                <div><dt>"Secret"</dt><dd><code>{key.hint.clone()}</code></dd></div>
                <div><dt>"Authorization group"</dt><dd>{group}{permissions}</dd></div>
                <div><dt>"Expires"</dt><dd>{expires(key.expires_on, today(now))}{outside}</dd></div>
                <div><dt>"IP allowlist"</dt><dd>{allowlist}</dd></div>
                <div><dt>"Last used"</dt><dd>{last_used}</dd></div>
                {rotated}
                <div><dt>"Created"</dt><dd><Day at=key.created_at />{created}</dd></div>
                <div><dt>"Key ID"</dt><dd><code>{key.id.to_string()}</code></dd></div>
            </dl>
        </aside>
    }
    .into_any()
}

/// ` by Mira Lindqvist`.
fn by(actor: &ActorRef) -> impl IntoView + use<> {
    let kind = match actor.kind {
        ActorKind::Cli => return " at the command line".into_any(),
        ActorKind::ApiKey => " by the key ",
        ActorKind::User => " by ",
    };
    let name = actor.name.clone();
    view! { {kind}<bdi>{name}</bdi> }.into_any()
}

/// The first entries, and a disclosure with the remaining ones.
fn shortened(mut entries: Vec<AnyView>, list: impl Fn(Vec<AnyView>) -> AnyView) -> AnyView {
    let rest = entries.split_off(entries.len().min(SHOWN));
    let first = list(entries);
    if rest.is_empty() {
        return first;
    }
    let count = words::grouped(rest.len() as u64);
    let rest = list(rest);
    view! {
        {first}
        <details class="disclosure">
            <summary><Icon name="chevron" />{format!("and {count} more")}</summary>
            {rest}
        </details>
    }
    .into_any()
}

fn expires(on: Option<ExpirationDate>, today: NaiveDate) -> AnyView {
    let Some(date) = on else {
        return "Never".into_any();
    };
    let left = date.date().signed_duration_since(today).num_days();
    let days = |days: i64| words::count(days.unsigned_abs(), "day", "days");
    let note = match left {
        0 => "Today is its last day.".to_owned(),
        1.. => format!("In {}.", days(left)),
        _ => format!("Expired {} ago.", days(left)),
    };
    view! {
        <time datetime=date.to_string()>{words::date(date.date())}</time>
        ", end of day UTC"
        <span class="note">{note}</span>
    }
    .into_any()
}
