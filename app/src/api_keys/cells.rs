//! The cells of a row. Only the server renders them (`rows.rs`).

use chrono::{DateTime, Utc};
use domain::{
    id::KeyId,
    key::{ApiKey, KeyStatus, usage::KeySparkline},
};
use leptos::prelude::*;

use super::{
    dialog_target::{DialogKind, DialogTarget, IDS},
    list_query::ListQuery,
    selection::FORM,
    sparkline::sparkline,
};
use crate::{
    components::{
        ExpirationBadge, Icon, StatusBadge,
        date::{Ago, Day, Expires},
    },
    urls::{self, TenantQuery},
    words,
};

/// The data that a row needs besides its key.
pub(super) struct RowContext<'a> {
    /// The time of the request.
    pub now: DateTime<Utc>,
    /// The accepted requests of the page's keys.
    pub sparklines: &'a [KeySparkline],
    /// The query of the list, which links to dialogs keep.
    pub query: &'a ListQuery,
    /// The tenant of links.
    pub tenant: &'a TenantQuery,
    /// The key that was changed before this page. Its row is marked.
    pub changed: Option<KeyId>,
}

/// The check box. Only active keys have one.
pub(super) fn check(key: &ApiKey, _: &RowContext<'_>) -> AnyView {
    if key.status != KeyStatus::Active {
        return ().into_any();
    }
    view! {
        <label class="check-target">
            <input
                class="check"
                type="checkbox"
                id=format!("select-{}", key.id)
                name=IDS
                value=key.id.to_string()
                form=FORM
                autocomplete="off"
                aria-label=format!("Select {}", key.name)
            />
        </label>
    }
    .into_any()
}

/// The name with hint and description below it.
pub(super) fn name(key: &ApiKey, context: &RowContext<'_>) -> AnyView {
    let description = key.description.as_str().to_owned();
    let description = (!description.is_empty()).then(|| {
        let title = description.clone();
        view! { <span class="about-text truncate" title=title>{description}</span> }
    });
    let group = key.authorization_group.name.clone();
    let created = format!("Created {}", words::date(key.created_at.date_naive()));
    view! {
        {key_name(key, context.tenant)}
        <span class="key-about">
            <code>{key.hint.clone()}</code>
            <span class="about-group dot truncate">{group}</span>
            <span class="about-created dot">{created}</span>
            {description}
        </span>
    }
    .into_any()
}

/// The status.
pub(super) fn status(key: &ApiKey, _: &RowContext<'_>) -> AnyView {
    view! { <StatusBadge status=key.status /> }.into_any()
}

/// The name of the authorization group.
pub(super) fn group(key: &ApiKey, _: &RowContext<'_>) -> AnyView {
    let name = key.authorization_group.name.clone();
    view! { <span class="truncate" title=name.clone()>{name.clone()}</span> }.into_any()
}

/// The expiration date, with a badge unless it is far.
pub(super) fn expires(key: &ApiKey, _: &RowContext<'_>) -> AnyView {
    view! {
        <Expires on=key.expires_on />
        <ExpirationBadge
            state=key.expiration
            status=key.status
            outside_policy=key.outside_policy
        />
    }
    .into_any()
}

/// The day of creation.
pub(super) fn created(key: &ApiKey, _: &RowContext<'_>) -> AnyView {
    view! { <Day at=key.created_at /> }.into_any()
}

/// The last use, with the sparkline below it.
pub(super) fn used(key: &ApiKey, context: &RowContext<'_>) -> AnyView {
    let of_key = context.sparklines.iter().find(|each| each.key_id == key.id);
    let ago = view! { <Ago at=key.last_used_at now=context.now /> };
    match sparkline(of_key) {
        Some(sparkline) => view! { <span class="value">{ago}{sparkline}</span> }.into_any(),
        None => ago.into_any(),
    }
}

/// The links to the dialogs of an active key.
pub(super) fn actions(key: &ApiKey, context: &RowContext<'_>) -> AnyView {
    if key.status != KeyStatus::Active {
        return ().into_any();
    }
    let action = |kind, verb: &'static str, icon, class| {
        let target = DialogTarget {
            kind,
            id: key.id.to_string(),
        };
        action(&target, verb, icon, class, key.name.as_str(), context)
    };
    view! {
        <div class="actions">
            {action(DialogKind::Edit, "Edit", "pencil", "icon-button")}
            {action(DialogKind::Rotate, "Rotate", "rotate", "icon-button")}
            {action(DialogKind::Revoke, "Revoke", "trash", "icon-button icon-button-danger")}
        </div>
    }
    .into_any()
}

/// The width up to which a name is never cut, in Latin letters (capitals, in the narrowest table). A wider name has a tooltip.
const LONG_NAME: usize = 11;
/// The same for a wide table (`style/table-narrow.css`).
const LONG_NAME_IN_WIDE_TABLE: usize = 18;

/// The width of `name` in Latin letters: most letters from Hangul on are twice as wide.
fn width(name: &str) -> usize {
    name.chars()
        .map(|letter| if letter < '\u{1100}' { 1 } else { 2 })
        .sum()
}

/// The key's name as a link to its page, which the browser loads from the server.
fn key_name(key: &ApiKey, tenant: &TenantQuery) -> impl IntoView + use<> {
    let name = key.name.to_string();
    let width = width(&name);
    let is_long = width > LONG_NAME;
    let fits_wide = (is_long && width <= LONG_NAME_IN_WIDE_TABLE).then_some("");
    let tip = is_long.then(|| name.clone());
    let id = key.id.to_string();
    view! {
        <a
            class="key-name"
            id=format!("name-{id}")
            href=tenant.url(&urls::key(&id))
            rel="external"
            data-tip=tip
            data-fits-wide=fits_wide
        >
            <span class="truncate" dir="auto">{name}</span>
        </a>
    }
}

/// A link to a dialog of the row's key, which keeps the query of the list.
fn action(
    target: &DialogTarget,
    verb: &'static str,
    icon: &'static str,
    class: &'static str,
    name: &str,
    context: &RowContext<'_>,
) -> impl IntoView + use<> {
    let href = context.query.url(context.tenant, &target.path());
    view! {
        <a
            class=class
            id=target.opener_id()
            href=href
            data-noscroll=""
            aria-label=format!("{verb} {name}")
            data-tip=verb
        >
            <Icon name=icon />
        </a>
    }
}
