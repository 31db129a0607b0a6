//! One event: a sentence that unfolds to the changed fields, the receipt, the address and links.

use domain::audit::AuditEntry;
use leptos::prelude::*;

use super::{
    Subject,
    query::AuditLogQuery,
    wording::{self, Change, Piece},
};
use crate::{components::Icon, current_tenant::use_tenant, urls, words};

/// The value of `target.type` for events about keys.
const KEY: &str = "api_key";

/// An entry of the list, expanded if `open` is set. `query` holds the filters of the page.
pub fn entry(subject: Subject, query: &AuditLogQuery, entry: &AuditEntry, open: bool) -> AnyView {
    let event = &entry.event;
    let icon = wording::icon(event.action);
    let sentence = pieces(wording::sentence(event));
    let (machine, exact, clock) = (
        words::machine(event.at),
        words::exact(event.at),
        event.at.format("%H:%M:%S").to_string(),
    );
    let address = event
        .client_ip
        .clone()
        .unwrap_or_else(|| match event.actor.kind {
            domain::actor::ActorKind::Cli => "command line".to_owned(),
            _ => "unknown address".to_owned(),
        });
    let changes = changes(wording::changes(event));
    let facts = facts(entry, &address);
    let links = links(subject, query, entry);
    view! {
        <details class="event" id=format!("event-{}", event.id) open=open>
            <summary>
                <span class="event-fold"><Icon name="chevron" /></span>
                <span class="event-icon"><Icon name=icon /></span>
                <span>{sentence}</span>
                <span class="event-side event-ip">{address}</span>
                <span class="event-side"><time datetime=machine title=exact>{clock}</time></span>
            </summary>
            <div class="event-body">{changes}{facts}{links}</div>
        </details>
    }
    .into_any()
}

/// A sentence with its names emphasised.
pub fn pieces(pieces: Vec<Piece>) -> impl IntoView {
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.into_any(),
            Piece::Name(name) => view! { <strong>{name}</strong> }.into_any(),
        })
        .collect_view()
}

fn changes(changes: Vec<Change>) -> Option<impl IntoView> {
    let lines = changes
        .into_iter()
        .map(|change| {
            let values = difference(&change);
            view! { <div><dt>{change.label}</dt><dd>{values}</dd></div> }
        })
        .collect::<Vec<_>>();
    (!lines.is_empty()).then(|| view! { <dl class="changes">{lines}</dl> })
}

/// A value before and after; only the value if there was none before.
pub fn difference(change: &Change) -> impl IntoView + use<> {
    let before = change.before.clone().map(|before| {
        view! { <del><span class="visually-hidden">"Before: "</span>{before}</del>" → " }
    });
    let has_before = change.before.is_some();
    let after = change.after.clone();
    let after = match (after, has_before) {
        (Some(after), true) => Some(
            view! { <ins><span class="visually-hidden">"After: "</span>{after}</ins> }.into_any(),
        ),
        (Some(after), false) => Some(after.into_any()),
        (None, _) => Some(view! { <span class="muted">"none"</span> }.into_any()),
    };
    view! { {before}{after} }
}

fn facts(entry: &AuditEntry, address: &str) -> impl IntoView + use<> {
    let event = &entry.event;
    let receipt = entry.receipt.map(|receipt| {
        let text = format!(
            "In effect on {} of {} servers at {} UTC, {} ms after the change",
            receipt.propagation.refused_on,
            receipt.propagation.replicas,
            receipt.at.format("%H:%M:%S%.3f"),
            receipt.propagation.after_ms,
        );
        view! { <div><dt>"Receipt"</dt><dd>{text}</dd></div> }
    });
    let time = event.at.format("%Y-%m-%d %H:%M:%S%.3f UTC").to_string();
    view! {
        <dl class="facts">
            {receipt}
            <div><dt>"Exact time"</dt><dd>{time}</dd></div>
            <div><dt>"From address"</dt><dd><code>{address.to_owned()}</code></dd></div>
            <div><dt>"Event ID"</dt><dd><code>{event.id.to_string()}</code></dd></div>
        </dl>
    }
}

fn links(subject: Subject, query: &AuditLogQuery, entry: &AuditEntry) -> impl IntoView + use<> {
    let tenant = use_tenant().get_untracked();
    let event = &entry.event;
    let about_key = event
        .target
        .id
        .filter(|_| event.target.kind == KEY && subject == Subject::Tenant)
        .map(|id| {
            let key_page = tenant.url(&format!("{}/{id}", urls::API_KEYS));
            let filtered = AuditLogQuery {
                key_id: Some(id.into()),
                ..AuditLogQuery::default()
            };
            let events = filtered.url(&tenant, subject.path());
            view! {
                <a class="button button-s" href=key_page rel="external">"Open the key"</a>
                <a class="button button-s" href=events>"Only events of this key"</a>
            }
        });
    let actor = match event.actor.kind {
        domain::actor::ActorKind::Cli => Some("cli".to_owned()),
        _ => event.actor.id.map(|id| id.to_string()),
    };
    let by_actor = actor.map(|actor| {
        let filtered = AuditLogQuery {
            actor: Some(actor),
            ..AuditLogQuery::default()
        };
        let who = match event.actor.kind {
            domain::actor::ActorKind::Cli => "the command line".to_owned(),
            _ => event.actor.name.clone(),
        };
        let href = filtered.url(&tenant, subject.path());
        view! { <a class="button button-s" href=href>{format!("Only events by {who}")}</a> }
    });
    let link = AuditLogQuery {
        event: Some(event.id),
        ..query.from_start()
    };
    let link = link.url(&tenant, subject.path());
    view! {
        <div class="row">
            {about_key}
            {by_actor}
            <a class="small" href=link>"Link to this event"</a>
        </div>
    }
}
