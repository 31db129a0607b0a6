//! The handling of a request for the list, on the server.

use domain::{Error, key::query::KeyQuery};

use super::{
    cells::RowContext,
    responses::{KeyList, ListedKey},
    rows,
};
use crate::{
    done::Done,
    error::AppError,
    ssr::{self, RequestContext, TenantRequest},
    urls::TenantQuery,
};

/// Returns one page of the keys that match `query`.
///
/// # Errors
/// As [`ssr::tenant_request_of`]; [`ErrorCode::TooManyRequests`](crate::error::ErrorCode::TooManyRequests).
pub(super) async fn list(
    request: &RequestContext,
    tenant: Option<String>,
    query: KeyQuery,
) -> Result<KeyList, AppError> {
    let TenantRequest { scope, user } = ssr::tenant_request_of(request, tenant.as_deref()).await?;
    let keys = request.store.keys(&scope);
    let query = KeyQuery {
        limit: domain::page::DEFAULT_LIMIT,
        ..query
    };
    let listed = match keys.list_with_summary(&query, request.now).await {
        // The cursor belongs to another order or an older version: returns the first page.
        Err(Error::InvalidCursor) => {
            let from_start = KeyQuery {
                cursor: None,
                ..query.clone()
            };
            keys.list_with_summary(&from_start, request.now).await
        }
        listed => listed,
    };
    let (page, summary) = listed?;
    let ids: Vec<_> = page.items.iter().map(|key| key.id).collect();
    let sparklines = keys.sparklines(&ids, request.now).await?;
    // Only the empty list shows it.
    let needs_group = summary.total == 0
        && request
            .store
            .groups(&scope)
            .list_for_keys()
            .await?
            .is_empty();
    let context = RowContext {
        now: request.now,
        sparklines: &sparklines,
        query: &(&query).into(),
        tenant: &TenantQuery(tenant.filter(|_| user.operator().is_some())),
        changed: request.done.and_then(Done::key),
    };
    let rows = rows::html(&page.items, &context);
    let listed = page.items.into_iter().map(|key| ListedKey {
        id: key.id,
        name: key.name.to_string(),
        status: key.status,
    });
    Ok(KeyList {
        keys: listed.collect(),
        rows,
        first: page.first,
        next_cursor: page.next_cursor,
        previous_cursor: page.previous_cursor,
        summary,
        needs_group,
        soon_days: request.store.options().expiring_soon_days,
        now: request.now,
    })
}
