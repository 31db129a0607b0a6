//! `/api/v1/authorization-groups`: the tenant's authorization groups.

use axum::{
    Extension,
    extract::{RawQuery, State},
};
use domain::{group::AuthorizationGroup, verify::VerifiedKey};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    error::ApiError,
    query::{PageParameters, parse_page_query},
};
use crate::{content_coding::ListJson, state::AppState};

/// A page of groups.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupList {
    /// By name.
    items: Vec<AuthorizationGroup>,
    /// Send it as `cursor` to get the next page; `null` on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List authorization groups
///
/// Every group of the tenant, by name. Keys can have those of type `tenant_api_key`.
#[utoipa::path(
    get,
    path = "/api/v1/authorization-groups",
    tag = "Authorization groups",
    params(PageParameters),
    responses((status = 200, body = GroupList, description = "A page of groups")),
)]
pub(crate) async fn list_authorization_groups(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    RawQuery(query): RawQuery,
) -> Result<ListJson<GroupList>, ApiError> {
    let (limit, cursor) = parse_page_query(query.as_deref().unwrap_or_default())?;
    let scope = verified.scope();
    let groups = state.store.groups(&scope);
    let page = groups.page(limit, cursor.as_deref()).await?;
    Ok(ListJson(GroupList {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}
