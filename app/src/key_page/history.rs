//! The newest changes of the key.

use domain::{
    audit::{AuditAction, AuditEvent},
    id::KeyId,
};
use leptos::prelude::*;

use crate::{
    audit_log::{
        entry::{difference, pieces},
        query::AuditLogQuery,
        wording::{self, Change, Piece},
    },
    components::Icon,
    current_tenant::use_tenant,
    urls, words,
};

/// The card. `events` are sorted newest first.
pub(super) fn history_card(id: KeyId, events: &[AuditEvent]) -> AnyView {
    let filtered = AuditLogQuery {
        key_id: Some(id),
        ..AuditLogQuery::default()
    };
    let href = filtered.url(&use_tenant().get_untracked(), urls::AUDIT_LOG);
    let body = if events.is_empty() {
        // The key was created before the installation had an audit log.
        view! { <p class="muted">"No changes recorded"</p> }.into_any()
    } else {
        let entries = events.iter().map(entry).collect_view();
        view! { <ol class="audit">{entries}</ol> }.into_any()
    };
    view! {
        <section class="card" aria-labelledby="history-title">
            <div class="card-header">
                <h2 id="history-title">"History"</h2>
                <a class="small" href=href rel="external">"Open in the Audit Log"</a>
            </div>
            {body}
        </section>
    }
    .into_any()
}

/// The sentence of the audit log, with "the key" in place of its name.
fn sentence(event: &AuditEvent) -> Vec<Piece> {
    let mut pieces = wording::sentence(event);
    if let Some(last) = pieces.last_mut()
        && *last == Piece::Name(event.target.name.clone())
    {
        *last = Piece::Text("the key".to_owned());
    }
    pieces
}

/// The changed fields. A new key has no previous values, and its name is the title of the page.
fn changes(event: &AuditEvent) -> Vec<Change> {
    let changes = wording::changes(event).into_iter();
    if event.action != AuditAction::ApiKeyCreated {
        return changes.collect();
    }
    changes
        .filter(|change| change.after.as_deref() != Some(event.target.name.as_str()))
        .map(|change| Change {
            before: None,
            ..change
        })
        .collect()
}

fn entry(event: &AuditEvent) -> impl IntoView + use<> {
    let icon = wording::icon(event.action);
    let at = format!(
        "{}, {} UTC",
        words::date(event.at.date_naive()),
        event.at.format("%H:%M")
    );
    let changes = changes(event)
        .into_iter()
        .enumerate()
        .map(|(index, change)| {
            let separator = (index > 0).then_some("; ");
            let values = difference(&change);
            view! { {separator}{change.label}": "{values} }
        })
        .collect::<Vec<_>>();
    let from = event.client_ip.clone().map(|address| {
        let separator = if changes.is_empty() {
            "From "
        } else {
            ", from "
        };
        format!("{separator}{address}")
    });
    let has_detail = !changes.is_empty() || from.is_some();
    let detail = has_detail.then(|| view! { <span class="audit-detail">{changes}{from}</span> });
    view! {
        <li>
            <Icon name=icon />
            <span>{pieces(sentence(event))}</span>
            <time datetime=words::machine(event.at) title=words::exact(event.at)>{at}</time>
            {detail}
        </li>
    }
}
