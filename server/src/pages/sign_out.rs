//! `POST /sign-out`: ends the session.

use app::urls::SIGN_IN;
use axum::{
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderValue, StatusCode, header};

use crate::{
    client, clock,
    cookies::{Cookie, Cookies},
    state::AppState,
};

/// Ends the session in the database, deletes the cookie, and redirects to the sign-in page. Without a session it only redirects.
pub(crate) async fn sign_out(State(state): State<AppState>, request: Request) -> Response {
    let cookies = Cookies::new(&state.config);
    if let Some(token) = cookies.token(Cookie::Session, request.headers()) {
        let client = client::address_of(request.extensions());
        let ended = state
            .store
            .sessions()
            .end(&token, client, clock::now())
            .await;
        // The cookie stays, because the session is still valid.
        if let Err(error) = ended {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "sign-out failed");
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                [(header::RETRY_AFTER, HeaderValue::from_static("5"))],
                "You are still signed in: Latchkey can’t reach its database. Try again in a moment.\n",
            )
                .into_response();
        }
    }
    let mut response = Redirect::to(SIGN_IN).into_response();
    if let Some(cookie) = cookies.clear(Cookie::Session) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
