//! `/api/v1/authorization-groups`: the tenant's authorization groups.

use axum::{
    Extension,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use domain::{
    group::AuthorizationGroup,
    id::GroupId,
    propagation::{Propagation, Written},
    verify::VerifiedKey,
};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    entity_tag::{IfMatch, IfMatchParameter, Tagged},
    error::ApiError,
    group_body::{self, GroupChangesBody, NewGroupBody},
    json::{JsonBody, NoBody},
    path_id::PathId,
    query::{NoParameters, PageParameters, parse_page_query},
};
use crate::{clock, content_coding::ListJson, state::AppState};

/// A page of groups.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupList {
    /// By name.
    items: Vec<AuthorizationGroup>,
    /// The `cursor` of the next page; `null` on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List authorization groups
///
/// All groups of the tenant, by name. Keys use groups of type `tenant_api_key`.
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

/// The group that was edited.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a response in the document")]
pub(crate) struct EditedGroup {
    #[serde(flatten)]
    group: AuthorizationGroup,
    /// The replicas that apply the new permissions; `null` if a single server has the database.
    #[schema(required)]
    receipt: Option<Propagation>,
}

/// Read an authorization group
#[utoipa::path(
    get,
    path = "/api/v1/authorization-groups/{id}",
    tag = "Authorization groups",
    params(("id" = GroupId, Path)),
    responses((status = 200, body = AuthorizationGroup, description = "The group")),
    extensions(("x-response-headers" = json!(["ETag"]))),
)]
pub(crate) async fn read_authorization_group(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    PathId(id): PathId<GroupId>,
    _: NoParameters,
) -> Result<Tagged<AuthorizationGroup>, ApiError> {
    let scope = verified.scope();
    let group = state.store.groups(&scope).get(id).await?;
    Ok(Tagged(group))
}

/// Create an authorization group
///
/// The group has the type `tenant_api_key`. Its permissions must be a subset of those of the calling key.
#[utoipa::path(
    post,
    path = "/api/v1/authorization-groups",
    tag = "Authorization groups",
    request_body = NewGroupBody,
    responses((status = 201, body = AuthorizationGroup, description = "The group")),
    extensions(("x-response-headers" = json!(["ETag", "Location"])), ("x-codes" = json!(["exceeds_own_grant", "already_exists", "outcome_unknown"]))),
)]
pub(crate) async fn create_authorization_group(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    _: NoParameters,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let new = group_body::parse_new_group(body.required()?)?;
    let scope = verified.scope();
    let group = state.store.groups(&scope).create(new, clock::now()).await?;
    let location = format!("{}/authorization-groups/{}", super::PREFIX, group.id);
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Tagged(group)).into_response())
}

/// Edit an authorization group
///
/// Absent fields stay unchanged. When the response is sent, every key of the group is verified with the new permissions. These must be a
/// subset of those of the calling key.
#[utoipa::path(
    patch,
    path = "/api/v1/authorization-groups/{id}",
    tag = "Authorization groups",
    params(
        ("id" = GroupId, Path),
        IfMatchParameter,
    ),
    request_body = GroupChangesBody,
    responses((status = 200, body = EditedGroup, description = "The group in its new state")),
    extensions(("x-response-headers" = json!(["ETag"])), ("x-codes" = json!(["exceeds_own_grant", "already_exists", "outcome_unknown"]))),
)]
pub(crate) async fn update_authorization_group(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    PathId(id): PathId<GroupId>,
    _: NoParameters,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Tagged<Written<AuthorizationGroup>>, ApiError> {
    let if_match = IfMatch::from_headers(&headers)?;
    let changes = group_body::parse_group_changes(body.required()?)?;
    let scope = verified.scope();
    let groups = state.store.groups(&scope);
    let expected = if_match.expected(groups.get(id).await?.version)?;
    let edited = groups.edit(id, changes, expected, clock::now()).await?;
    Ok(Tagged(edited))
}

/// Delete an authorization group
///
/// Only revoked keys may have the group. Its name can be used again.
#[utoipa::path(
    delete,
    path = "/api/v1/authorization-groups/{id}",
    tag = "Authorization groups",
    params(
        ("id" = GroupId, Path),
        IfMatchParameter,
    ),
    responses((status = 204, description = "The group is deleted")),
    extensions(("x-codes" = json!(["group_in_use", "outcome_unknown"]))),
)]
pub(crate) async fn delete_authorization_group(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    PathId(id): PathId<GroupId>,
    _: NoParameters,
    headers: HeaderMap,
    _: NoBody,
) -> Result<StatusCode, ApiError> {
    let if_match = IfMatch::from_headers(&headers)?;
    let scope = verified.scope();
    let groups = state.store.groups(&scope);
    let expected = if_match.expected(groups.get(id).await?.version)?;
    groups.delete(id, expected, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
