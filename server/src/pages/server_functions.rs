//! The server functions of `app`: public POST routes behind the same checks as every other route.

use app::{
    error::{AppError, ErrorCode},
    page::Access,
    pages::SERVER_FUNCTIONS,
    ssr::{self, RequestContext},
};
use axum::{
    Json,
    body::to_bytes,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use leptos::prelude::provide_context;

use super::render::context_of;
use crate::{body_limit, content_coding::compressible, request_id, state::AppState};

/// Admits a signed-in user whose role has the route's access, before the arguments are parsed. The function itself checks the role
/// again, and the tenant.
///
/// # Errors
/// The refusal.
pub(crate) async fn admit_session(
    context: &RequestContext,
    access: Access,
) -> Result<(), Response> {
    match ssr::signed_in(context).await {
        Ok(user) if access.admits(user.user.role) => {
            request_id::mark_authenticated();
            Ok(())
        }
        Ok(_) => Err(refusal(&AppError::new(ErrorCode::Forbidden))),
        Err(error) => Err(refusal(&error)),
    }
}

/// Runs the server function at the request's path.
pub(crate) async fn run_server_function(
    State(state): State<AppState>,
    mut request: Request,
) -> Response {
    if !is_json(request.headers()) {
        let mut response = refusal(&AppError::new(ErrorCode::Invalid));
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    // Without these two lines server_fn redirects HTML clients to the unchecked `Referer`, with the error in the URL.
    request
        .headers_mut()
        .insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.headers_mut().remove(header::REFERER);
    let path = request.uri().path();
    let is_compressible =
        (SERVER_FUNCTIONS.iter()).any(|function| function.path == path && function.is_compressible);
    let context = context_of(&state, &request);
    let provide = move || provide_context(context.clone());
    let response = leptos_axum::handle_server_fns_with_context(provide, request)
        .await
        .into_response();
    let response = reject_bad_arguments(response).await;
    if is_compressible {
        compressible(response)
    } else {
        response
    }
}

/// Whether there is one `Content-Type`, and it is JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return false;
    };
    let essence = line.to_str().ok().and_then(|line| line.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// Unparsable arguments fail before the function runs, with the 500 of server_fn. Changes that to 422.
async fn reject_bad_arguments(response: Response) -> Response {
    if response.status() != StatusCode::INTERNAL_SERVER_ERROR {
        return response;
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, body_limit::PAGES).await.unwrap_or_default();
    match serde_json::from_slice::<AppError>(&body) {
        Ok(error) if matches!(error.code, ErrorCode::Invalid | ErrorCode::Unreachable) => {
            refusal(&AppError::new(ErrorCode::Invalid))
        }
        _ => Response::from_parts(parts, body.into()),
    }
}

/// An error response as the browser's client of server functions expects it.
fn refusal(error: &AppError) -> Response {
    let mut response = (ssr::status_of(error.code), Json(error)).into_response();
    if let Some(seconds) = ssr::retry_after_of(error.code) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}
