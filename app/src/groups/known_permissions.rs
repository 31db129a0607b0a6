//! The permissions that the form of a group suggests: those in use, and those of Latchkey's own API.

use domain::permission::Permission;
use leptos::prelude::*;

use crate::components::Icon;

/// The permissions of Latchkey's own API with their descriptions.
pub const OWN_PERMISSIONS: &[(&str, &str)] = &[
    ("api-keys:read", "reads API keys"),
    ("api-keys:rotate-self", "lets a key rotate itself"),
    ("api-keys:verify", "verifies keys of this tenant"),
    (
        "api-keys:write",
        "generates, edits, rotates and revokes API keys",
    ),
    ("audit-log:read", "reads the audit log"),
    ("authorization-groups:read", "reads authorization groups"),
    (
        "authorization-groups:write",
        "creates, edits and deletes authorization groups",
    ),
    ("security-policy:read", "reads the security policy"),
    ("security-policy:write", "changes the security policy"),
];

/// A collapsible list of permissions with their sources.
pub(super) fn known_permissions(in_use: &[(Permission, String)]) -> AnyView {
    let used = in_use.iter().map(|(permission, group)| {
        let own = own_source(permission.as_str());
        let source = match own {
            Some(own) => format!("in use by {group}; Latchkey’s API: {own}"),
            None => format!("in use by {group}"),
        };
        (permission.to_string(), source)
    });
    let is_used = |name: &str| in_use.iter().any(|(used, _)| used.as_str() == name);
    let own = OWN_PERMISSIONS
        .iter()
        .filter(|(name, _)| !is_used(name))
        .map(|(name, source)| ((*name).to_owned(), format!("Latchkey’s API: {source}")));
    let entries: Vec<_> = used.chain(own).collect();
    let number = entries.len();
    let entries = entries
        .into_iter()
        .map(|(permission, source)| {
            view! { <li><code>{permission}</code><span class="muted">{source}</span></li> }
        })
        .collect_view();
    view! {
        <details class="disclosure">
            <summary><Icon name="chevron" />{format!("Show {number} known permissions")}</summary>
            <ul class="known-permissions" aria-label="Known permissions">{entries}</ul>
        </details>
    }
    .into_any()
}

fn own_source(permission: &str) -> Option<&'static str> {
    let found = OWN_PERMISSIONS.iter().find(|(name, _)| *name == permission);
    found.map(|(_, source)| *source)
}
