//! `/`: redirects to the list of keys, and members to their account.

use app::{
    ssr,
    urls::{API_KEYS, TenantQuery, first_page},
};
use axum::{
    extract::{RawQuery, Request, State},
    response::{IntoResponse, Redirect},
};
use url::form_urlencoded;

use super::render::context_of;
use crate::state::AppState;

/// `GET /`. Keeps the tenant parameter of a super user.
pub(crate) async fn redirect_home(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    request: Request,
) -> impl IntoResponse {
    // Without a session, and if it cannot be read, the list of keys leads to the sign-in page or reports the failure.
    let user = ssr::signed_in(&context_of(&state, &request)).await;
    let page = user.map_or(API_KEYS, |user| first_page(user.user.role));
    let tenant = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "tenant")
        .map(|(_, slug)| slug.into_owned());
    Redirect::to(&TenantQuery(tenant).url(page))
}
