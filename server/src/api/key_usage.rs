//! `/api/v1/api-keys/{id}/usage`: accepted and refused requests of a key by day.

use axum::{
    Extension,
    extract::{RawQuery, State},
};
use domain::{
    Error,
    id::KeyId,
    key::usage::{KeyUsage, MAX_DAYS},
    verify::VerifiedKey,
};

use super::{error::ApiError, input::Input, path_id::PathId};
use crate::{clock, content_coding::ListJson, state::AppState};

/// Days of usage if the parameter is absent.
const DEFAULT_DAYS: u32 = 30;

/// Read a key's usage
///
/// Accepted and refused requests of each day, and the client addresses of the last 7 days; up to 5 seconds late.
#[utoipa::path(
    get,
    path = "/api/v1/api-keys/{id}/usage",
    tag = "API keys",
    params(
        ("id" = KeyId, Path),
        ("days" = Option<u32>, Query, minimum = 1, maximum = 90, description = "Days up to today (UTC); 30 if absent"),
    ),
    responses((status = 200, body = KeyUsage, description = "The key's usage")),
)]
pub(crate) async fn read_api_key_usage(
    State(state): State<AppState>,
    Extension(verified): Extension<VerifiedKey>,
    PathId(id): PathId<KeyId>,
    RawQuery(query): RawQuery,
) -> Result<ListJson<KeyUsage>, ApiError> {
    let days = parse_days(query.as_deref().unwrap_or_default())?;
    let scope = verified.scope();
    let keys = state.store.keys(&scope);
    Ok(ListJson(keys.key_usage(id, days, clock::now()).await?))
}

fn parse_days(query: &str) -> Result<u32, Error> {
    let mut parameters = Input::from_query(query);
    let days = parameters.non_empty_text("days", |text| {
        super::query::parse_number(text, MAX_DAYS).ok_or("Must be a number from 1 to 90")
    });
    parameters.finish(Some(days.unwrap_or(DEFAULT_DAYS)))
}
