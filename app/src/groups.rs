//! The authorization groups of a tenant: list, form and delete confirmation. Pages without script.

pub mod actions;
pub mod delete;
pub mod form;
pub mod known_permissions;
pub mod list;

use domain::id::{GroupId, KeyRef};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::{
    error::{AppError, ErrorCode},
    urls::{self, TenantQuery},
    words,
};

/// The typed values of a group's form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupForm {
    /// The name.
    pub name: String,
    /// The permissions, one per line.
    pub permissions: String,
}

/// A submitted form that is shown again, which the server provides as context to the page that it renders in response.
#[derive(Clone, Debug)]
pub struct SubmittedGroup {
    /// The typed values.
    pub form: GroupForm,
    /// The error; `None` if the form was only checked.
    pub error: Option<AppError>,
}

/// The tenant in the URL.
fn named_tenant() -> Option<String> {
    use_query_map().with_untracked(|query| query.get("tenant"))
}

/// The group in the URL. A malformed id is not found.
fn group_in_path() -> Result<GroupId, AppError> {
    let id = use_params_map().with_untracked(|path| path.get("id"));
    id.and_then(|id| id.parse().ok())
        .ok_or_else(|| AppError::new(ErrorCode::NotFound))
}

/// The URL of a group's form.
fn edit_url(tenant: &TenantQuery, id: GroupId) -> String {
    tenant.url(&format!("{}/{id}", urls::GROUPS))
}

/// The URL of the form that creates a key in a group.
fn generate_url(tenant: &TenantQuery, id: GroupId) -> String {
    tenant.url_with(urls::GENERATE, &[(urls::IN_GROUP, &id.to_string())])
}

/// The first `shown` keys with links to their pages, then `and 4 more` up to `total`.
fn key_names(tenant: &TenantQuery, keys: &[KeyRef], shown: usize, total: u64) -> AnyView {
    let shown = keys.len().min(shown);
    let links: Vec<_> = keys
        .iter()
        .take(shown)
        .enumerate()
        .map(|(index, key)| {
            let href = tenant.url(&urls::key(&key.id.to_string()));
            let separator = if index == 0 { "" } else { ", " };
            view! { {separator}<a href=href dir="auto">{key.name.clone()}</a> }
        })
        .collect();
    let rest = total.saturating_sub(shown as u64);
    let rest = (rest > 0).then(|| format!(" and {} more", words::grouped(rest)));
    view! { {links}{rest} }.into_any()
}
