//! `/api/v1/audit-events`: the audit log of the tenant.

use axum::{
    Extension,
    extract::{RawQuery, State},
};
use domain::{
    audit::{AuditAction, AuditEvent},
    id::KeyId,
    verify::VerifiedKey,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    error::ApiError,
    query::{PageParameters, parse_audit_query},
};
use crate::{content_coding::ListJson, state::AppState};

/// A page of events.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventList {
    /// Newest first.
    items: Vec<AuditEvent>,
    /// Send it as `cursor` to get the next page; `null` on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List audit events
///
/// Every change in the tenant, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/audit-events",
    tag = "Audit events",
    params(
        ("action" = Option<AuditAction>, Query, description = "Only this action"),
        ("actor" = Option<String>, Query, pattern = "^(cli|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$", description = "Only what the user or key of this identifier did; `cli` for the command line"),
        ("key_id" = Option<KeyId>, Query, description = "Only what was done to this key"),
        ("from" = Option<String>, Query, format = DateTime, description = "Only from this time on; a date means its beginning (UTC)"),
        ("to" = Option<String>, Query, format = DateTime, description = "Only before this time; a date means its end (UTC)"),
        PageParameters,
    ),
    responses((status = 200, body = EventList, description = "A page of events")),
)]
pub(crate) async fn list_audit_events(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    RawQuery(query): RawQuery,
) -> Result<ListJson<EventList>, ApiError> {
    let query = parse_audit_query(query.as_deref().unwrap_or_default())?;
    let scope = verified.scope();
    let page = state.store.audit(&scope).list(&query).await?;
    Ok(ListJson(EventList {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}
