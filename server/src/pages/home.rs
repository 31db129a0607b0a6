//! `/`: redirects to the list of keys.

use app::urls::{API_KEYS, TenantQuery};
use axum::{
    extract::RawQuery,
    response::{IntoResponse, Redirect},
};
use url::form_urlencoded;

/// `GET /`. Keeps the tenant parameter of a super user.
pub(crate) async fn redirect_home(RawQuery(query): RawQuery) -> impl IntoResponse {
    let tenant = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "tenant")
        .map(|(_, slug)| slug.into_owned());
    Redirect::to(&TenantQuery(tenant).url(API_KEYS))
}
