//! `/api/v1/api-keys`: the keys of the tenant of the key that asks.

use axum::{
    Extension, Json,
    extract::{RawQuery, State},
};
use domain::{key::ApiKey, page::Page, tenant::Usage, verify::VerifiedKey};
use serde::Serialize;

use super::{error::ApiError, query::parse_key_query};
use crate::{clock, state::AppState};

/// A page of keys, and how many there may be.
#[derive(Serialize)]
pub(crate) struct KeyList {
    #[serde(flatten)]
    page: Page<ApiKey>,
    usage: Usage,
}

/// `GET /api/v1/api-keys?status=&expiration=&q=&sort=&limit=&cursor=`
pub(crate) async fn list_api_keys(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    RawQuery(query): RawQuery,
) -> Result<Json<KeyList>, ApiError> {
    let query = parse_key_query(query.as_deref().unwrap_or_default())?;
    let scope = verified.scope();
    let keys = state.store.keys(&scope);
    let page = keys.list(&query, clock::now()).await?;
    Ok(Json(KeyList {
        page: Page {
            items: page.items,
            next_cursor: page.next_cursor,
        },
        usage: keys.usage().await?,
    }))
}
