//! `/api/v1/authorization-groups`: the tenant's authorization groups.

use axum::{
    Extension, Json,
    extract::{FromRequestParts, Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use domain::{
    Error,
    group::AuthorizationGroup,
    id::GroupId,
    propagation::{Propagation, Written},
    verify::VerifiedKey,
};
use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    entity_tag::{IfMatch, etag},
    error::ApiError,
    group_body::{self, GroupChangesBody, NewGroupBody},
    json::{JsonBody, NoBody},
    query::{NoParameters, PageParameters, parse_page_query},
};
use crate::{clock, content_coding::ListJson, state::AppState};

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

/// The group that was edited.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what the document says of the response")]
pub(crate) struct EditedGroup {
    #[serde(flatten)]
    group: AuthorizationGroup,
    /// Replicas that judge by the new permissions; `null` where one server has its database to itself.
    #[schema(required)]
    receipt: Option<Propagation>,
}

/// The group id in the path. A malformed one is not found.
pub(crate) struct GroupInPath(GroupId);

impl<S: Send + Sync> FromRequestParts<S> for GroupInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Path::<String>::from_request_parts(parts, state)
            .await
            .ok()
            .and_then(|Path(id)| id.parse().ok())
            .map(Self)
            .ok_or(ApiError::Failed(Error::NotFound("authorization group")))
    }
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
    GroupInPath(id): GroupInPath,
    _: NoParameters,
) -> Result<Response, ApiError> {
    let scope = verified.scope();
    let group = state.store.groups(&scope).get(id).await?;
    Ok(([(header::ETAG, etag(group.version))], Json(group)).into_response())
}

/// Create an authorization group
///
/// Of type `tenant_api_key`. A key can give a group no permission that it lacks itself.
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
    let tag = [(header::ETAG, etag(group.version))];
    Ok((StatusCode::CREATED, headers, tag, Json(group)).into_response())
}

/// Edit an authorization group
///
/// What is absent stays. Every key with the group is judged by the new permissions from the moment that the response is sent. A key can
/// give a group no permission that it lacks itself.
#[utoipa::path(
    patch,
    path = "/api/v1/authorization-groups/{id}",
    tag = "Authorization groups",
    params(
        ("id" = GroupId, Path),
        ("If-Match" = Option<String>, Header, pattern = "^(\\*|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$", description = "Entity tags of the group, or `*`: only where the group has one of them; 412 where it does not"),
    ),
    request_body = GroupChangesBody,
    responses((status = 200, body = EditedGroup, description = "The group as it is now")),
    extensions(("x-response-headers" = json!(["ETag"])), ("x-codes" = json!(["exceeds_own_grant", "already_exists", "outcome_unknown"]))),
)]
pub(crate) async fn update_authorization_group(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    GroupInPath(id): GroupInPath,
    _: NoParameters,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let if_match = IfMatch::from_headers(&headers)?;
    let changes = group_body::parse_group_changes(body.required()?)?;
    let scope = verified.scope();
    let groups = state.store.groups(&scope);
    let expected = if_match.expected(groups.get(id).await?.version)?;
    let edited: Written<AuthorizationGroup> =
        groups.edit(id, changes, expected, clock::now()).await?;
    let tag = [(header::ETAG, etag(edited.value.version))];
    Ok((tag, Json(edited)).into_response())
}

/// Delete an authorization group
///
/// Only a group that no key has, except revoked keys. Its name becomes free.
#[utoipa::path(
    delete,
    path = "/api/v1/authorization-groups/{id}",
    tag = "Authorization groups",
    params(
        ("id" = GroupId, Path),
        ("If-Match" = Option<String>, Header, pattern = "^(\\*|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$", description = "Entity tags of the group, or `*`: only where the group has one of them; 412 where it does not"),
    ),
    responses((status = 204, description = "The group is deleted")),
    extensions(("x-codes" = json!(["group_in_use", "outcome_unknown"]))),
)]
pub(crate) async fn delete_authorization_group(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    GroupInPath(id): GroupInPath,
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
