//! Strict parsing of form bodies.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest as _, Request},
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::{
    body_limit::{self, receive_body},
    urlencoded,
};

fn too_large() -> Response {
    (StatusCode::PAYLOAD_TOO_LARGE, "The form is too large.\n").into_response()
}

/// Receives and parses the form `T`. Called after the session check, so that a client without one cannot hold a connection.
///
/// # Errors
/// The refusal. It repeats nothing of the form, which may contain a password.
pub(crate) async fn read_form<T: DeserializeOwned>(mut request: Request) -> Result<T, Response> {
    if let Err(refusal) = receive_body(body_limit::PAGES, &mut request).await {
        return Err(match refusal.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => refusal,
        });
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, body_limit::PAGES).await else {
        return Err(too_large());
    };
    let is_well_formed = urlencoded::is_well_formed(&bytes);
    let request = Request::from_parts(parts, Body::from(bytes));
    match axum::Form::<T>::from_request(request, &()).await {
        Ok(axum::Form(form)) if is_well_formed => Ok(form),
        Ok(_) => Err((
            StatusCode::BAD_REQUEST,
            "The form's text is not percent-encoded UTF-8: write % as %25. Open the page again and repeat what you did.\n",
        )
            .into_response()),
        Err(rejection) => Err((
            rejection.into_response().status(),
            "The form is not complete. Open the page again and repeat what you did.\n",
        )
            .into_response()),
    }
}
